//! Reading columns as what they mean.

use communiconnect_protocol::{CommunityId, ReactionCounts, ReactionKind};
use rusqlite::{Row, types::FromSqlError};

/// A word of the wire, stored as text.
pub(super) fn word<T>(row: &Row<'_>, index: usize, from_word: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    Ok(from_word(text).ok_or(FromSqlError::InvalidType)?)
}

/// A word that may be missing.
pub(super) fn optional_word<T>(
    row: &Row<'_>,
    index: usize,
    from_word: fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let Some(text) = row.get_ref(index)?.as_str_or_null()? else { return Ok(None) };
    Ok(Some(from_word(text).ok_or(FromSqlError::InvalidType)?))
}

/// A count; the tables never hold a negative one.
pub(super) fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(index)?).unwrap_or(0))
}

/// Ids of communities one after the other, sixteen bytes each.
pub(super) fn path(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<CommunityId>> {
    let bytes = row.get_ref(index)?.as_blob()?;
    let (ids, _) = bytes.as_chunks::<16>();
    Ok(ids.iter().map(|id| CommunityId::from_bytes(*id)).collect())
}

/// The six columns `likes, love, haha, wow, sad, angry` from `first` on; kinds without any are left out.
pub(super) fn reactions(row: &Row<'_>, first: usize) -> rusqlite::Result<ReactionCounts> {
    let mut counts = ReactionCounts::new();
    for (place, kind) in REACTION_COLUMNS.into_iter().enumerate() {
        let count = count(row, first + place)?;
        if count > 0 {
            counts.insert(kind, count);
        }
    }
    Ok(counts)
}

/// The order of the columns of reactions in both tables of counts.
pub(super) const REACTION_COLUMNS: [ReactionKind; 6] = [
    ReactionKind::Like,
    ReactionKind::Love,
    ReactionKind::Haha,
    ReactionKind::Wow,
    ReactionKind::Sad,
    ReactionKind::Angry,
];
