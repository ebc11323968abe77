//! Reading a post with what the policy needs.

use super::counts::{POST_COUNTS, counts_at, post_count_columns};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    Reader, Result,
    posts::PostView,
    sql::{
        columns::{optional_word, word},
        facts::{POST_FACTS, post_at, post_fact_columns, reader_key},
        media::shape_at,
        user_row::{USER_COLUMNS, user_at, user_columns},
    },
};
use communiconnect_protocol::{LiveId, MyPost, Post, PostId, PostKind, ReactionKind};

const USER: usize = POST_FACTS;
const COUNTS: usize = USER + USER_COLUMNS;
const REST: usize = COUNTS + POST_COUNTS;

/// The post with `my` for the reader; an anonymous one names nobody.
pub(super) fn view(connection: &Connection, reader: &Reader, id: PostId) -> Result<Option<PostView>> {
    let found = connection
        .prepare_cached(VIEW)?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| view_at(row, reader))
        .optional()?;
    Ok(found)
}

/// Posts in the order asked; unknown ones are left out.
pub(super) fn views(connection: &Connection, reader: &Reader, ids: &[PostId]) -> Result<Vec<PostView>> {
    let ids: Vec<_> = ids.iter().map(|id| *id.as_bytes()).collect();
    let mut statement = connection.prepare_cached(VIEW)?;
    Ok(statement.query_each(&ids, &reader_key(reader), |row| view_at(row, reader))?)
}

const VIEW: &str = concat!(
    "SELECT ",
    post_fact_columns!(),
    ", ",
    user_columns!(),
    ", ",
    post_count_columns!(),
    ", p.kind, p.title, p.content, p.edited_at,
               (SELECT kind FROM reactions WHERE target = p.id AND user = ?2),
               CASE WHEN p.kind = 'live' THEN (SELECT id FROM lives WHERE post = p.id) END,
               EXISTS (SELECT 1 FROM shares s WHERE s.post = p.id AND s.user = ?2 AND s.kind = 'share'),
               EXISTS (SELECT 1 FROM shares s WHERE s.post = p.id AND s.user = ?2 AND s.kind = 'repost'), p.media
             FROM posts p JOIN users u ON u.id = p.author JOIN post_counts ON post = p.id WHERE p.id = ?1"
);

fn view_at(row: &Row<'_>, reader: &Reader) -> db::Result<PostView> {
    let facts = post_at(row, 0, reader)?.facts;
    let author = if facts.anonymous { None } else { Some(user_at(row, USER)?) };
    let my = MyPost {
        author: facts.relation.is_self,
        reaction: optional_word(row, REST + 4, ReactionKind::from_word)?,
        shared: row.get(REST + 6)?,
        reposted: row.get(REST + 7)?,
    };
    let post = Post {
        id: facts.id,
        community_id: facts.community_id,
        kind: word(row, REST, PostKind::from_word)?,
        title: row.get(REST + 1)?,
        content: row.get(REST + 2)?,
        visibility: facts.visibility,
        anonymous: facts.anonymous,
        author,
        media: shape_at(row, REST + 8)?.unwrap_or_default(),
        live_id: row.get::<Option<[u8; 16]>>(REST + 5)?.map(LiveId::from_bytes),
        counts: counts_at(row, COUNTS)?,
        version: facts.version,
        created_at: facts.created_at,
        edited_at: row.get(REST + 3)?,
        my: Some(my),
    };
    Ok(PostView { post, facts })
}
