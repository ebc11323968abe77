//! Shares and reposts of posts.

use super::{
    Act, RateLimits, Settings,
    cursor::{List, page_limit},
    feeds::{Page, fill},
    policy,
    posts::visible_post,
    text::Text,
};
use crate::store::{
    Actor, Reader, Stores,
    posts::Posts,
    shares::{NewShare, ShareQuery, ShareRules, Shares as Store, Unshare},
};
use communiconnect_protocol::{
    ErrorBody, ShareAdd, ShareAdded, ShareId, ShareKind, ShareList, ShareRemove, ShareRemoved, Shares,
};
use std::sync::Arc;

/// Shares and reposts.
pub struct ShareService {
    store: Arc<dyn Store>,
    posts: Arc<dyn Posts>,
    settings: Arc<Settings>,
    rates: Arc<RateLimits>,
}

impl ShareService {
    pub(super) fn new(stores: &Stores, settings: &Arc<Settings>, rates: &Arc<RateLimits>) -> Self {
        Self {
            store: stores.shares.clone(),
            posts: stores.posts.clone(),
            settings: settings.clone(),
            rates: rates.clone(),
        }
    }

    /// Shares a post, or reposts it with a comment; the actor has one of each.
    ///
    /// # Errors
    /// `invalid` comment, `not_found` post, `rate_limited`.
    pub async fn add(&self, actor: Actor, body: ShareAdd, at: i64) -> Result<ShareAdded, ErrorBody> {
        let ShareAdd { post_id, kind, comment } = body;
        let comment = self.comment(kind, comment.as_deref())?;
        self.rates.count(actor.user, Act::Share, None, at)?;
        let new = NewShare { post_id, kind, comment, at };
        let rules = ShareRules { may: Box::new(policy::read_post), hears: policy::hears };
        let outcome = self.store.add(actor, new, rules).await?;
        Ok(ShareAdded { share: outcome.share, changed: outcome.changed, shares: outcome.shares })
    }

    /// Takes the actor's share or repost back.
    ///
    /// # Errors
    /// `not_found` post, `rate_limited`.
    pub async fn remove(&self, actor: Actor, body: ShareRemove, at: i64) -> Result<ShareRemoved, ErrorBody> {
        let ShareRemove { post_id, kind } = body;
        self.rates.count(actor.user, Act::Share, None, at)?;
        let gone = Unshare { post_id, kind, at };
        let outcome = self.store.remove(actor, gone, Box::new(policy::read_post)).await?;
        Ok(ShareRemoved { changed: outcome.changed, shares: outcome.shares })
    }

    /// Who shared a post, newest first; those whom a block hides from the reader are left out.
    ///
    /// # Errors
    /// `not_found` post, `invalid` cursor.
    pub async fn list(&self, reader: Reader, body: ShareList) -> Result<Shares, ErrorBody> {
        let post_id = body.post_id;
        let before = List::Shares.id(body.cursor.as_deref())?.map(ShareId::from_bytes);
        visible_post(&*self.posts, reader, post_id).await?;
        let Page { items, ended_at } = fill(page_limit(None), before, |before, limit| async move {
            let found = self.store.list(reader, ShareQuery { post_id, before, limit }).await?;
            let judged = found
                .into_iter()
                .map(|view| (view.share.id, policy::sees_share(view.relation).then_some(view.share)));
            Ok(judged.collect())
        })
        .await?;
        let cursor = ended_at.map(|id| List::Shares.cursor(id.as_bytes()));
        Ok(Shares { shares: items, cursor })
    }

    /// The comment as it is kept: a repost needs one, and an empty one of a share is none.
    fn comment(&self, kind: ShareKind, raw: Option<&str>) -> Result<Option<String>, ErrorBody> {
        let raw = raw.filter(|raw| kind == ShareKind::Repost || !raw.is_empty());
        if raw.is_none() && kind == ShareKind::Repost {
            return Err(ErrorBody::invalid(
                "comment",
                "`comment` is missing: a repost says something; use the kind `share` to share without words",
            ));
        }
        raw.map(|raw| Text { field: "comment", raw, max: self.settings.share_chars }.check()).transpose()
    }
}
