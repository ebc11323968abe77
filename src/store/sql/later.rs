//! Rows that nobody reads before the commit, written together for all operations of it.
//!
//! Every operation ends with rows of the log and its remembered answer. Over a network each would cost a round trip, and
//! inside an operation's savepoint SQLite would copy the pages that they touch.

use super::{
    bulk,
    days::{self, DayRow},
    db::Connection,
};
use crate::store::Result;
use communiconnect_protocol::{ChatMessageId, Comment, Data, LiveId, NotificationKind, UserId};
use std::{collections::HashMap, sync::Arc};

/// An entry of a channel's log.
pub(super) struct LogRow {
    pub(super) channel: i64,
    pub(super) offset: u64,
    pub(super) event: Arc<str>,
    pub(super) data: Data,
    pub(super) at: i64,
    pub(super) actor: Option<UserId>,
    pub(super) audience: i64,
    pub(super) subject: Option<[u8; 16]>,
    pub(super) named: Option<Vec<u8>>,
}

/// What was answered to an operation.
pub(super) struct OpRow {
    pub(super) user: UserId,
    pub(super) op: String,
    pub(super) digest: [u8; 32],
    pub(super) answer: Vec<u8>,
    pub(super) at: i64,
}

/// A new comment, as its table has it.
pub(super) struct CommentNew {
    pub(super) author: UserId,
    pub(super) comment: Comment,
}

/// A new message of a chat, as its table has it.
pub(super) struct ChatNew {
    pub(super) id: ChatMessageId,
    pub(super) live: LiveId,
    pub(super) author: UserId,
}

/// A new notification of one cause.
pub(super) struct NotificationNew {
    pub(super) id: [u8; 16],
    pub(super) user: UserId,
    pub(super) kind: NotificationKind,
    pub(super) thing: [u8; 16],
    pub(super) part: [u8; 16],
    pub(super) actors: Vec<u8>,
    pub(super) at: i64,
}

/// What waits to be written. Its bound is what one group commit writes.
#[derive(Default)]
pub(super) struct Later {
    log: Vec<LogRow>,
    ops: Vec<OpRow>,
    /// Places in `ops`.
    known: HashMap<(UserId, String), usize>,
    /// How many rows of `log` the database has. They stay here: an operation that wrote rows of those before it may be
    /// undone, and theirs with it.
    written: usize,
    /// Of operations whose answers were read ahead: nothing else looks at these tables meanwhile.
    comments: Vec<CommentNew>,
    chat: Vec<ChatNew>,
    notifications: Vec<NotificationNew>,
    days: Vec<DayRow>,
}

/// How much waited at some time.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    log: usize,
    written: usize,
    ops: usize,
    comments: usize,
    chat: usize,
    notifications: usize,
    days: usize,
}

impl Later {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            log: self.log.len(),
            written: self.written,
            ops: self.ops.len(),
            comments: self.comments.len(),
            chat: self.chat.len(),
            notifications: self.notifications.len(),
            days: self.days.len(),
        }
    }

    /// Forgets what came after the mark, and that it was written: the database undoes it as well.
    pub(super) fn undo(&mut self, mark: Mark) {
        self.log.truncate(mark.log);
        self.written = mark.written;
        self.comments.truncate(mark.comments);
        self.chat.truncate(mark.chat);
        self.notifications.truncate(mark.notifications);
        self.days.truncate(mark.days);
        for row in self.ops.drain(mark.ops..) {
            self.known.remove(&(row.user, row.op));
        }
    }

    /// Forgets everything, after a commit or a failed one.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps an entry of a log until [`Self::write`].
    pub(super) fn log(&mut self, row: LogRow) {
        self.log.push(row);
    }

    /// The answer to an operation that is not written yet.
    pub(super) fn op(&self, user: UserId, op: &str) -> Option<&OpRow> {
        if self.ops.is_empty() {
            return None;
        }
        self.known.get(&(user, op.to_owned())).map(|place| &self.ops[*place])
    }

    /// Keeps an operation's answer until [`Self::write_all`].
    pub(super) fn op_done(&mut self, row: OpRow) {
        self.known.insert((row.user, row.op.clone()), self.ops.len());
        self.ops.push(row);
    }

    /// Keeps a comment until [`Self::settle`].
    pub(super) fn comment(&mut self, row: CommentNew) {
        self.comments.push(row);
    }

    /// Keeps a message of a chat until [`Self::settle`].
    pub(super) fn chat(&mut self, row: ChatNew) {
        self.chat.push(row);
    }

    /// Keeps a notification until [`Self::settle`].
    pub(super) fn notification(&mut self, row: NotificationNew) {
        self.notifications.push(row);
    }

    /// Keeps what happened to a post on its day until [`Self::write_all`].
    pub(super) fn day(&mut self, row: DayRow) {
        self.days.push(row);
    }

    /// Writes comments, messages and notifications: other operations come now.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<()> {
        bulk::write_comments(connection, &std::mem::take(&mut self.comments))?;
        bulk::write_chat(connection, &std::mem::take(&mut self.chat))?;
        bulk::write_notifications(connection, &std::mem::take(&mut self.notifications))?;
        Ok(())
    }

    /// Writes the rows of logs, for whoever is about to look at them.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<()> {
        bulk::write_log(connection, &self.log[self.written..])?;
        self.written = self.log.len();
        Ok(())
    }

    /// Writes all that waits, just before the commit.
    pub(super) fn write_all(&mut self, connection: &Connection) -> Result<()> {
        self.write(connection)?;
        bulk::write_ops(connection, &self.ops)?;
        days::write(connection, &self.days)?;
        self.clear();
        Ok(())
    }
}
