//! Uploaded images and videos.
//!
//! What others may know of one never changes once it hangs somewhere, so it is kept as the very text that goes over the
//! wire, in its own row and beside the post that it hangs on: reading a page of posts looks nothing up.

use super::{
    SqlStore, Tx,
    columns::word,
    facts::{post_at, post_fact_columns, reader_key},
};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::store::{
    Actor, Judge, MediaFacts, Reader, Result, Rule, StoreError,
    media::{Media, MediaView, NewMedia},
};
use communiconnect_protocol::{
    ErrorBody, Media as Shape, MediaId, MediaPurpose, MediaStatus, PostId, UserId,
};
use serde::{Serialize, de::DeserializeOwned};

#[async_trait::async_trait]
impl Media for SqlStore {
    async fn add(&self, new: NewMedia) -> Result<()> {
        self.write(move |tx| add(tx, &new)).await
    }

    async fn get(&self, reader: Reader, id: MediaId) -> Result<Option<MediaView>> {
        self.read(move |connection| view(connection, &reader, id)).await
    }

    async fn remove(&self, actor: Actor, id: MediaId, rule: Rule<MediaFacts>) -> Result<()> {
        self.write(move |tx| {
            let found = view(tx.connection(), &actor.into(), id)?.ok_or(StoreError::NotFound("media"))?;
            rule(&found.facts)?;
            tx.sql("DELETE FROM media WHERE id = ?1")?.execute([id.as_bytes()])?;
            Ok(())
        })
        .await
    }

    async fn known(&self, ids: Vec<MediaId>) -> Result<Vec<MediaId>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM media WHERE id = ?1")?;
            let mut known = Vec::with_capacity(ids.len());
            for id in ids {
                if statement.exists([id.as_bytes()])? {
                    known.push(id);
                }
            }
            Ok(known)
        })
        .await
    }

    async fn forget_unused(&self, before: i64, limit: usize) -> Result<usize> {
        self.write(move |tx| {
            let gone = tx
                .sql(
                    "DELETE FROM media WHERE id IN
                         (SELECT id FROM media WHERE post IS NULL AND photo = 0 AND created_at < ?1
                          ORDER BY created_at LIMIT ?2)",
                )?
                .execute(params![before, limit as i64])?;
            Ok(gone)
        })
        .await
    }
}

fn add(tx: &mut Tx<'_>, new: &NewMedia) -> Result<()> {
    tx.sql(
        "INSERT INTO media (id, owner, purpose, photo, created_at, shape) VALUES (?1, ?2, ?3, 0, ?4, ?5)",
    )?
    .execute(params![
        new.shape.id.as_bytes(),
        new.owner.as_bytes(),
        new.purpose.as_str(),
        new.at,
        text_of(&new.shape),
    ])?;
    Ok(())
}

/// Media for reader `?2`; columns of its post, where it hangs on one, come last.
const VIEW: &str = concat!(
    "SELECT m.shape, m.owner, m.purpose, m.photo, m.post, ",
    post_fact_columns!(),
    " FROM media m LEFT JOIN posts p ON p.id = m.post WHERE m.id = ?1"
);

/// How many columns come before those of the post.
const POST: usize = 5;

fn view(connection: &Connection, reader: &Reader, id: MediaId) -> Result<Option<MediaView>> {
    let found = connection
        .prepare_cached(VIEW)?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| view_at(row, reader))
        .optional()?;
    Ok(found)
}

fn view_at(row: &Row<'_>, reader: &Reader) -> db::Result<MediaView> {
    let shape: Shape = read(row.text(0)?, 0)?;
    let owner: [u8; 16] = row.get(1)?;
    let hangs_on: Option<[u8; 16]> = row.get(4)?;
    let post = match hangs_on {
        Some(_) => Some(post_at(row, POST, reader)?.facts),
        None => None,
    };
    let facts = MediaFacts {
        is_own: reader.user.is_some_and(|user| *user.as_bytes() == owner),
        is_ready: shape.status == MediaStatus::Ready,
        purpose: word(row, 2, MediaPurpose::from_word)?,
        is_photo: row.get(3)?,
        post,
    };
    Ok(MediaView { shape, facts })
}

/// Media that a new post is to have, in the order asked.
///
/// # Errors
/// `invalid` with every id that `may` refuses: the whole post is refused with it.
pub(super) fn for_post(
    connection: &Connection,
    actor: Actor,
    ids: &[MediaId],
    may: Judge<MediaFacts>,
) -> Result<Vec<Shape>> {
    let (mut shapes, mut refused) = (Vec::with_capacity(ids.len()), Vec::new());
    for (place, id) in ids.iter().enumerate() {
        match view(connection, &actor.into(), *id)? {
            Some(found) if may(&found.facts) && !ids[..place].contains(id) => shapes.push(found.shape),
            _ => refused.push(id.to_string()),
        }
    }
    if refused.is_empty() {
        return Ok(shapes);
    }
    let named = refused.join(", ");
    Err(ErrorBody::invalid(
        "media_ids",
        format!("not media of yours that are ready and in no post yet: {named}"),
    )
    .into())
}

/// Hangs media on a post, for good.
pub(super) fn hang(tx: &Tx<'_>, shapes: &[Shape], post: PostId) -> Result<()> {
    let mut statement = tx.sql("UPDATE media SET post = ?2 WHERE id = ?1")?;
    for shape in shapes {
        statement.execute([shape.id.as_bytes(), post.as_bytes()])?;
    }
    Ok(())
}

/// Makes an upload somebody's photo in place of the one before, and answers the addresses of its variants as a column keeps
/// them.
///
/// # Errors
/// `invalid` where `may` refuses it.
pub(super) fn photograph(tx: &Tx<'_>, actor: Actor, id: MediaId, may: Judge<MediaFacts>) -> Result<String> {
    let found = view(tx.connection(), &actor.into(), id)?.filter(|found| may(&found.facts));
    let found = found.ok_or_else(|| {
        let message = format!("not an image of yours that was uploaded for a profile: {id}");
        ErrorBody::invalid("photo_media_id", message)
    })?;
    no_photo(tx, actor.user)?;
    tx.sql("UPDATE media SET photo = 1 WHERE id = ?1")?.execute([id.as_bytes()])?;
    Ok(text_of(&found.shape.urls))
}

/// Forgets the photo of a person.
pub(super) fn no_photo(tx: &Tx<'_>, user: UserId) -> Result<()> {
    tx.sql("DELETE FROM media WHERE owner = ?1 AND photo = 1")?.execute([user.as_bytes()])?;
    Ok(())
}

/// Forgets the media of a post that goes.
pub(super) fn forget_post(tx: &Tx<'_>, post: PostId) -> Result<()> {
    tx.sql("DELETE FROM media WHERE post = ?1")?.execute([post.as_bytes()])?;
    Ok(())
}

/// A shape as a column keeps it.
pub(super) fn text_of(shape: &impl Serialize) -> String {
    serde_json::to_string(shape).expect("our own types always encode")
}

/// A shape from a column that may be empty.
pub(super) fn shape_at<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> db::Result<Option<T>> {
    let Some(text) = row.get::<Option<&str>>(index)? else { return Ok(None) };
    read(text, index).map(Some)
}

fn read<T: DeserializeOwned>(text: &str, index: usize) -> db::Result<T> {
    serde_json::from_str(text).map_err(|_| db::Error::Column(index))
}
