//! Shares of posts to other platforms.

use super::{
    Act, RateLimits, Settings,
    deep_link::{Linked, deep_link},
    policy,
    posts::visible_post,
    text::Text,
};
use crate::store::{
    Actor, Reader, Stores,
    external_shares::{ExternalShareRules, ExternalShares as Store, LinkWords, NewExternalShare},
    posts::Posts,
};
use communiconnect_protocol::{
    ErrorBody, ExternalShareAdd, ExternalShareAdded, ExternalShareList, ExternalShares, Platform, PostId,
};
use std::sync::Arc;

/// Shares to other platforms.
pub struct ExternalShareService {
    store: Arc<dyn Store>,
    posts: Arc<dyn Posts>,
    settings: Arc<Settings>,
    rates: Arc<RateLimits>,
}

impl ExternalShareService {
    pub(super) fn new(stores: &Stores, settings: &Arc<Settings>, rates: &Arc<RateLimits>) -> Self {
        Self {
            store: stores.external_shares.clone(),
            posts: stores.posts.clone(),
            settings: settings.clone(),
            rates: rates.clone(),
        }
    }

    /// Notes that the actor shares a post to a platform, and answers the link that opens it. The same platform again answers the
    /// same share and link.
    ///
    /// # Errors
    /// `invalid` message, `not_found` post, `forbidden` for a post that not everybody may read, `rate_limited`.
    pub async fn add(
        &self,
        actor: Actor,
        body: ExternalShareAdd,
        at: i64,
    ) -> Result<ExternalShareAdded, ErrorBody> {
        let ExternalShareAdd { post_id, platform, message } = body;
        let message = message.filter(|message| !message.is_empty());
        let max = self.settings.share_chars;
        let message = message.map(|raw| Text { field: "message", raw: &raw, max }.check()).transpose()?;
        self.rates.count(actor.user, Act::Share, None, at)?;
        let new = NewExternalShare { post_id, platform, message, at };
        let rules = ExternalShareRules { may: Box::new(policy::share_outside), hears: policy::hears };
        let outcome = self.store.add(actor, new, rules).await?;
        let url = self.link(platform, post_id, &outcome.words);
        Ok(ExternalShareAdded { share: outcome.share, url, changed: outcome.changed, totals: outcome.totals })
    }

    /// The reader's own shares of a post to other platforms, and everybody's in numbers.
    ///
    /// # Errors
    /// `not_found` post.
    pub async fn list(&self, reader: Reader, body: ExternalShareList) -> Result<ExternalShares, ErrorBody> {
        visible_post(&*self.posts, reader, body.post_id).await?;
        let page = self.store.list(reader, body.post_id).await?;
        Ok(ExternalShares { shares: page.shares, totals: page.totals })
    }

    /// Never names the author, so that an anonymous post stays one.
    fn link(&self, platform: Platform, post: PostId, words: &LinkWords) -> String {
        let LinkWords { message, title, content } = words;
        let subject = title.as_deref().unwrap_or(content);
        let address = format!("{}/p/{post}", self.settings.public_address);
        let words = message.as_deref().unwrap_or(subject);
        deep_link(platform, Linked { words, subject, address: &address })
    }
}
