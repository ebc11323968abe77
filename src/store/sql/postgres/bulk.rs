//! Many rows in one statement.

use super::Session;
use crate::store::sql::{
    ahead::Inbox,
    columns::REACTION_COLUMNS,
    days::Day,
    db::Result,
    heads::Head,
    later::{ChatNew, CommentNew, LogRow, NotificationNew, OpRow},
};
use communiconnect_protocol::{CommentId, PostCounts, PostId, UserId};
use tokio_postgres::types::ToSql;

impl Session {
    /// Moves the heads of channels.
    pub(in crate::store::sql) fn save_heads(&self, moved: &[Head]) -> Result<()> {
        if moved.is_empty() {
            return Ok(());
        }
        let no: Vec<i64> = moved.iter().map(|head| head.no).collect();
        let head: Vec<i64> = moved.iter().map(|head| head.head as i64).collect();
        let first: Vec<i64> = moved.iter().map(|head| head.first as i64).collect();
        self.bulk(
            "UPDATE channels SET head = moved.head, first = greatest(channels.first, moved.first)
             FROM unnest(?1::bigint[], ?2::bigint[], ?3::bigint[]) AS moved (no, head, first)
             WHERE channels.no = moved.no",
            &[&no, &head, &first],
        )
    }

    /// Appends rows to the log, in their order.
    pub(in crate::store::sql) fn write_log(&self, rows: &[LogRow]) -> Result<()> {
        let channel: Vec<i64> = rows.iter().map(|row| row.channel).collect();
        let offset: Vec<i64> = rows.iter().map(|row| row.offset as i64).collect();
        let event: Vec<&str> = rows.iter().map(|row| &*row.event).collect();
        let data: Vec<&[u8]> = rows.iter().map(|row| &row.data.as_bytes()[..]).collect();
        let at: Vec<i64> = rows.iter().map(|row| row.at).collect();
        let actor: Vec<Option<&[u8]>> =
            rows.iter().map(|row| row.actor.as_ref().map(|actor| &actor.as_bytes()[..])).collect();
        let audience: Vec<i64> = rows.iter().map(|row| row.audience).collect();
        let subject: Vec<Option<&[u8]>> =
            rows.iter().map(|row| row.subject.as_ref().map(|subject| &subject[..])).collect();
        let named: Vec<Option<&[u8]>> = rows.iter().map(|row| row.named.as_deref()).collect();
        self.bulk(
            "INSERT INTO log (channel, offset, event, data, at, actor, audience, subject, named)
             SELECT * FROM unnest(?1::bigint[], ?2::bigint[], ?3::text[], ?4::bytea[], ?5::bigint[], ?6::bytea[],
                                  ?7::bigint[], ?8::bytea[], ?9::bytea[])",
            &[&channel, &offset, &event, &data, &at, &actor, &audience, &subject, &named],
        )
    }

    /// Remembers answers to operations.
    pub(in crate::store::sql) fn write_ops(&self, rows: &[OpRow]) -> Result<()> {
        let user: Vec<&[u8]> = rows.iter().map(|row| &row.user.as_bytes()[..]).collect();
        let op: Vec<&str> = rows.iter().map(|row| &*row.op).collect();
        let digest: Vec<&[u8]> = rows.iter().map(|row| &row.digest[..]).collect();
        let answer: Vec<&[u8]> = rows.iter().map(|row| &row.answer[..]).collect();
        let at: Vec<i64> = rows.iter().map(|row| row.at).collect();
        self.bulk(
            "INSERT INTO ops (user, op, digest, answer, at)
             SELECT * FROM unnest(?1::bytea[], ?2::text[], ?3::bytea[], ?4::bytea[], ?5::bigint[])",
            &[&user, &op, &digest, &answer, &at],
        )
    }

    /// Adds messages of chats.
    pub(in crate::store::sql) fn write_chat(&self, rows: &[ChatNew]) -> Result<()> {
        let id: Vec<&[u8]> = rows.iter().map(|row| &row.id.as_bytes()[..]).collect();
        let live: Vec<&[u8]> = rows.iter().map(|row| &row.live.as_bytes()[..]).collect();
        let author: Vec<&[u8]> = rows.iter().map(|row| &row.author.as_bytes()[..]).collect();
        self.bulk(
            "INSERT INTO chat (id, live, author) SELECT * FROM unnest(?1::bytea[], ?2::bytea[], ?3::bytea[])",
            &[&id, &live, &author],
        )
    }

    /// Adds comments.
    pub(in crate::store::sql) fn write_comments(&self, rows: &[CommentNew]) -> Result<()> {
        let id: Vec<&[u8]> = rows.iter().map(|row| &row.comment.id.as_bytes()[..]).collect();
        let post: Vec<&[u8]> = rows.iter().map(|row| &row.comment.post_id.as_bytes()[..]).collect();
        let parent: Vec<&[u8]> = rows
            .iter()
            .map(|row| &row.comment.parent_id.as_ref().unwrap_or(&CommentId::NOTHING).as_bytes()[..])
            .collect();
        let author: Vec<&[u8]> = rows.iter().map(|row| &row.author.as_bytes()[..]).collect();
        let anonymous: Vec<i16> = rows.iter().map(|row| row.comment.anonymous.into()).collect();
        let depth: Vec<i64> = rows.iter().map(|row| row.comment.depth.into()).collect();
        let created_at: Vec<i64> = rows.iter().map(|row| row.comment.created_at).collect();
        let content: Vec<&str> = rows.iter().map(|row| &*row.comment.content).collect();
        self.bulk(
            "INSERT INTO comments (id, post, parent, author, anonymous, depth, created_at, content)
             SELECT * FROM unnest(?1::bytea[], ?2::bytea[], ?3::bytea[], ?4::bytea[], ?5::smallint[], ?6::bigint[],
                                  ?7::bigint[], ?8::text[])",
            &[&id, &post, &parent, &author, &anonymous, &depth, &created_at, &content],
        )
    }

    /// Adds notifications of one cause each.
    pub(in crate::store::sql) fn write_notifications(&self, rows: &[NotificationNew]) -> Result<()> {
        let id: Vec<&[u8]> = rows.iter().map(|row| &row.id[..]).collect();
        let user: Vec<&[u8]> = rows.iter().map(|row| &row.user.as_bytes()[..]).collect();
        let kind: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
        let thing: Vec<&[u8]> = rows.iter().map(|row| &row.thing[..]).collect();
        let part: Vec<&[u8]> = rows.iter().map(|row| &row.part[..]).collect();
        let actors: Vec<&[u8]> = rows.iter().map(|row| &row.actors[..]).collect();
        let at: Vec<i64> = rows.iter().map(|row| row.at).collect();
        self.bulk(
            "INSERT INTO notifications
                 (id, user, kind, thing, part, actors, count, created_at, published_at, dirty)
             SELECT id, person, kind, thing, part, actors, 1, at, at, 0
             FROM unnest(?1::bytea[], ?2::bytea[], ?3::text[], ?4::bytea[], ?5::bytea[], ?6::bytea[], ?7::bigint[])
                 AS new (id, person, kind, thing, part, actors, at)",
            &[&id, &user, &kind, &thing, &part, &actors, &at],
        )
    }

    /// Adds to what is counted of posts by day.
    pub(in crate::store::sql) fn add_days(&self, days: &[(PostId, i64, Day)]) -> Result<()> {
        let post: Vec<&[u8]> = days.iter().map(|(post, ..)| &post.as_bytes()[..]).collect();
        let day: Vec<i64> = days.iter().map(|(_, day, _)| *day).collect();
        let [views, guests, reactions, comments, shares, reposts, external]: [Vec<i64>; 7] =
            std::array::from_fn(|column| days.iter().map(|(.., by)| by.columns()[column]).collect());
        self.bulk(
            "INSERT INTO post_days AS d (post, day, views, guests, reactions, comments, shares, reposts, external_shares)
             SELECT * FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::bigint[], ?5::bigint[], ?6::bigint[],
                                  ?7::bigint[], ?8::bigint[], ?9::bigint[])
             ON CONFLICT (post, day) DO UPDATE SET views = d.views + excluded.views, guests = d.guests + excluded.guests,
                 reactions = d.reactions + excluded.reactions, comments = d.comments + excluded.comments,
                 shares = d.shares + excluded.shares, reposts = d.reposts + excluded.reposts,
                 external_shares = d.external_shares + excluded.external_shares",
            &[&post, &day, &views, &guests, &reactions, &comments, &shares, &reposts, &external],
        )
    }

    /// Sets what is counted of posts.
    pub(in crate::store::sql) fn save_counts(&self, counts: &[(PostId, PostCounts)]) -> Result<()> {
        let post: Vec<&[u8]> = counts.iter().map(|(post, _)| &post.as_bytes()[..]).collect();
        let column = |of: &dyn Fn(&PostCounts) -> u64| -> Vec<i64> {
            counts.iter().map(|(_, counts)| of(counts) as i64).collect()
        };
        let (version, comments) = (column(&|counts| counts.version), column(&|counts| counts.comments));
        let (views, shares) = (column(&|counts| counts.views), column(&|counts| counts.shares));
        let external = column(&|counts| counts.external_shares);
        let [likes, love, haha, wow, sad, angry] = REACTION_COLUMNS
            .map(|kind| column(&|counts: &PostCounts| counts.reactions.get(&kind).copied().unwrap_or(0)));
        self.bulk(
            "UPDATE post_counts SET version = now.version, comments = now.comments, views = now.views, shares = now.shares, external_shares = now.external,
                 likes = now.likes, love = now.love, haha = now.haha, wow = now.wow, sad = now.sad, angry = now.angry
             FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[], ?4::bigint[], ?5::bigint[], ?6::bigint[],
                         ?7::bigint[], ?8::bigint[], ?9::bigint[], ?10::bigint[], ?11::bigint[], ?12::bigint[])
                 AS now (post, version, comments, views, shares, external, likes, love, haha, wow, sad, angry)
             WHERE post_counts.post = now.post",
            &[&post, &version, &comments, &views, &shares, &external, &likes, &love, &haha, &wow, &sad, &angry],
        )
    }

    /// Sets what inboxes count.
    pub(in crate::store::sql) fn save_inboxes(&self, inboxes: &[(UserId, Inbox)]) -> Result<()> {
        let user: Vec<&[u8]> = inboxes.iter().map(|(user, _)| &user.as_bytes()[..]).collect();
        let unread: Vec<i64> = inboxes.iter().map(|(_, inbox)| inbox.unread).collect();
        let kept: Vec<i64> = inboxes.iter().map(|(_, inbox)| inbox.kept).collect();
        self.bulk(
            "UPDATE inboxes SET unread = now.unread, kept = now.kept
             FROM unnest(?1::bytea[], ?2::bigint[], ?3::bigint[]) AS now (owner, unread, kept)
             WHERE inboxes.user = now.owner",
            &[&user, &unread, &kept],
        )
    }

    /// What a statement with whole columns as parameters finds.
    pub(in crate::store::sql) fn many(
        &self,
        sql: &str,
        columns: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let statement = self.prepare(sql)?;
        self.wait(self.client().query(statement.prepared(), columns))
    }

    /// Runs a statement with whole columns as parameters.
    pub(in crate::store::sql) fn bulk(&self, sql: &str, columns: &[&(dyn ToSql + Sync)]) -> Result<()> {
        let statement = self.prepare(sql)?;
        self.wait(self.client().execute(statement.prepared(), columns)).map(drop)
    }
}
