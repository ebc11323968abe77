//! Rows of many operations, written together: PostgreSQL gets a statement a table, SQLite one statement again and again.

use super::{
    ahead::Inbox,
    columns::REACTION_COLUMNS,
    days::Day,
    db::{Connection, Result, params},
    later::{ChatNew, CommentNew, LogRow, NotificationNew, OpRow},
};
use communiconnect_protocol::{CommentId, PostCounts, PostId, UserId};

/// Appends rows to the log, in their order.
pub(super) fn write_log(connection: &Connection, rows: &[LogRow]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(rows, |rows| session.write_log(rows));
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO log (channel, offset, event, data, at, actor, audience, subject, named)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for row in rows {
        insert.execute(params![
            row.channel,
            row.offset as i64,
            *row.event,
            row.data.as_bytes()[..],
            row.at,
            row.actor.as_ref().map(UserId::as_bytes),
            row.audience,
            row.subject,
            row.named,
        ])?;
    }
    Ok(())
}

/// Remembers answers to operations.
pub(super) fn write_ops(connection: &Connection, rows: &[OpRow]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(rows, |rows| session.write_ops(rows));
    }
    let mut insert = connection
        .prepare_cached("INSERT INTO ops (user, op, digest, answer, at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for row in rows {
        insert.execute(params![row.user.as_bytes(), row.op, row.digest, row.answer, row.at])?;
    }
    Ok(())
}

/// Adds comments.
pub(super) fn write_comments(connection: &Connection, rows: &[CommentNew]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(rows, |rows| session.write_comments(rows));
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO comments (id, post, parent, author, anonymous, depth, created_at, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for CommentNew { author, comment } in rows {
        insert.execute(params![
            comment.id.as_bytes(),
            comment.post_id.as_bytes(),
            comment.parent_id.as_ref().unwrap_or(&CommentId::NOTHING).as_bytes(),
            author.as_bytes(),
            comment.anonymous,
            comment.depth,
            comment.created_at,
            comment.content,
        ])?;
    }
    Ok(())
}

/// Adds messages of chats.
pub(super) fn write_chat(connection: &Connection, rows: &[ChatNew]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(rows, |rows| session.write_chat(rows));
    }
    let mut insert = connection.prepare_cached("INSERT INTO chat (id, live, author) VALUES (?1, ?2, ?3)")?;
    for ChatNew { id, live, author } in rows {
        insert.execute(params![id.as_bytes(), live.as_bytes(), author.as_bytes()])?;
    }
    Ok(())
}

/// Adds notifications of one cause each.
pub(super) fn write_notifications(connection: &Connection, rows: &[NotificationNew]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(rows, |rows| session.write_notifications(rows));
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO notifications
             (id, user, kind, thing, part, actors, count, created_at, published_at, dirty)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7, 0)",
    )?;
    for row in rows {
        let (user, kind) = (row.user.as_bytes(), row.kind.as_str());
        insert.execute(params![row.id, user, kind, row.thing, row.part, row.actors, row.at])?;
    }
    Ok(())
}

/// Sets what is counted of posts.
pub(super) fn save_counts(connection: &Connection, counts: &[(PostId, PostCounts)]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(counts, |counts| session.save_counts(counts));
    }
    let mut update = connection.prepare_cached(
        "UPDATE post_counts SET version = ?2, likes = ?3, love = ?4, haha = ?5, wow = ?6, sad = ?7, angry = ?8,
             comments = ?9, views = ?10, shares = ?11, external_shares = ?12
         WHERE post = ?1",
    )?;
    for (post, counts) in counts {
        let [likes, love, haha, wow, sad, angry] =
            REACTION_COLUMNS.map(|kind| counts.reactions.get(&kind).copied().unwrap_or(0) as i64);
        let (version, comments) = (counts.version as i64, counts.comments as i64);
        let (views, shares) = (counts.views as i64, counts.shares as i64);
        update.execute(params![
            post.as_bytes(),
            version,
            likes,
            love,
            haha,
            wow,
            sad,
            angry,
            comments,
            views,
            shares,
            counts.external_shares as i64
        ])?;
    }
    Ok(())
}

/// Adds to what is counted of posts by day.
pub(super) fn add_days(connection: &Connection, days: &[(PostId, i64, Day)]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(days, |days| session.add_days(days));
    }
    let mut add = connection.prepare_cached(
        "INSERT INTO post_days (post, day, views, guests, reactions, comments, shares, reposts, external_shares)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (post, day) DO UPDATE SET views = views + excluded.views, guests = guests + excluded.guests,
             reactions = reactions + excluded.reactions, comments = comments + excluded.comments,
             shares = shares + excluded.shares, reposts = reposts + excluded.reposts,
             external_shares = external_shares + excluded.external_shares",
    )?;
    for (post, day, by) in days {
        let [views, guests, reactions, comments, shares, reposts, external] = by.columns();
        let post = post.as_bytes();
        add.execute(params![post, day, views, guests, reactions, comments, shares, reposts, external])?;
    }
    Ok(())
}

/// Sets what inboxes count.
pub(super) fn save_inboxes(connection: &Connection, inboxes: &[(UserId, Inbox)]) -> Result<()> {
    if let Connection::Postgres(session) = connection {
        return unless_empty(inboxes, |inboxes| session.save_inboxes(inboxes));
    }
    let mut update =
        connection.prepare_cached("UPDATE inboxes SET unread = ?2, kept = ?3 WHERE user = ?1")?;
    for (user, inbox) in inboxes {
        update.execute(params![user.as_bytes(), inbox.unread, inbox.kept])?;
    }
    Ok(())
}

/// A round trip for nothing is spared.
fn unless_empty<R>(rows: &[R], write: impl FnOnce(&[R]) -> Result<()>) -> Result<()> {
    if rows.is_empty() { Ok(()) } else { write(rows) }
}
