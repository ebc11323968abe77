//! Posts, their views and feeds on SQLite.

mod change;
mod counts;
mod create;
mod feed;
mod remove;
mod view;
mod views;

pub(super) use counts::{Move, POST_COUNTS, counts_at, of, post_count_columns, reaction_steps, shift};
pub(super) use create::{PostDraft, create};
pub(super) use views::sweep;

use super::{
    SqlStore, Tx,
    ahead::{Act, OfPost, Wants},
};
use crate::store::{
    Actor, Op, PostFacts, Reader, Result, Rule,
    posts::{FeedQuery, NewPost, PostChange, PostRules, PostView, Posts, View},
};
use communiconnect_protocol::{ChannelPosition, Position, Post, PostCounts, PostId};

#[async_trait::async_trait]
impl Posts for SqlStore {
    async fn create(
        &self,
        actor: Actor,
        op: Op,
        new: NewPost,
        rules: PostRules,
    ) -> Result<(Post, ChannelPosition)> {
        let (post, channel, offset) = self
            .write(move |tx| {
                let at = new.at;
                let draft = PostDraft { new, live_id: None };
                tx.once(actor.user, &op, at, |tx| create(tx, actor, &op.id, draft, rules))
            })
            .await?;
        let position = Position { epoch: self.epoch.to_string(), offset };
        Ok((post, ChannelPosition { channel, position }))
    }

    async fn edit(&self, actor: Actor, change: PostChange, rule: Rule<PostFacts>) -> Result<Post> {
        self.write(move |tx| change::edit(tx, actor, change, rule)).await
    }

    async fn delete(&self, actor: Actor, id: PostId, at: i64, rule: Rule<PostFacts>) -> Result<()> {
        self.write(move |tx| remove::delete(tx, actor, id, at, rule)).await
    }

    async fn get(&self, reader: Reader, id: PostId) -> Result<Option<PostView>> {
        self.read(move |connection| view::view(connection, &reader, id)).await
    }

    async fn counts(&self, reader: Reader, ids: Vec<PostId>) -> Result<Vec<(PostCounts, PostFacts)>> {
        self.read(move |connection| counts::many(connection, &reader, &ids)).await
    }

    async fn view(&self, reader: Reader, view: View, rule: Rule<PostFacts>) -> Result<bool> {
        let wants = reader.user.map(|user| {
            let actor = Actor { user, role: reader.role };
            Wants::Post(OfPost { actor, post: view.post_id, act: Act::View })
        });
        let work = move |tx: &mut Tx<'_>| {
            let post = tx.post(&reader, view.post_id)?;
            rule(&post.facts)?;
            views::count(tx, &post, view)
        };
        match wants {
            Some(wants) => self.write_wanting_far(wants, work).await,
            // Guests are no rows of people.
            None => self.write(work).await,
        }
    }

    async fn sweep(&self) -> Result<usize> {
        self.sweep_leftovers().await
    }

    async fn feed(&self, reader: Reader, query: FeedQuery) -> Result<Vec<PostView>> {
        self.read(move |connection| {
            let found = feed::candidates(connection, &reader, &query)?;
            view::views(connection, &reader, &found)
        })
        .await
    }
}
