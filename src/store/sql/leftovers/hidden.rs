//! What nobody is to read any more though its rows still wait to be swept.

use super::Rest;
use crate::store::sql::db::{Connection, OptionalExtension, params};
use crate::{
    publication::Publication,
    store::{
        Result,
        sql::{facts::CommentRow, notifications::Unheard},
    },
};
use communiconnect_protocol::{Channel, CommentId, PostId, UserId};

/// What readers of one channel's log are not to get. There is one only while something is left over.
pub(in crate::store::sql) struct Hidden {
    /// All entries up to here are gone with their live.
    gone: u64,
    /// Of a person's log: whom they do not hear any more.
    unheard: Vec<(UserId, Unheard)>,
}

impl Hidden {
    /// None where nothing is left over, which is nearly always.
    pub(in crate::store::sql) fn of(connection: &Connection, channel: &Channel) -> Result<Option<Self>> {
        if !is_anything_left(connection)? {
            return Ok(None);
        }
        let mut hidden = Self { gone: 0, unheard: Vec::new() };
        let whose = match channel {
            Channel::Live(id) => *id.as_bytes(),
            Channel::User(id) => *id.as_bytes(),
            _ => return Ok(Some(hidden)),
        };
        connection
            .prepare_cached("SELECT thing, kind, upto, verdict FROM leftovers WHERE whose = ?1")?
            .for_each([whose], |row| {
                match Rest::at(row, 1)? {
                    Some(Rest::LiveLog { upto }) => hidden.gone = hidden.gone.max(upto),
                    Some(Rest::Unheard(unheard)) => {
                        hidden.unheard.push((UserId::from_bytes(row.get(0)?), unheard));
                    }
                    _ => {}
                }
                Ok(true)
            })?;
        Ok(Some(hidden))
    }

    /// Whether an entry is to be read as if it had been overwritten. `subject` is what it hangs on.
    pub(in crate::store::sql) fn hides(
        &self,
        connection: &Connection,
        entry: &Publication,
        subject: Option<[u8; 16]>,
    ) -> Result<bool> {
        if entry.offset <= self.gone {
            return Ok(true);
        }
        if let Some(subject) = subject
            && hangs_on_gone(connection, &subject)?
        {
            return Ok(true);
        }
        for (other, unheard) in &self.unheard {
            if unheard.tells(connection, *other, entry)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether anything waits to be swept at all.
pub(in crate::store::sql) fn is_anything_left(connection: &Connection) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM leftovers LIMIT 1")?.exists(params![])?)
}

/// Whether a comment hangs on a removed one, however far up: then it is gone as well, though its row still waits.
pub(in crate::store::sql) fn hangs_on_removed(connection: &Connection, comment: &CommentRow) -> Result<bool> {
    match comment.parent {
        Some(parent) => is_removed(connection, comment.facts.post.id, parent),
        None => Ok(false),
    }
}

/// Whether a comment of this post, or one above it, has no row any more. Asks further only where anything is left.
pub(in crate::store::sql) fn is_removed(
    connection: &Connection,
    post: PostId,
    comment: CommentId,
) -> Result<bool> {
    let is_swept =
        !connection.prepare_cached("SELECT 1 FROM leftovers WHERE whose = ?1")?.exists([post.as_bytes()])?;
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

/// Whether this is a comment whose post or whose comment above it is gone. What is none says no: it went with its row.
fn hangs_on_gone(connection: &Connection, subject: &[u8; 16]) -> Result<bool> {
    let found: Option<([u8; 16], bool)> = connection
        .prepare_cached(
            "SELECT post, EXISTS (SELECT 1 FROM posts WHERE posts.id = post) FROM comments WHERE id = ?1",
        )?
        .query_row([subject], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        None => Ok(false),
        Some((_, false)) => Ok(true),
        Some((post, true)) => {
            is_removed(connection, PostId::from_bytes(post), CommentId::from_bytes(*subject))
        }
    }
}
