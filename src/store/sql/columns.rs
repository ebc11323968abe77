//! Reading columns as what they mean.

use crate::store::sql::db::{self, Row};
use communiconnect_protocol::{CommunityId, ReactionCounts, ReactionKind};

/// A word of the wire, stored as text.
pub(super) fn word<T>(row: &Row<'_>, index: usize, from_word: fn(&str) -> Option<T>) -> db::Result<T> {
    let text = row.text(index)?;
    from_word(text).ok_or(db::Error::Column(index))
}

/// A word that may be missing.
pub(super) fn optional_word<T>(
    row: &Row<'_>,
    index: usize,
    from_word: fn(&str) -> Option<T>,
) -> db::Result<Option<T>> {
    let Some(text) = row.get::<Option<&str>>(index)? else { return Ok(None) };
    from_word(text).map(Some).ok_or(db::Error::Column(index))
}

/// A count; the tables never hold a negative one.
pub(super) fn count(row: &Row<'_>, index: usize) -> db::Result<u64> {
    Ok(u64::try_from(row.get::<i64>(index)?).unwrap_or(0))
}

/// Ids of communities one after the other, sixteen bytes each.
pub(super) fn path(row: &Row<'_>, index: usize) -> db::Result<Vec<CommunityId>> {
    let bytes = row.bytes(index)?;
    let (ids, _) = bytes.as_chunks::<16>();
    Ok(ids.iter().map(|id| CommunityId::from_bytes(*id)).collect())
}

/// The six columns `likes, love, haha, wow, sad, angry` from `first` on; kinds without any are left out.
pub(super) fn reactions(row: &Row<'_>, first: usize) -> db::Result<ReactionCounts> {
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
