//! Reactions to posts and comments on SQLite.

use super::{
    SqliteStore, Tx,
    columns::word,
    comments::{self, CommentMove},
    facts::{self, PostRow},
    notifications::{Reacted, add_person, drop_person},
    posts::{self, Move},
};
use crate::store::{
    Actor, CommentFacts, Relation, Result,
    reactions::{ReactionOutcome, ReactionTarget, Reactions, Wish},
};
use communiconnect_protocol::{CommentId, NotificationKind, ReactionCounts, ReactionKind, UserId};
use rusqlite::{OptionalExtension, params};

#[async_trait::async_trait]
impl Reactions for SqliteStore {
    async fn set(&self, actor: Actor, target: ReactionTarget, wish: Wish) -> Result<ReactionOutcome> {
        self.write(move |tx| {
            let target = judged(tx, actor, target)?;
            set(tx, actor.user, &target, wish)
        })
        .await
    }
}

/// What is reacted to, after the rule has agreed.
enum Target {
    Post(PostRow),
    Comment(CommentFacts),
}

fn judged(tx: &Tx<'_>, actor: Actor, target: ReactionTarget) -> Result<Target> {
    match target {
        ReactionTarget::Post(id, rule) => {
            let post = facts::post(tx.connection(), &actor.into(), id)?;
            rule(&post.facts)?;
            Ok(Target::Post(post))
        }
        ReactionTarget::Comment(id, rule) => {
            let comment = facts::comment(tx.connection(), &actor.into(), id)?;
            rule(&comment.facts)?;
            Ok(Target::Comment(comment.facts))
        }
    }
}

impl Target {
    fn key(&self) -> &[u8; 16] {
        match self {
            Self::Post(post) => post.facts.id.as_bytes(),
            Self::Comment(comment) => comment.id.as_bytes(),
        }
    }

    fn relation(&self) -> Relation {
        match self {
            Self::Post(post) => post.facts.relation,
            Self::Comment(comment) => comment.relation,
        }
    }

    fn reacted(&self, person: UserId, at: i64) -> Reacted {
        let (owner, kind, post, comment) = match self {
            Self::Post(post) => {
                (post.facts.author, NotificationKind::PostReaction, post.facts.id, CommentId::NOTHING)
            }
            Self::Comment(comment) => {
                (comment.author, NotificationKind::CommentReaction, comment.post.id, comment.id)
            }
        };
        Reacted { owner, kind, thing: *post.as_bytes(), part: *comment.as_bytes(), person, at }
    }

    fn counts(&self, tx: &Tx<'_>) -> Result<ReactionCounts> {
        Ok(match self {
            Self::Post(post) => posts::of(tx.connection(), post.facts.id)?.reactions,
            Self::Comment(comment) => comments::of(tx.connection(), comment.id)?.reactions,
        })
    }

    fn shift(
        &self,
        tx: &mut Tx<'_>,
        lost: Option<ReactionKind>,
        won: Option<ReactionKind>,
    ) -> Result<ReactionCounts> {
        Ok(match self {
            Self::Post(post) => posts::shift(tx, post, Move { lost, won, ..Move::default() })?.reactions,
            Self::Comment(comment) => {
                comments::shift(tx, comment, CommentMove { lost, won, replies: 0 })?.reactions
            }
        })
    }
}

fn set(tx: &mut Tx<'_>, person: UserId, target: &Target, wish: Wish) -> Result<ReactionOutcome> {
    let before = tx
        .sql("SELECT kind, told FROM reactions WHERE target = ?1 AND user = ?2")?
        .query_row([target.key(), person.as_bytes()], |row| {
            Ok((word(row, 0, ReactionKind::from_word)?, row.get::<_, bool>(1)?))
        })
        .optional()?;
    let lost = before.map(|(kind, _)| kind);
    if lost == wish.kind {
        return Ok(ReactionOutcome { counts: target.counts(tx)?, changed: false });
    }
    match (before, wish.kind) {
        (None, Some(kind)) => {
            let told = notify(tx, person, target, wish.at)?;
            tx.sql("INSERT INTO reactions (target, user, kind, told) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![target.key(), person.as_bytes(), kind.as_str(), told])?;
        }
        (Some(_), Some(kind)) => {
            tx.sql("UPDATE reactions SET kind = ?3 WHERE target = ?1 AND user = ?2")?.execute(params![
                target.key(),
                person.as_bytes(),
                kind.as_str()
            ])?;
        }
        (Some((_, told)), None) => {
            tx.sql("DELETE FROM reactions WHERE target = ?1 AND user = ?2")?
                .execute([target.key(), person.as_bytes()])?;
            if told {
                drop_person(tx, &target.reacted(person, wish.at))?;
            }
        }
        (None, None) => {}
    }
    Ok(ReactionOutcome { counts: target.shift(tx, lost, wish.kind)?, changed: true })
}

/// Tells the author of a first reaction, unless it is their own or one of the two has blocked the other.
fn notify(tx: &mut Tx<'_>, person: UserId, target: &Target, at: i64) -> Result<bool> {
    let relation = target.relation();
    if relation.is_self || relation.blocked {
        return Ok(false);
    }
    add_person(tx, &target.reacted(person, at))
}
