//! Figures for those whose posts they are.

use super::policy;
use crate::{
    analytics::Reception,
    store::{
        Reader, Stores,
        analytics::{Analytics as Store, PostFigures},
    },
};
use communiconnect_protocol::{AnalyticsPost, ErrorBody, PostAnalytics, ShareCounts};
use std::sync::Arc;

/// Days of a series at most: a year.
const SERIES_DAYS: usize = 365;

/// Figures.
pub struct AnalyticsService {
    store: Arc<dyn Store>,
}

impl AnalyticsService {
    pub(super) fn new(stores: &Stores) -> Self {
        Self { store: stores.analytics.clone() }
    }

    /// The figures of the reader's own post.
    ///
    /// # Errors
    /// `not_found` post, `forbidden` for others than its author.
    pub async fn post(&self, reader: Reader, body: AnalyticsPost) -> Result<PostAnalytics, ErrorBody> {
        let post_id = body.post_id;
        let found = self.store.post(reader, post_id, SERIES_DAYS).await?;
        let PostFigures { facts, counts, reposts, platforms, unique_viewers, days } =
            found.ok_or_else(|| policy::not_found("post"))?;
        policy::read_figures(&facts)?;
        let Reception { engagement_rate, viral_score, label } = Reception::of(&counts);
        Ok(PostAnalytics {
            post_id,
            version: counts.version,
            views: counts.views,
            unique_viewers,
            reactions: counts.reactions,
            comments: counts.comments,
            shares: ShareCounts { share: counts.shares.saturating_sub(reposts), repost: reposts },
            external_shares: platforms,
            engagement_rate,
            viral_score,
            label,
            series: days,
        })
    }
}
