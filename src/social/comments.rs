//! Comments and replies.

use super::{
    Act, RateLimits, Settings,
    cursor::{List, page_limit},
    feeds::{Page, fill},
    op::op_of,
    policy,
    posts::visible_post,
    text::Text,
};
use crate::store::{
    Actor, CommentFacts, Reader, Stores,
    comments::{CommentChange, CommentQuery, CommentRules, Comments as Store, NewComment, NewCommentFacts},
    posts::Posts,
};
use communiconnect_protocol::{
    CommentAdd, CommentAdded, CommentEdit, CommentId, CommentList, CommentReply, Comments, ErrorBody, Removed,
};
use std::sync::Arc;

/// Comments and replies.
pub struct CommentService {
    store: Arc<dyn Store>,
    posts: Arc<dyn Posts>,
    settings: Arc<Settings>,
    rates: Arc<RateLimits>,
}

impl CommentService {
    pub(super) fn new(stores: &Stores, settings: &Arc<Settings>, rates: &Arc<RateLimits>) -> Self {
        Self {
            store: stores.comments.clone(),
            posts: stores.posts.clone(),
            settings: settings.clone(),
            rates: rates.clone(),
        }
    }

    /// Writes a comment or a reply.
    ///
    /// # Errors
    /// `invalid` fields, `not_found` post or parent, `limit_exceeded` for a reply too deep, `rate_limited`, `conflict`.
    pub async fn add(&self, actor: Actor, body: CommentAdd, at: i64) -> Result<CommentAdded, ErrorBody> {
        let op = op_of("comment.add", &body.op, &body)?;
        let content = self.content(&body.content)?;
        self.rates.count(actor.user, Act::Comment, Some(&op.id), at)?;
        let CommentAdd { post_id, parent_id, anonymous, .. } = body;
        let new = NewComment { post_id, parent_id, content, anonymous, at };
        let depth = self.settings.replies_depth;
        let may = Box::new(move |facts: &NewCommentFacts| {
            policy::comment_on(&facts.post, facts.parent.as_ref(), depth)
        });
        let rules = CommentRules { may, hears: policy::hears };
        let (comment, position) = self.store.add(actor, op, new, rules).await?;
        Ok(CommentAdded { comment, position })
    }

    /// Gives a comment another text.
    ///
    /// # Errors
    /// `invalid` content, `not_found`, `forbidden` for others than the author.
    pub async fn edit(&self, actor: Actor, body: CommentEdit, at: i64) -> Result<CommentReply, ErrorBody> {
        let content = self.content(&body.content)?;
        let change = CommentChange { comment_id: body.comment_id, content, at };
        Ok(CommentReply { comment: self.store.edit(actor, change, Box::new(policy::edit_comment)).await? })
    }

    /// Removes a comment with its replies.
    ///
    /// # Errors
    /// `not_found`, `forbidden` for others than its author and moderators.
    pub async fn delete(&self, actor: Actor, id: CommentId, at: i64) -> Result<Removed, ErrorBody> {
        let rule = Box::new(move |comment: &CommentFacts| policy::delete_comment(actor.into(), comment));
        Ok(Removed { removed: self.store.delete(actor, id, at, rule).await? })
    }

    /// Comments on a post or replies to a comment, oldest first.
    ///
    /// # Errors
    /// `not_found` post or parent, `invalid` cursor.
    pub async fn list(&self, reader: Reader, body: CommentList) -> Result<Comments, ErrorBody> {
        let limit = page_limit(body.limit);
        let after = List::Comments.id(body.cursor.as_deref())?.map(CommentId::from_bytes);
        let CommentList { post_id, parent_id, .. } = body;
        visible_post(&*self.posts, reader, post_id).await?;
        if let Some(parent) = parent_id {
            let found = self.store.get(reader, parent).await?.map(|view| view.facts);
            let facts = found.filter(|facts| facts.post.id == post_id);
            policy::read_comment(&facts.ok_or_else(|| policy::not_found("comment"))?)?;
        }
        let Page { items, ended_at } = fill(limit, after, |after, limit| async move {
            let query = CommentQuery { post_id, parent_id, after, limit };
            let found = self.store.list(reader, query).await?;
            let judged = found
                .into_iter()
                .map(|view| (view.facts.id, policy::sees_comment(&view.facts).then_some(view.comment)));
            Ok(judged.collect())
        })
        .await?;
        let cursor = ended_at.map(|id| List::Comments.cursor(id.as_bytes()));
        Ok(Comments { comments: items, cursor })
    }

    fn content(&self, raw: &str) -> Result<String, ErrorBody> {
        Text { field: "content", raw, max: self.settings.comment_chars }.check()
    }
}
