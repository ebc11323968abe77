//! What hung on things that are gone, removed a few rows at a time so that other writes go on in between.
//!
//! A thing is gone for its readers in the transaction that deletes it: a comment whose post or whose comment above it has
//! no row is not there. Its own rows, and as much of what hung on it as one piece may take, go in that transaction too;
//! what is left is noted in the table `leftovers`, in the same transaction, and swept from there, after a restart as well.

use super::{SqlStore, Tx, facts::CommentRow, notifications};
use crate::store::Result;
use crate::store::sql::db::{Connection, OptionalExtension, params};
use communiconnect_protocol::{CommentId, PostId};

/// Rows that one piece removes, about a hundredth of a second of the writer. A comment with its log entries,
/// notifications and counts is one.
pub(super) const PIECE: usize = 200;

/// Reactions that go together with a comment; more are left over.
const REACTIONS_AT_ONCE: usize = 50;

/// What is left of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub(super) enum Kind {
    /// All comments of a post.
    Comments = 1,
    /// The replies to a comment.
    Replies = 2,
    /// The reactions to a post or comment.
    Reactions = 3,
    /// Until when views of a post count only once.
    Views = 4,
}

const KINDS: [Kind; 4] = [Kind::Comments, Kind::Replies, Kind::Reactions, Kind::Views];

/// A row of the table.
struct Leftover {
    no: i64,
    kind: Option<Kind>,
    post: PostId,
    thing: [u8; 16],
}

/// Notes that something of this kind is left of a thing.
pub(super) fn leave(tx: &Tx<'_>, kind: Kind, post: PostId, thing: &[u8; 16]) -> Result<()> {
    tx.sql("INSERT INTO leftovers (kind, post, thing) VALUES (?1, ?2, ?3)")?.execute(params![
        kind as i64,
        post.as_bytes(),
        thing
    ])?;
    Ok(())
}

/// Removes up to [`PIECE`] rows of what is left of one post or its comments; how many went.
pub(super) fn sweep_post(tx: &mut Tx<'_>, post: PostId) -> Result<usize> {
    let mut swept = 0;
    while swept < PIECE
        && let Some(leftover) = next(tx.connection(), Some(post))?
    {
        // An empty note is work too.
        swept += sweep_one(tx, &leftover, PIECE - swept)?.max(1);
    }
    Ok(swept)
}

/// The same of whatever was left first.
fn sweep_any(tx: &mut Tx<'_>) -> Result<usize> {
    match next(tx.connection(), None)? {
        Some(leftover) => sweep_post(tx, leftover.post),
        None => Ok(0),
    }
}

impl SqlStore {
    /// One piece of what is left of deleted things; 0 where nothing is.
    pub(super) async fn sweep_leftovers(&self) -> Result<usize> {
        // Nearly always nothing is left; then the writer is spared.
        if self.read(|connection| next(connection, None)).await?.is_none() {
            return Ok(0);
        }
        self.write(sweep_any).await
    }
}

/// Whether a comment hangs on a removed one, however far up: then it is gone as well, though its row still waits.
pub(super) fn hangs_on_removed(connection: &Connection, comment: &CommentRow) -> Result<bool> {
    match comment.parent {
        Some(parent) => is_removed(connection, comment.facts.post.id, parent),
        None => Ok(false),
    }
}

/// Whether a comment of this post, or one above it, has no row any more. Asks further only where anything is left.
pub(super) fn is_removed(connection: &Connection, post: PostId, comment: CommentId) -> Result<bool> {
    let is_swept =
        !connection.prepare_cached("SELECT 1 FROM leftovers WHERE post = ?1")?.exists([post.as_bytes()])?;
    if is_swept {
        return Ok(false);
    }
    let mut above = comment;
    let mut parent = connection.prepare_cached("SELECT parent FROM comments WHERE id = ?1")?;
    while above != CommentId::NOTHING {
        match parent.query_row([above.as_bytes()], |row| row.get(0)).optional()? {
            Some(next) => above = CommentId::from_bytes(next),
            None => return Ok(true),
        }
    }
    Ok(false)
}

/// Removes a comment of a post that stays; its replies are left over, where there are any.
pub(super) fn remove_comment(tx: &mut Tx<'_>, post: PostId, comment: &[u8; 16]) -> Result<()> {
    remove_single(tx, post, comment)?;
    let has_replies = tx
        .sql("SELECT 1 FROM comments WHERE post = ?1 AND parent = ?2")?
        .exists([post.as_bytes(), comment])?;
    if has_replies {
        leave(tx, Kind::Replies, post, comment)?;
    }
    Ok(())
}

fn remove_single(tx: &mut Tx<'_>, post: PostId, comment: &[u8; 16]) -> Result<()> {
    notifications::forget_comment(tx, post, comment)?;
    tx.erase_subject(comment)?;
    if remove_reactions(tx, comment, REACTIONS_AT_ONCE)? == REACTIONS_AT_ONCE {
        leave(tx, Kind::Reactions, post, comment)?;
    }
    for sql in ["DELETE FROM comment_counts WHERE comment = ?1", "DELETE FROM comments WHERE id = ?1"] {
        tx.sql(sql)?.execute([comment])?;
    }
    Ok(())
}

fn next(connection: &Connection, post: Option<PostId>) -> Result<Option<Leftover>> {
    let sql = match post {
        Some(_) => "SELECT no, kind, post, thing FROM leftovers WHERE post = ?1 ORDER BY no LIMIT 1",
        None => {
            "SELECT no, kind, post, thing FROM leftovers WHERE CAST(?1 AS TEXT) IS NULL ORDER BY no LIMIT 1"
        }
    };
    let leftover = connection
        .prepare_cached(sql)?
        .query_row([post.as_ref().map(PostId::as_bytes)], |row| {
            let kind: i64 = row.get(1)?;
            Ok(Leftover {
                no: row.get(0)?,
                kind: KINDS.into_iter().find(|known| *known as i64 == kind),
                post: PostId::from_bytes(row.get(2)?),
                thing: row.get(3)?,
            })
        })
        .optional()?;
    Ok(leftover)
}

/// Removes up to `limit` rows, and the note where nothing is left then.
fn sweep_one(tx: &mut Tx<'_>, leftover: &Leftover, limit: usize) -> Result<usize> {
    let Leftover { no, kind, post, thing } = leftover;
    let swept = match kind {
        Some(Kind::Comments) => remove_comments(tx, *post, None, limit)?,
        Some(Kind::Replies) => remove_comments(tx, *post, Some(thing), limit)?,
        Some(Kind::Reactions) => remove_reactions(tx, thing, limit)?,
        Some(Kind::Views) => tx
            .sql("DELETE FROM views WHERE (post, viewer) IN (SELECT post, viewer FROM views WHERE post = ?1 LIMIT ?2)")?
            .execute(params![post.as_bytes(), limit as i64])?,
        None => 0,
    };
    if swept < limit {
        tx.sql("DELETE FROM leftovers WHERE no = ?1")?.execute([no])?;
    }
    Ok(swept)
}

/// Comments of a post, or replies to one of them.
fn remove_comments(tx: &mut Tx<'_>, post: PostId, parent: Option<&[u8; 16]>, limit: usize) -> Result<usize> {
    let ids: Vec<[u8; 16]> = match parent {
        Some(parent) => tx
            .sql("SELECT id FROM comments WHERE post = ?1 AND parent = ?2 LIMIT ?3")?
            .query_map(params![post.as_bytes(), parent, limit as i64], |row| row.get(0))?,
        None => tx
            .sql("SELECT id FROM comments WHERE post = ?1 LIMIT ?2")?
            .query_map(params![post.as_bytes(), limit as i64], |row| row.get(0))?,
    };
    for id in &ids {
        match parent {
            Some(_) => remove_comment(tx, post, id)?,
            // All comments of the post go, replies too.
            None => remove_single(tx, post, id)?,
        }
    }
    Ok(ids.len())
}

fn remove_reactions(tx: &Tx<'_>, target: &[u8; 16], limit: usize) -> Result<usize> {
    let removed = tx
        .sql("DELETE FROM reactions WHERE (target, user) IN (SELECT target, user FROM reactions WHERE target = ?1 LIMIT ?2)")?
        .execute(params![target, limit as i64])?;
    Ok(removed)
}
