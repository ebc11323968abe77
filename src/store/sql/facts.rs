//! What rules may know, read in one statement each.

use super::{
    columns::{optional_word, path, word},
    leftovers::hangs_on_removed,
    people::relation,
};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    CommentFacts, CommunityFacts, PostFacts, Reader, Relation, Result, Sight, StoreError, routes::Placement,
};
use communiconnect_protocol::{CommentId, CommunityId, CommunityRole, PostId, UserId, Visibility};

/// Whether a reader (`?2`, where none is given) follows the person in a column, and whether one of the two has blocked the
/// other.
macro_rules! relation_columns {
    ($author:literal) => {
        $crate::store::sql::facts::relation_columns!($author, "?2")
    };
    ($author:literal, $reader:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM follows WHERE follower = ",
            $reader,
            " AND author = ",
            $author,
            "), EXISTS (SELECT 1 FROM blocks WHERE blocker = ",
            $reader,
            " AND blocked = ",
            $author,
            ") OR EXISTS (SELECT 1 FROM blocks WHERE blocker = ",
            $author,
            " AND blocked = ",
            $reader,
            ")",
        )
    };
}

/// Facts of the post `p` for a reader (`?2`, where none is given), in the order that [`post_at`] reads.
macro_rules! post_fact_columns {
    () => {
        $crate::store::sql::facts::post_fact_columns!("?2")
    };
    ($reader:literal) => {
        concat!(
            "p.id, p.community, p.author, p.anonymous, p.visibility, p.version, p.created_at, p.path, ",
            "(SELECT role FROM members WHERE community = p.community AND user = ",
            $reader,
            "), ",
            $crate::store::sql::facts::relation_columns!("p.author", $reader),
            ", p.kind = 'live'",
        )
    };
}

/// Facts of the comment `c` for reader `?2`, in the order that [`comment_at`] reads; those of its post `p` follow.
macro_rules! comment_fact_columns {
    () => {
        concat!(
            "c.id, c.author, c.anonymous, c.depth, c.created_at, c.parent, ",
            $crate::store::sql::facts::relation_columns!("c.author"),
            ", ",
            $crate::store::sql::facts::post_fact_columns!(),
        )
    };
}

pub(super) use {comment_fact_columns, post_fact_columns, relation_columns};

/// How many columns [`post_fact_columns`] has.
pub(super) const POST_FACTS: usize = 12;

/// How many columns [`comment_fact_columns`] has.
pub(super) const COMMENT_FACTS: usize = 8 + POST_FACTS;

/// A post as rules and routes see it.
#[derive(Clone, Debug)]
pub(super) struct PostRow {
    pub(super) facts: PostFacts,
    pub(super) path: Vec<CommunityId>,
}

impl PostRow {
    pub(super) fn placement(&self) -> Placement {
        Placement {
            id: self.facts.id,
            author: self.facts.author,
            anonymous: self.facts.anonymous,
            visibility: self.facts.visibility,
            path: self.path.clone(),
        }
    }
}

impl PostRow {
    /// What decides whether its author sees the post.
    pub(super) fn seen_by_author(&self) -> Sight {
        Sight { relation: Relation { is_self: true, ..Relation::default() }, ..self.facts.sight() }
    }

    /// What decides whether another than the reader sees the post.
    pub(super) fn seen_by(&self, connection: &Connection, person: UserId) -> Result<Sight> {
        let relation = relation(connection, Some(person), self.facts.author)?;
        Ok(Sight { relation, ..self.facts.sight() })
    }
}

/// A comment as rules and routes see it.
#[derive(Clone, Debug)]
pub(super) struct CommentRow {
    pub(super) facts: CommentFacts,
    pub(super) parent: Option<CommentId>,
    pub(super) post_path: Vec<CommunityId>,
}

impl CommentRow {
    pub(super) fn post(&self) -> PostRow {
        PostRow { facts: self.facts.post.clone(), path: self.post_path.clone() }
    }
}

/// The id of a reader as statements take it; that of a guest is nobody's.
pub(super) fn reader_key(reader: &Reader) -> [u8; 16] {
    *reader.user.unwrap_or(UserId::NOTHING).as_bytes()
}

pub(super) fn post(connection: &Connection, reader: &Reader, id: PostId) -> Result<PostRow> {
    connection
        .prepare_cached(concat!("SELECT ", post_fact_columns!(), " FROM posts p WHERE p.id = ?1"))?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| post_at(row, 0, reader))
        .optional()?
        .ok_or(StoreError::NotFound("post"))
}

pub(super) fn comment(connection: &Connection, reader: &Reader, id: CommentId) -> Result<CommentRow> {
    let found = connection
        .prepare_cached(concat!(
            "SELECT ",
            comment_fact_columns!(),
            " FROM comments c JOIN posts p ON p.id = c.post WHERE c.id = ?1"
        ))?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| comment_at(row, 0, reader))
        .optional()?;
    match found {
        Some(row) if !hangs_on_removed(connection, &row)? => Ok(row),
        _ => Err(StoreError::NotFound("comment")),
    }
}

/// A community as rules see it, with itself and those around it, outwards.
pub(super) fn community(
    connection: &Connection,
    reader: &Reader,
    id: CommunityId,
) -> Result<(CommunityFacts, Vec<CommunityId>)> {
    connection
        .prepare_cached(
            "SELECT c.path, (SELECT role FROM members WHERE community = c.id AND user = ?2)
             FROM communities c WHERE c.id = ?1",
        )?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| {
            let path = path(row, 0)?;
            let depth = u8::try_from(path.len().saturating_sub(1)).unwrap_or(u8::MAX);
            let role = optional_word(row, 1, CommunityRole::from_word)?;
            Ok((CommunityFacts { id, depth, role }, path))
        })
        .optional()?
        .ok_or(StoreError::NotFound("community"))
}

pub(super) fn post_at(row: &Row<'_>, first: usize, reader: &Reader) -> db::Result<PostRow> {
    let author = UserId::from_bytes(row.get(first + 2)?);
    let facts = PostFacts {
        id: PostId::from_bytes(row.get(first)?),
        community_id: CommunityId::from_bytes(row.get(first + 1)?),
        author,
        anonymous: row.get(first + 3)?,
        visibility: word(row, first + 4, Visibility::from_word)?,
        version: row.get::<i64>(first + 5)?.unsigned_abs(),
        created_at: row.get(first + 6)?,
        community_role: optional_word(row, first + 8, CommunityRole::from_word)?,
        relation: relation_at(row, first + 9, reader.user == Some(author))?,
        is_live: row.get(first + 11)?,
    };
    Ok(PostRow { facts, path: path(row, first + 7)? })
}

pub(super) fn comment_at(row: &Row<'_>, first: usize, reader: &Reader) -> db::Result<CommentRow> {
    let author = UserId::from_bytes(row.get(first + 1)?);
    let parent = CommentId::from_bytes(row.get(first + 5)?);
    let post = post_at(row, first + 8, reader)?;
    let facts = CommentFacts {
        id: CommentId::from_bytes(row.get(first)?),
        author,
        anonymous: row.get(first + 2)?,
        depth: row.get(first + 3)?,
        created_at: row.get(first + 4)?,
        relation: relation_at(row, first + 6, reader.user == Some(author))?,
        post: post.facts,
    };
    let parent = (parent != CommentId::NOTHING).then_some(parent);
    Ok(CommentRow { facts, parent, post_path: post.path })
}

/// The two columns of [`relation_columns`] from `first` on.
pub(super) fn relation_at(row: &Row<'_>, first: usize, is_self: bool) -> db::Result<Relation> {
    Ok(Relation { is_self, follows: row.get(first)?, blocked: row.get(first + 1)? })
}
