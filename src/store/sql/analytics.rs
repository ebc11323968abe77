//! Figures of posts.
//!
//! Counts are moved with the rows that they count (`posts/counts.rs`), and the days with them (`days.rs`). Who has seen a post is
//! said by the rows that decide whether another view counts.

use super::{
    SqlStore,
    columns::count,
    days::DAY_MS,
    external_shares,
    facts::{POST_FACTS, post_at, post_fact_columns, reader_key},
    posts::{counts_at, post_count_columns},
};
use crate::store::sql::db::{Connection, OptionalExtension, params};
use crate::store::{
    Reader, Result,
    analytics::{Analytics, PostFigures},
};
use communiconnect_protocol::{PostDay, PostId};

#[async_trait::async_trait]
impl Analytics for SqlStore {
    async fn post(&self, reader: Reader, id: PostId, days: usize) -> Result<Option<PostFigures>> {
        self.read(move |connection| post(connection, &reader, id, days)).await
    }
}

fn post(connection: &Connection, reader: &Reader, id: PostId, days: usize) -> Result<Option<PostFigures>> {
    let found = connection
        .prepare_cached(concat!(
            "SELECT ",
            post_fact_columns!(),
            ", ",
            post_count_columns!(),
            " FROM posts p JOIN post_counts ON post = p.id WHERE p.id = ?1"
        ))?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| {
            Ok((post_at(row, 0, reader)?.facts, counts_at(row, POST_FACTS)?))
        })
        .optional()?;
    let Some((facts, counts)) = found else { return Ok(None) };
    let (reposts, guests) = connection
        .prepare_cached(
            "SELECT CAST(COALESCE(sum(reposts), 0) AS BIGINT), CAST(COALESCE(sum(guests), 0) AS BIGINT)
             FROM post_days WHERE post = ?1",
        )?
        .query_row([id.as_bytes()], |row| Ok((count(row, 0)?, count(row, 1)?)))?;
    let people: u64 = connection
        .prepare_cached("SELECT count(*) FROM views WHERE post = ?1 AND guest = 0 AND viewer <> ?2")?
        .query_row(params![id.as_bytes(), facts.author.as_bytes()], |row| count(row, 0))?;
    let platforms = external_shares::totals(connection, id)?;
    let days = latest_days(connection, id, days)?;
    let unique_viewers = people + guests;
    Ok(Some(PostFigures { facts, counts, reposts, platforms, unique_viewers, days }))
}

fn latest_days(connection: &Connection, id: PostId, limit: usize) -> Result<Vec<PostDay>> {
    let mut days = connection
        .prepare_cached(
            "SELECT day, views, reactions, comments, shares, external_shares
             FROM post_days WHERE post = ?1 ORDER BY day DESC LIMIT ?2",
        )?
        .query_map(params![id.as_bytes(), limit as i64], |row| {
            Ok(PostDay {
                day: date(row.get(0)?),
                views: row.get(1)?,
                reactions: row.get(2)?,
                comments: row.get(3)?,
                shares: row.get(4)?,
                external_shares: row.get(5)?,
            })
        })?;
    days.reverse();
    Ok(days)
}

/// `YYYY-MM-DD` of a day that is counted from 1970.
fn date(day: i64) -> String {
    let at =
        jiff::Timestamp::from_millisecond(day.saturating_mul(DAY_MS)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!([date(0), date(20_788), date(-1)], ["1970-01-01", "2026-12-01", "1969-12-31"]);
        assert_eq!(date(i64::MAX), "1970-01-01", "no panic whatever stands in the table");
    }
}
