//! Uploads: who may make, read and delete them, and what becomes of those that hang nowhere.

use super::{Act, RateLimits, policy, text::Text};
use crate::{
    clock::now_ms,
    media::{Incoming, Library, Stored},
    store::{
        Actor, MediaFacts, Reader, Stores,
        media::{Media as Store, NewMedia},
    },
    tasks::Tasks,
};
use communiconnect_protocol::{ErrorBody, Media, MediaId, MediaPurpose};
use std::{sync::Arc, time::Duration};

/// One of 256 drawers is looked through at a time: all of them once in four hours.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Unused uploads forgotten in one transaction.
const FORGOTTEN: usize = 100;

/// Uploaded pictures.
pub struct MediaService {
    store: Arc<dyn Store>,
    library: Library,
    rates: Arc<RateLimits>,
    alt_chars: usize,
}

/// An upload as its maker describes it.
pub struct Upload {
    /// Its bytes.
    pub incoming: Incoming,
    /// What it is for.
    pub purpose: MediaPurpose,
    /// What it shows; empty is nothing.
    pub alt: String,
}

/// Bytes for a reader.
pub struct Served {
    /// The bytes.
    pub stored: Stored,
    /// Whether everybody may read them: others must not be kept by caches between.
    pub is_public: bool,
}

impl MediaService {
    /// Uploads on this store and these files.
    pub fn new(stores: &Stores, library: Library, rates: &Arc<RateLimits>, alt_chars: usize) -> Self {
        Self { store: stores.media.clone(), library, rates: rates.clone(), alt_chars }
    }

    /// Where bytes are.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Counts an upload and makes room for it.
    ///
    /// # Errors
    /// `rate_limited`, `unavailable`.
    pub async fn begin(&self, actor: Actor, at: i64) -> Result<Incoming, ErrorBody> {
        self.rates.count(actor.user, Act::Upload, None, at)?;
        self.library.receive().await
    }

    /// Checks an upload and keeps it; when this answers, it survives whatever happens to the process.
    ///
    /// # Errors
    /// `invalid` fields, `unsupported_type`, `too_large`, `limit_exceeded`, `unavailable`.
    pub async fn finish(&self, actor: Actor, upload: Upload, at: i64) -> Result<Media, ErrorBody> {
        let Upload { incoming, purpose, alt } = upload;
        let alt = match alt.as_str() {
            "" => None,
            raw => Some(Text { field: "alt", raw, max: self.alt_chars }.check()?),
        };
        let kept = self.library.keep(incoming, purpose, at).await?;
        let shape = Media { alt, ..kept };
        let new = NewMedia { owner: actor.user, purpose, shape: shape.clone(), at };
        // Where its outcome is unknown the bytes stay: without a row they are swept.
        self.store.add(new).await?;
        Ok(shape)
    }

    /// What others may know of one.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get(&self, reader: Reader, id: MediaId) -> Result<Media, ErrorBody> {
        self.view(reader, id).await.map(|(shape, _)| shape)
    }

    /// The bytes of a variant.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn open(&self, reader: Reader, id: MediaId, variant: &str) -> Result<Served, ErrorBody> {
        let (_, facts) = self.view(reader, id).await?;
        let found = self.library.stored(id, variant).await?;
        let stored = found.ok_or_else(|| policy::not_found("media"))?;
        Ok(Served { stored, is_public: policy::is_public_media(&facts) })
    }

    /// Deletes one that hangs nowhere.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for others than its owner, `conflict` where it hangs on a post or is a photo.
    pub async fn delete(&self, actor: Actor, id: MediaId) -> Result<(), ErrorBody> {
        self.store.remove(actor, id, Box::new(policy::delete_media)).await?;
        self.library.discard(id).await;
        Ok(())
    }

    async fn view(&self, reader: Reader, id: MediaId) -> Result<(Media, MediaFacts), ErrorBody> {
        let found = self.store.get(reader, id).await?.ok_or_else(|| policy::not_found("media"))?;
        policy::read_media(&found.facts)?;
        Ok((found.shape, found.facts))
    }

    /// Starts the task that removes what broke off or is not used; it ends when the process begins to stop.
    pub fn keep_house(self: &Arc<Self>, tasks: &Tasks) {
        let (media, stop) = (self.clone(), tasks.clone());
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            for drawer in (0..=u8::MAX).cycle() {
                tokio::select! {
                    () = stop.stopping() => return,
                    _ = ticks.tick() => {}
                }
                media.sweep(drawer).await;
            }
        });
    }

    async fn sweep(&self, drawer: u8) {
        let unused = i64::try_from(self.library.settings().unused.as_millis()).unwrap_or(i64::MAX);
        let before = now_ms().saturating_sub(unused);
        if let Err(error) = self.store.forget_unused(before, FORGOTTEN).await {
            tracing::warn!(%error, "unused uploads could not be forgotten; they are next time");
            return;
        }
        let ids = match self.library.sweep(drawer).await {
            Ok(ids) => ids,
            Err(error) => {
                tracing::warn!(%error, "the folder of media could not be swept; it is next time");
                return;
            }
        };
        // Only where the store says so: bytes whose row could not be read stay.
        let Ok(known) = self.store.known(ids.clone()).await else { return };
        for id in ids.into_iter().filter(|id| !known.contains(id)) {
            self.library.discard(id).await;
        }
    }
}
