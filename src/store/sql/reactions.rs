//! Reactions to posts and comments on SQLite.

use super::{
    SqlStore, Tx,
    ahead::{Act, Felt, OfPost, Wants},
    columns::word,
    comments::{self, CommentMove},
    facts::{self, CommentRow, PostRow},
    notifications::{Counted, Reacted, add_person, drop_person},
    posts::{self, Move},
};
use crate::store::sql::db::{OptionalExtension, params};
use crate::store::{
    Actor, HeardFacts, Judge, Relation, Result, Sight,
    reactions::{ReactionOutcome, ReactionTarget, Reactions, Wish},
};
use communiconnect_protocol::{CommentId, NotificationKind, ReactionCounts, ReactionKind, UserId};

#[async_trait::async_trait]
impl Reactions for SqlStore {
    async fn set(
        &self,
        actor: Actor,
        target: ReactionTarget,
        wish: Wish,
        hears: Judge<HeardFacts>,
    ) -> Result<ReactionOutcome> {
        let wants = match &target {
            ReactionTarget::Post(post, _) => Some(OfPost { actor, post: *post, act: Act::React }),
            ReactionTarget::Comment(..) => None,
        };
        let work = move |tx: &mut Tx<'_>| {
            let target = judged(tx, actor, target)?;
            set(tx, actor.user, &target, wish, hears)
        };
        match wants {
            Some(wants) => self.write_wanting(Wants::Post(wants), work).await,
            None => self.write(work).await,
        }
    }
}

/// What is reacted to, after the rule has agreed.
enum Target {
    Post(PostRow),
    Comment(CommentRow),
}

fn judged(tx: &Tx<'_>, actor: Actor, target: ReactionTarget) -> Result<Target> {
    match target {
        ReactionTarget::Post(id, rule) => {
            let post = tx.post(&actor.into(), id)?;
            rule(&post.facts)?;
            Ok(Target::Post(post))
        }
        ReactionTarget::Comment(id, rule) => {
            let comment = facts::comment(tx.connection(), &actor.into(), id)?;
            rule(&comment.facts)?;
            Ok(Target::Comment(comment))
        }
    }
}

impl Target {
    fn key(&self) -> &[u8; 16] {
        match self {
            Self::Post(post) => post.facts.id.as_bytes(),
            Self::Comment(comment) => comment.facts.id.as_bytes(),
        }
    }

    fn relation(&self) -> Relation {
        match self {
            Self::Post(post) => post.facts.relation,
            Self::Comment(comment) => comment.facts.relation,
        }
    }

    /// The post, as the author of what is reacted to sees it.
    fn seen_by_author(&self, tx: &Tx<'_>) -> Result<Sight> {
        match self {
            Self::Post(post) => Ok(post.seen_by_author()),
            Self::Comment(comment) => comment.post().seen_by(tx.connection(), comment.facts.author),
        }
    }

    fn reacted(&self, person: UserId, at: i64) -> Reacted {
        let (owner, kind, post, comment) = match self {
            Self::Post(post) => {
                (post.facts.author, NotificationKind::PostReaction, post.facts.id, CommentId::NOTHING)
            }
            Self::Comment(comment) => {
                let facts = &comment.facts;
                (facts.author, NotificationKind::CommentReaction, facts.post.id, facts.id)
            }
        };
        Reacted { owner, kind, thing: *post.as_bytes(), part: *comment.as_bytes(), person, at }
    }

    /// What a person feels about it now.
    fn felt(&self, tx: &Tx<'_>, person: UserId) -> Result<Felt> {
        if let Self::Post(post) = self
            && let Some(felt) = tx.felt_ahead(post.facts.id, person)
        {
            return Ok(felt);
        }
        let felt = tx
            .sql("SELECT kind, told FROM reactions WHERE target = ?1 AND user = ?2")?
            .query_row([self.key(), person.as_bytes()], |row| {
                Ok((word(row, 0, ReactionKind::from_word)?, Counted::from_column(row.get(1)?)))
            })
            .optional()?;
        Ok(felt)
    }

    /// Notes what a person feels about it from now on.
    fn feel(&self, tx: &mut Tx<'_>, person: UserId, felt: Felt) -> Result<()> {
        if let Self::Post(post) = self
            && tx.feel_ahead(post.facts.id, person, felt)
        {
            return Ok(());
        }
        match felt {
            Some((kind, told)) => tx
                .sql(
                    "INSERT INTO reactions (target, user, kind, told) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (target, user) DO UPDATE SET kind = excluded.kind",
                )?
                .send(params![self.key(), person.as_bytes(), kind.as_str(), told.column()])?,
            None => tx
                .sql("DELETE FROM reactions WHERE target = ?1 AND user = ?2")?
                .send([self.key(), person.as_bytes()])?,
        }
        Ok(())
    }

    fn counts(&self, tx: &Tx<'_>) -> Result<ReactionCounts> {
        Ok(match self {
            Self::Post(post) => tx.counts(post.facts.id)?.reactions,
            Self::Comment(comment) => comments::of(tx.connection(), comment.facts.id)?.reactions,
        })
    }

    fn shift(
        &self,
        tx: &mut Tx<'_>,
        lost: Option<ReactionKind>,
        won: Option<ReactionKind>,
        at: i64,
    ) -> Result<ReactionCounts> {
        Ok(match self {
            Self::Post(post) => posts::shift(tx, post, Move { lost, won, at, ..Move::default() })?.reactions,
            Self::Comment(comment) => {
                comments::shift(tx, &comment.facts, CommentMove { lost, won, replies: 0 })?.reactions
            }
        })
    }
}

fn set(
    tx: &mut Tx<'_>,
    person: UserId,
    target: &Target,
    wish: Wish,
    hears: Judge<HeardFacts>,
) -> Result<ReactionOutcome> {
    let before = target.felt(tx, person)?;
    let lost = before.map(|(kind, _)| kind);
    if lost == wish.kind {
        return Ok(ReactionOutcome { counts: target.counts(tx)?, changed: false });
    }
    match (before, wish.kind) {
        (None, Some(kind)) => {
            let heard =
                HeardFacts { post: Some(target.seen_by_author(tx)?), actor: target.relation(), named: true };
            let told = if hears(&heard) {
                add_person(tx, &target.reacted(person, wish.at))?
            } else {
                Counted::NOWHERE
            };
            target.feel(tx, person, Some((kind, told)))?;
        }
        (Some((_, told)), Some(kind)) => target.feel(tx, person, Some((kind, told)))?,
        (Some((_, told)), None) => {
            target.feel(tx, person, None)?;
            drop_person(tx, &target.reacted(person, wish.at), told)?;
        }
        (None, None) => {}
    }
    Ok(ReactionOutcome { counts: target.shift(tx, lost, wish.kind, wish.at)?, changed: true })
}
