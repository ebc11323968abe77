//! Comments and replies on SQLite.

mod add;
mod counts;
mod edit;
mod remove;
mod view;

#[cfg(test)]
pub(super) use counts::NEWEST as NEWEST_COUNTS;
pub(super) use counts::{CommentMove, of, shift};

use super::{
    SqlStore,
    ahead::{Act, OfPost, Wants},
};
use crate::store::{
    Actor, CommentFacts, Op, Reader, Result, Rule,
    comments::{CommentChange, CommentQuery, CommentRules, CommentView, Comments, NewComment},
};
use communiconnect_protocol::{
    Channel, ChannelPosition, Comment, CommentCounts, CommentId, Position, PostId,
};

#[async_trait::async_trait]
impl Comments for SqlStore {
    async fn add(
        &self,
        actor: Actor,
        op: Op,
        new: NewComment,
        rules: CommentRules,
    ) -> Result<(Comment, ChannelPosition)> {
        let channel = Channel::Post(new.post_id);
        let wants = OfPost { actor, post: new.post_id, act: Act::Comment(op.id.clone()) };
        let (comment, offset) = self
            .write_wanting(Wants::Post(wants), move |tx| {
                tx.once(actor.user, &op, new.at, |tx| add::add(tx, actor, &op.id, new, rules))
            })
            .await?;
        let position = Position { epoch: self.epoch.to_string(), offset };
        Ok((comment, ChannelPosition { channel, position }))
    }

    async fn edit(&self, actor: Actor, change: CommentChange, rule: Rule<CommentFacts>) -> Result<Comment> {
        self.write(move |tx| edit::edit(tx, actor, &change, rule)).await
    }

    async fn delete(&self, actor: Actor, id: CommentId, at: i64, rule: Rule<CommentFacts>) -> Result<u64> {
        self.write(move |tx| remove::delete(tx, actor, id, at, rule)).await
    }

    async fn get(&self, reader: Reader, id: CommentId) -> Result<Option<CommentView>> {
        self.read(move |connection| view::view(connection, &reader, id)).await
    }

    async fn list(&self, reader: Reader, query: CommentQuery) -> Result<Vec<CommentView>> {
        self.read(move |connection| view::list(connection, &reader, &query)).await
    }

    async fn counts(
        &self,
        reader: Reader,
        post: PostId,
        limit: usize,
    ) -> Result<Vec<(CommentFacts, CommentCounts)>> {
        self.read(move |connection| counts::newest(connection, &reader, post, limit)).await
    }
}
