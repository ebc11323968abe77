//! What hung on things that are gone, removed a few rows at a time so that other writes go on in between.
//!
//! A thing is gone for its readers in the transaction that deletes it: a comment whose post or whose comment above it has
//! no row is not there. Its own rows, and as much of what hung on it as one piece may take, go in that transaction too;
//! what is left is noted in the table `leftovers`, in the same transaction, and swept from there, after a restart as well.
//! Whatever reads such rows meanwhile asks [`Hidden`] or [`is_removed`].

mod comments;
mod hidden;

pub(super) use comments::remove_comment;
pub(super) use hidden::{Hidden, hangs_on_removed, is_anything_left, is_removed};

use super::{SqlStore, Tx, external_shares, lives, notifications, shares};
use crate::store::Result;
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use communiconnect_protocol::{LiveId, PostId, UserId};

/// Rows that one piece removes, about a hundredth of a second of the writer. A comment with its log entries,
/// notifications and counts is one.
pub(super) const PIECE: usize = 200;

/// What is left, as the columns `kind`, `upto` and `verdict` have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// All comments of a post.
    Comments,
    /// The replies to a comment.
    Replies,
    /// The reactions to a post or comment.
    Reactions,
    /// Until when views of a post count only once.
    Views,
    /// What the log of a live says, up to an offset.
    LiveLog {
        /// The last entry that is left.
        upto: u64,
    },
    /// Who was banned from a live.
    Bans,
    /// What a person's log tells them of another whom they do not hear any more.
    Unheard(notifications::Unheard),
    /// The shares of a post.
    Shares,
    /// Its shares to other platforms.
    ExternalShares,
}

impl Rest {
    const fn columns(self) -> (i64, u64, i64) {
        match self {
            Self::Comments => (1, 0, 0),
            Self::Replies => (2, 0, 0),
            Self::Reactions => (3, 0, 0),
            Self::Views => (4, 0, 0),
            Self::LiveLog { upto } => (5, upto, 0),
            Self::Bans => (6, 0, 0),
            Self::Unheard(notifications::Unheard { upto, verdict }) => (7, upto, verdict.column()),
            Self::Shares => (8, 0, 0),
            Self::ExternalShares => (9, 0, 0),
        }
    }

    /// What the columns from `first` on say; none for what a later version left.
    fn at(row: &Row<'_>, first: usize) -> db::Result<Option<Self>> {
        let upto = row.get::<i64>(first + 1)?.unsigned_abs();
        Ok(Some(match row.get::<i64>(first)? {
            1 => Self::Comments,
            2 => Self::Replies,
            3 => Self::Reactions,
            4 => Self::Views,
            5 => Self::LiveLog { upto },
            6 => Self::Bans,
            7 => {
                let verdict = notifications::Verdict::from_column(row.get(first + 2)?);
                Self::Unheard(notifications::Unheard { upto, verdict })
            }
            8 => Self::Shares,
            9 => Self::ExternalShares,
            _ => return Ok(None),
        }))
    }
}

/// A row of the table.
struct Leftover {
    no: i64,
    rest: Option<Rest>,
    /// A post; a live, where it is its own; a person, where it is in their log.
    whose: [u8; 16],
    /// The post, comment or live that it hung on, or the other person.
    thing: [u8; 16],
}

/// What one piece of one note came to.
pub(super) struct Swept {
    /// Rows that went.
    pub(super) rows: usize,
    /// What is left now; none where the note goes too.
    pub(super) rest: Option<Rest>,
}

impl Swept {
    /// Nothing is left of it once a piece found less than it might have taken.
    fn of(rest: Rest, rows: usize, limit: usize) -> Self {
        Self { rows, rest: (rows >= limit).then_some(rest) }
    }
}

/// Notes that something is left: whose it is, and the thing that it hung on.
pub(super) fn leave(tx: &Tx<'_>, rest: Rest, whose: &[u8; 16], thing: &[u8; 16]) -> Result<()> {
    let (kind, upto, verdict) = rest.columns();
    tx.sql("INSERT INTO leftovers (kind, whose, thing, upto, verdict) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![kind, whose, thing, upto as i64, verdict])?;
    Ok(())
}

/// Removes up to [`PIECE`] rows of what is left of one post, live or person; how many went.
pub(super) fn sweep_of(tx: &mut Tx<'_>, whose: &[u8; 16]) -> Result<usize> {
    let mut swept = 0;
    while swept < PIECE
        && let Some(leftover) = next(tx.connection(), Some(whose))?
    {
        // An empty note is work too.
        swept += sweep_one(tx, &leftover, PIECE - swept)?.max(1);
    }
    Ok(swept)
}

/// The same of whatever was left first.
fn sweep_any(tx: &mut Tx<'_>) -> Result<usize> {
    match next(tx.connection(), None)? {
        Some(leftover) => sweep_of(tx, &leftover.whose),
        None => Ok(0),
    }
}

impl SqlStore {
    /// One piece of what is left of deleted things; 0 where nothing is.
    pub(super) async fn sweep_leftovers(&self) -> Result<usize> {
        // Nearly always nothing is left; then the writer is spared.
        if !self.read(is_anything_left).await? {
            return Ok(0);
        }
        self.write(sweep_any).await
    }
}

fn next(connection: &Connection, whose: Option<&[u8; 16]>) -> Result<Option<Leftover>> {
    let sql = match whose {
        Some(_) => {
            "SELECT no, whose, thing, kind, upto, verdict FROM leftovers WHERE whose = ?1 ORDER BY no LIMIT 1"
        }
        None => {
            "SELECT no, whose, thing, kind, upto, verdict FROM leftovers WHERE CAST(?1 AS TEXT) IS NULL ORDER BY no LIMIT 1"
        }
    };
    let leftover = connection
        .prepare_cached(sql)?
        .query_row([whose], |row| {
            let (no, whose, thing) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Leftover { no, rest: Rest::at(row, 3)?, whose, thing })
        })
        .optional()?;
    Ok(leftover)
}

/// Removes up to `limit` rows, and the note where nothing is left then; otherwise the note says what is.
fn sweep_one(tx: &mut Tx<'_>, leftover: &Leftover, limit: usize) -> Result<usize> {
    let Leftover { no, rest, whose, thing } = leftover;
    let swept = match rest {
        Some(rest) => sweep_rest(tx, *rest, (whose, thing), limit)?,
        None => Swept { rows: 0, rest: None },
    };
    match swept.rest {
        None => {
            tx.sql("DELETE FROM leftovers WHERE no = ?1")?.execute([no])?;
        }
        Some(left) if swept.rest != *rest => {
            let (_, upto, verdict) = left.columns();
            tx.sql("UPDATE leftovers SET upto = ?2, verdict = ?3 WHERE no = ?1")?.execute(params![
                no,
                upto as i64,
                verdict
            ])?;
        }
        Some(_) => {}
    }
    Ok(swept.rows)
}

fn sweep_rest(
    tx: &mut Tx<'_>,
    rest: Rest,
    (whose, thing): (&[u8; 16], &[u8; 16]),
    limit: usize,
) -> Result<Swept> {
    let post = PostId::from_bytes(*whose);
    let rows = match rest {
        Rest::Comments => comments::remove_all(tx, post, limit)?,
        Rest::Replies => comments::remove_replies(tx, post, thing, limit)?,
        Rest::Reactions => comments::remove_reactions(tx, thing, limit)?,
        Rest::Views => tx
            .sql("DELETE FROM views WHERE (post, viewer) IN (SELECT post, viewer FROM views WHERE post = ?1 LIMIT ?2)")?
            .execute(params![whose, limit as i64])?,
        Rest::Shares => shares::remove_all(tx, post, limit)?,
        Rest::ExternalShares => external_shares::remove_all(tx, post, limit)?,
        Rest::LiveLog { upto } => return lives::sweep_log(tx, LiveId::from_bytes(*thing), upto, limit),
        Rest::Bans => lives::sweep_bans(tx, LiveId::from_bytes(*thing), limit)?,
        Rest::Unheard(unheard) => {
            let (owner, other) = (UserId::from_bytes(*whose), UserId::from_bytes(*thing));
            return notifications::sweep_unheard(tx, owner, other, unheard, limit);
        }
    };
    Ok(Swept::of(rest, rows, limit))
}
