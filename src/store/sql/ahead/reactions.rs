//! Reactions to posts, and the one notification that counts those to a post.

use super::{Act, Moving, OfPost};
use crate::store::sql::{
    columns::optional_word,
    db::{Result, Row},
    notifications::{Counted, Standing, actor_bytes, standing_at},
    postgres::Session,
};
use communiconnect_protocol::{PostId, ReactionKind, UserId};

/// What somebody feels about a post, and by which notification that is counted.
pub(in crate::store::sql) type Felt = Option<(ReactionKind, Counted)>;

/// What was read of reactions.
#[derive(Default)]
pub(super) struct Reactions {
    felt: Moving<(PostId, UserId), Felt>,
    /// None of a post whose author was told of none yet.
    standing: Moving<PostId, Option<Standing>>,
}

/// How far the changes had come at some time.
#[derive(Clone, Copy)]
pub(super) struct Since {
    felt: usize,
    standing: usize,
}

impl Reactions {
    /// Reads what reactions among these will ask.
    pub(super) fn read<'w>(
        &mut self,
        session: &Session,
        wants: impl Iterator<Item = &'w OfPost>,
        is_told_here: impl Fn(UserId) -> bool,
    ) -> Result<()> {
        let (mut posts, mut people) = (Vec::new(), Vec::new());
        for wanted in wants.filter(|wanted| wanted.act == Act::React) {
            posts.push(&wanted.post.as_bytes()[..]);
            people.push(&wanted.actor.user.as_bytes()[..]);
        }
        if posts.is_empty() {
            return Ok(());
        }
        for row in session.many(READ_FELT, &[&posts, &people])? {
            let row = Row::Postgres(&row);
            let key = (PostId::from_bytes(row.get(0)?), UserId::from_bytes(row.get(1)?));
            let felt = match optional_word(&row, 2, ReactionKind::from_word)? {
                Some(kind) => Some((kind, Counted::from_column(row.get(3)?))),
                None => None,
            };
            self.felt.found(key, || Ok(felt))?;
        }
        posts.sort_unstable();
        posts.dedup();
        for row in session.many(READ_STANDING, &[&posts])? {
            let row = Row::Postgres(&row);
            // Where room must be made in an inbox, a notification may go; that is left to the tables.
            if is_told_here(UserId::from_bytes(row.get(1)?)) {
                self.standing.found(PostId::from_bytes(row.get(0)?), || standing_at(&row, 2))?;
            }
        }
        Ok(())
    }

    pub(super) fn felt(&self, post: PostId, person: UserId) -> Option<Felt> {
        self.felt.now.get(&(post, person)).copied()
    }

    /// Of how many people it is known what they feel about a post.
    pub(super) fn felt_count(&self, post: PostId) -> usize {
        self.felt.now.keys().filter(|(known, _)| *known == post).count()
    }

    /// Some of those whose reactions to a post a notification counts.
    pub(super) fn counted(&self, post: PostId, by: Counted) -> impl Iterator<Item = UserId> {
        let counts = move |felt: &Felt| felt.is_some_and(|(_, told)| told.is_by(by));
        let of_post = self.felt.now.iter().filter(move |((known, _), felt)| *known == post && counts(felt));
        of_post.map(|((_, person), _)| *person)
    }

    pub(super) fn feel(&mut self, post: PostId, person: UserId, felt: Felt) -> bool {
        self.felt.change((post, person), |known| *known = felt).is_some()
    }

    pub(super) fn standing(&self, post: PostId) -> Option<&Option<Standing>> {
        self.standing.now.get(&post)
    }

    pub(super) fn stand(&mut self, post: PostId, standing: &Standing) -> bool {
        self.standing.change(post, |known| *known = Some(standing.clone())).is_some()
    }

    pub(super) fn now(&self) -> Since {
        Since { felt: self.felt.before.len(), standing: self.standing.before.len() }
    }

    pub(super) fn undo(&mut self, since: Since) {
        self.felt.undo(since.felt);
        self.standing.undo(since.standing);
    }

    /// Writes what has changed.
    pub(super) fn settle(self, session: &Session) -> Result<()> {
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (key, felt) in self.felt.changed() {
            match felt {
                Some((kind, counted)) => kept.push((key, kind, counted)),
                None => gone.push(key),
            }
        }
        if !kept.is_empty() {
            session.keep_reactions(&kept)?;
        }
        if !gone.is_empty() {
            session.drop_reactions(&gone)?;
        }
        let standing: Vec<Standing> = self.standing.changed().filter_map(|(_, standing)| standing).collect();
        if !standing.is_empty() {
            session.save_standing(&standing)?;
        }
        Ok(())
    }
}

impl Session {
    fn keep_reactions(&self, kept: &[((PostId, UserId), ReactionKind, Counted)]) -> Result<()> {
        let target: Vec<&[u8]> = kept.iter().map(|((post, _), ..)| &post.as_bytes()[..]).collect();
        let user: Vec<&[u8]> = kept.iter().map(|((_, user), ..)| &user.as_bytes()[..]).collect();
        let kind: Vec<&str> = kept.iter().map(|(_, kind, _)| kind.as_str()).collect();
        let told: Vec<i64> = kept.iter().map(|(.., counted)| counted.column()).collect();
        self.bulk(
            "INSERT INTO reactions (target, user, kind, told)
             SELECT * FROM unnest(?1::bytea[], ?2::bytea[], ?3::text[], ?4::bigint[])
             ON CONFLICT (target, user) DO UPDATE SET kind = excluded.kind, told = excluded.told",
            &[&target, &user, &kind, &told],
        )
    }

    fn drop_reactions(&self, gone: &[(PostId, UserId)]) -> Result<()> {
        let target: Vec<&[u8]> = gone.iter().map(|(post, _)| &post.as_bytes()[..]).collect();
        let user: Vec<&[u8]> = gone.iter().map(|(_, user)| &user.as_bytes()[..]).collect();
        self.bulk(
            "DELETE FROM reactions USING unnest(?1::bytea[], ?2::bytea[]) AS gone (thing, person)
             WHERE reactions.target = gone.thing AND reactions.user = gone.person",
            &[&target, &user],
        )
    }

    fn save_standing(&self, standing: &[Standing]) -> Result<()> {
        let no: Vec<i64> = standing.iter().map(|row| row.no).collect();
        let count: Vec<i64> = standing.iter().map(|row| row.count).collect();
        let actors: Vec<Vec<u8>> = standing.iter().map(|row| actor_bytes(&row.actors)).collect();
        let created_at: Vec<i64> = standing.iter().map(|row| row.created_at).collect();
        let read_at: Vec<Option<i64>> = standing.iter().map(|row| row.read_at).collect();
        let published_at: Vec<i64> = standing.iter().map(|row| row.published_at).collect();
        let dirty: Vec<i16> = standing.iter().map(|row| row.dirty.into()).collect();
        self.bulk(
            "UPDATE notifications SET count = now.count, actors = now.actors, created_at = now.created_at,
                 read_at = now.read_at, published_at = now.published_at, dirty = now.dirty
             FROM unnest(?1::bigint[], ?2::bigint[], ?3::bytea[], ?4::bigint[], ?5::bigint[], ?6::bigint[], ?7::smallint[])
                 AS now (no, count, actors, created_at, read_at, published_at, dirty)
             WHERE notifications.no = now.no",
            &[&no, &count, &actors, &created_at, &read_at, &published_at, &dirty],
        )
    }
}

/// Per reaction what its person feels now.
const READ_FELT: &str = "SELECT asked.post, asked.person, r.kind, r.told
     FROM unnest(?1::bytea[], ?2::bytea[]) AS asked (post, person)
         LEFT JOIN reactions r ON r.target = asked.post AND r.user = asked.person";

/// Per post whose it is, and the notification that counts its reactions, as [`standing_at`] reads it.
const READ_STANDING: &str = concat!(
    "SELECT p.id, p.author, ",
    crate::store::sql::notifications::standing_columns!(),
    " FROM unnest(?1::bytea[]) AS asked (post) JOIN posts p ON p.id = asked.post
         LEFT JOIN notifications n ON n.part = '\\x00000000000000000000000000000000' AND n.thing = p.id
             AND n.kind = 'post_reaction' AND n.user = p.author"
);
