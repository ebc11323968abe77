//! Taking turns: one group commit at a time on the whole database.
//!
//! The row of `turn` is the lock, and what the next one must know: who wrote last, and the greatest id given. It is held
//! from the first statement to the commit; a node that falls silent in its turn is ended by the server.

use super::Session;
use crate::store::sql::db::{Error, Result};
use rand::Rng;

/// What a node says of itself in its turns.
pub(in crate::store::sql) struct NodeTurn {
    me: [u8; 16],
}

/// What has happened since this node's last turn.
#[derive(Debug)]
pub(in crate::store::sql) struct Taken {
    /// Whether nobody else had a turn in between: what is in memory still holds.
    pub(in crate::store::sql) in_a_row: bool,
    /// The greatest id that any node has given.
    pub(in crate::store::sql) last_id: [u8; 16],
}

impl NodeTurn {
    /// A name of its own for each start.
    pub(in crate::store::sql) fn new() -> Self {
        Self { me: rand::rng().random() }
    }

    /// Begins a transaction and waits for the turn.
    pub(in crate::store::sql) fn take(&self, session: &Session) -> Result<Taken> {
        session.send("BEGIN")?;
        let rows = session.prepare("SELECT holder, last_id FROM turn FOR UPDATE")?.rows(&[])?;
        let row = rows.first().ok_or(Error::NoRow)?;
        let holder: &[u8] = row.try_get(0)?;
        let last_id: &[u8] = row.try_get(1)?;
        Ok(Taken { in_a_row: holder == self.me, last_id: last_id.try_into().map_err(|_| Error::Column(1))? })
    }

    /// Commits and lets the next one begin.
    pub(in crate::store::sql) fn end(&self, session: &Session, last_id: [u8; 16]) -> Result<()> {
        let note = session.prepare("UPDATE turn SET holder = ?1, last_id = ?2")?;
        let noted = session.wait(async {
            let (me, last_id): (&[u8], &[u8]) = (&self.me, &last_id);
            // A transaction that has failed answers COMMIT with a rollback and no error: the note before it tells.
            let (noted, done) = futures_util::future::join(
                session.client().execute(note.prepared(), &[&me, &last_id]),
                session.client().batch_execute("COMMIT"),
            )
            .await;
            done.and(noted)
        })?;
        if noted == 1 { Ok(()) } else { Err(Error::NoRow) }
    }
}
