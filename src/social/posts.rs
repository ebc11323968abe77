//! Posts: writing, editing, deleting, reading, viewing, and their counts.

use super::{
    Act, RateLimits, Settings,
    cursor::PAGE_MAX,
    op::op_of,
    policy::{self, Touched},
    text::Text,
};
use crate::store::{
    Actor, PostFacts, Reader, Stores,
    posts::{NewPost, PostChange, PostRules, Posts as Store, View, Viewer},
};
use communiconnect_protocol::{
    Changed, Code, Counted, Data, ErrorBody, MediaId, PostCounts, PostCountsState, PostCreate, PostCreated,
    PostEdit, PostId, PostReply, PostStates, StateItem, Visibility, event,
};
use std::sync::Arc;

/// Most media of a post.
const MEDIA_MAX: usize = 5;

/// Posts, views and counts.
pub struct PostService {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    rates: Arc<RateLimits>,
}

impl PostService {
    pub(super) fn new(stores: &Stores, settings: &Arc<Settings>, rates: &Arc<RateLimits>) -> Self {
        Self { store: stores.posts.clone(), settings: settings.clone(), rates: rates.clone() }
    }

    /// Writes a post.
    ///
    /// # Errors
    /// `invalid` fields, `limit_exceeded` media, `not_found` community, `forbidden` for who is no member,
    /// `rate_limited`, `conflict`.
    pub async fn create(&self, actor: Actor, body: PostCreate, at: i64) -> Result<PostCreated, ErrorBody> {
        let op = op_of("post.create", &body.op, &body)?;
        let media = media_ids(&body.media_ids)?;
        if body.anonymous && body.visibility != Visibility::Public {
            return Err(ErrorBody::invalid("visibility", "an anonymous post is `public` only"));
        }
        let new = NewPost {
            community_id: body.community_id,
            kind: body.kind,
            title: body.title.map(|title| self.title(&title)).transpose()?.flatten(),
            content: match body.content.as_str() {
                "" if !media.is_empty() => String::new(),
                content => self.content(content)?,
            },
            media,
            visibility: body.visibility,
            anonymous: body.anonymous,
            at,
        };
        self.rates.count(actor.user, Act::Post, Some(&op.id), at)?;
        let (post, position) = self
            .store
            .create(
                actor,
                op,
                new,
                PostRules { may: Box::new(policy::post_into), attaches: policy::attaches },
            )
            .await?;
        Ok(PostCreated { post, position })
    }

    /// Edits a post.
    ///
    /// # Errors
    /// `invalid` fields, `not_found`, `forbidden` for others than the author, `window_closed`, `conflict` where another
    /// edit was first.
    pub async fn edit(&self, actor: Actor, body: PostEdit, at: i64) -> Result<PostReply, ErrorBody> {
        if body.title.is_none() && body.content.is_none() && body.kind.is_none() {
            return Err(ErrorBody::invalid(
                "content",
                "nothing to change: give `title`, `content` or `kind`",
            ));
        }
        let touched = Touched {
            kind: body.kind.is_some(),
            takes_title: body.title.as_deref().is_some_and(str::is_empty),
        };
        let change = PostChange {
            post_id: body.post_id,
            version: body.version,
            title: body.title.map(|title| self.title(&title)).transpose()?,
            content: body.content.map(|content| self.content(&content)).transpose()?,
            kind: body.kind,
            at,
        };
        let window_ms = self.settings.edit_window_ms;
        let rule = Box::new(move |post: &PostFacts| {
            policy::edit_post(post, at, window_ms)?;
            policy::keep_live_post(post, touched)
        });
        Ok(PostReply { post: self.store.edit(actor, change, rule).await? })
    }

    /// Deletes a post with all that hangs on it.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for others than its author and moderators.
    pub async fn delete(&self, actor: Actor, id: PostId, at: i64) -> Result<Changed, ErrorBody> {
        let rule = Box::new(move |post: &PostFacts| policy::delete_post(actor.into(), post));
        self.store.delete(actor, id, at, rule).await?;
        Ok(Changed { changed: true })
    }

    /// One post.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get(&self, reader: Reader, id: PostId) -> Result<PostReply, ErrorBody> {
        let view = self.store.get(reader, id).await?.ok_or_else(|| policy::not_found("post"))?;
        policy::read_post(&view.facts)?;
        Ok(PostReply { post: view.post })
    }

    /// Counts a view: one per person, or per session of a guest, within the window. Without a viewer (a guest without a
    /// session) nothing is counted.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn view(
        &self,
        reader: Reader,
        viewer: Option<Viewer>,
        post_id: PostId,
        at: i64,
    ) -> Result<Counted, ErrorBody> {
        let Some(viewer) = viewer else {
            self.facts(reader, post_id).await?;
            return Ok(Counted { counted: false });
        };
        let view = View { post_id, viewer, window_ms: self.settings.view_window_ms, at };
        Ok(Counted { counted: self.store.view(reader, view, Box::new(policy::read_post)).await? })
    }

    /// Present counts of the posts that the reader may see; others are left out.
    ///
    /// # Errors
    /// `limit_exceeded` for more than 100.
    pub async fn counts(&self, reader: Reader, ids: Vec<PostId>) -> Result<PostStates, ErrorBody> {
        let max = PAGE_MAX as usize;
        if ids.len() > max {
            return Err(too_many("post_ids", ids.len(), max));
        }
        let found = self.store.counts(reader, ids).await?;
        let visible = found.into_iter().filter(|(_, facts)| policy::sees_post(facts));
        let states =
            visible.map(|(counts, facts)| counts_state(PostCountsState { post_id: facts.id, counts }));
        Ok(PostStates { states: states.collect() })
    }

    async fn facts(&self, reader: Reader, id: PostId) -> Result<PostFacts, ErrorBody> {
        visible_post(&*self.store, reader, id).await.map(|(_, facts)| facts)
    }

    /// No title is one that is empty; a blank one is a mistake.
    fn title(&self, raw: &str) -> Result<Option<String>, ErrorBody> {
        if raw.is_empty() {
            return Ok(None);
        }
        Text { field: "title", raw, max: self.settings.title_chars }.check().map(Some)
    }

    fn content(&self, raw: &str) -> Result<String, ErrorBody> {
        Text { field: "content", raw, max: self.settings.content_chars }.check()
    }
}

/// The state of a post's counts, as pushes have it.
pub(super) fn counts_state(counts: PostCountsState) -> StateItem {
    StateItem {
        event: event::POST_COUNTS.into(),
        key: counts.post_id.to_string(),
        version: counts.counts.version,
        data: Data::of(&counts),
    }
}

/// The counts and facts of one post that the reader may see.
pub(super) async fn visible_post(
    store: &dyn Store,
    reader: Reader,
    id: PostId,
) -> Result<(PostCounts, PostFacts), ErrorBody> {
    let found = store.counts(reader, vec![id]).await?.into_iter().next();
    let (counts, facts) = found.ok_or_else(|| policy::not_found("post"))?;
    policy::read_post(&facts)?;
    Ok((counts, facts))
}

/// A list over its maximum.
pub(super) fn too_many(field: &str, len: usize, max: usize) -> ErrorBody {
    let mut refusal =
        ErrorBody::new(Code::LimitExceeded, format!("`{field}` has {len} items: {max} at most"));
    refusal.field = Some(field.into());
    refusal
}

/// At most five; what is no id of ours names nothing, and is refused with the others by the store.
fn media_ids(ids: &[String]) -> Result<Vec<MediaId>, ErrorBody> {
    if ids.len() > MEDIA_MAX {
        return Err(too_many("media_ids", ids.len(), MEDIA_MAX));
    }
    let unknown: Vec<String> =
        ids.iter().filter(|id| is_no_id(id)).map(|id| id.chars().take(36).collect()).collect();
    if unknown.is_empty() {
        return Ok(ids.iter().filter_map(|id| id.parse().ok()).collect());
    }
    // The ids are the client's own text: shortened, lest the refusal be larger than the command.
    Err(ErrorBody::invalid("media_ids", format!("no such media of yours: {}", unknown.join(", "))))
}

fn is_no_id(text: &str) -> bool {
    text.parse::<MediaId>().is_ok_and(|id| id == MediaId::NOTHING)
}
