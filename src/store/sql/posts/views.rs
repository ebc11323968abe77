//! Counting views: one per viewer and window.

use super::counts::{Move, shift};
use crate::store::sql::db::params;
use crate::store::{
    Result,
    posts::{View, Viewer},
    sql::{Tx, facts::PostRow},
};

/// Counts a view unless the same viewer's last one is too recent; whether it counted.
pub(super) fn count(tx: &mut Tx<'_>, post: &PostRow, view: View) -> Result<bool> {
    let Noted::Counts { guests } = note(tx, &view)? else { return Ok(false) };
    shift(tx, post, Move { views: 1, guests, at: view.at, ..Move::default() })?;
    Ok(true)
}

/// Whether a view counts, and whether a guest saw the post for the first time in this session.
enum Noted {
    TooSoon,
    Counts { guests: i64 },
}

impl Noted {
    fn person(counts: bool) -> Self {
        if counts { Self::Counts { guests: 0 } } else { Self::TooSoon }
    }
}

/// Notes until when another view of the same viewer does not count, unless this one is such. Rows of people stay, as those
/// who have seen the post.
fn note(tx: &mut Tx<'_>, view: &View) -> Result<Noted> {
    let until = view.at.saturating_add(view.window_ms);
    let viewer = match &view.viewer {
        Viewer::Person(user) => {
            if let Some(last) = tx.viewed_ahead(view.post_id, *user) {
                let counts = last <= view.at;
                if counts {
                    tx.view_ahead(view.post_id, *user, until);
                }
                return Ok(Noted::person(counts));
            }
            user.as_bytes()
        }
        Viewer::Guest(session) => {
            let new = tx
                .sql(
                    "INSERT INTO views (post, viewer, until, guest) VALUES (?1, ?2, ?3, 1)
                     ON CONFLICT (post, viewer) DO NOTHING",
                )?
                .execute(params![view.post_id.as_bytes(), session.as_bytes(), until])?;
            if new == 1 {
                return Ok(Noted::Counts { guests: 1 });
            }
            session.as_bytes()
        }
    };
    let noted = tx
        .sql(
            "INSERT INTO views (post, viewer, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (post, viewer) DO UPDATE SET until = excluded.until WHERE views.until <= ?4",
        )?
        .execute(params![view.post_id.as_bytes(), viewer, until, view.at])?;
    Ok(Noted::person(noted == 1))
}

/// Drops up to `limit` views of guests whose window has ended, since a new one counts in any case; answers how many went.
pub(in crate::store::sql) fn sweep(tx: &mut Tx<'_>, now: i64, limit: usize) -> Result<usize> {
    let swept = tx
        .sql(
            "DELETE FROM views WHERE (post, viewer) IN
                 (SELECT post, viewer FROM views WHERE guest = 1 AND until <= ?1 ORDER BY until LIMIT ?2)",
        )?
        .execute(params![now, limit as i64])?;
    Ok(swept)
}
