//! What the hub asks: who may read which channel, and what it shows at first.

use super::{policy, posts::counts_state};
use crate::{
    analytics,
    hub::Access,
    store::{Reader, Stores, lives::WhichLive},
};
use communiconnect_protocol::{
    Channel, CommentCountsState, CommunityId, Data, ErrorBody, LiveId, LiveViewersState, PostCountsState,
    PostId, Role, StateItem, UserId, event,
};

/// Comments whose counts a new subscriber of a post gets: those that a page shows.
const COMMENT_STATES: usize = 100;

/// Answers the hub from the store, by the policy.
pub struct SocialAccess {
    stores: Stores,
}

impl SocialAccess {
    /// On this store.
    pub fn new(stores: &Stores) -> Self {
        Self { stores: stores.clone() }
    }

    async fn post_states(&self, reader: Reader, post_id: PostId) -> Result<Vec<StateItem>, ErrorBody> {
        let found = self.stores.posts.counts(reader, vec![post_id]).await?;
        let visible = found.into_iter().filter(|(_, facts)| policy::sees_post(facts));
        let of_post = visible.map(|(counts, _)| counts_state(PostCountsState { post_id, counts }));
        let comments = self.stores.comments.counts(reader, post_id, COMMENT_STATES).await?;
        let visible = comments.into_iter().filter(|(facts, _)| policy::sees_comment(facts));
        let of_comments = visible.map(|(facts, counts)| StateItem {
            event: event::COMMENT_COUNTS.into(),
            key: facts.id.to_string(),
            version: counts.version,
            data: Data::of(&CommentCountsState { comment_id: facts.id, counts }),
        });
        Ok(of_post.chain(of_comments).collect())
    }

    async fn figures(&self, reader: Reader, post_id: PostId) -> Result<Vec<StateItem>, ErrorBody> {
        let found = self.stores.posts.counts(reader, vec![post_id]).await?;
        let own = found.into_iter().filter(|(_, facts)| policy::read_analytics(facts).is_ok());
        let states = own.map(|(counts, _)| {
            let figures = analytics::figures(PostCountsState { post_id, counts });
            StateItem {
                event: event::POST_FIGURES.into(),
                key: post_id.to_string(),
                version: figures.version,
                data: Data::of(&figures),
            }
        });
        Ok(states.collect())
    }

    async fn community_states(&self, id: CommunityId) -> Result<Vec<StateItem>, ErrorBody> {
        let found = self.stores.communities.counts(id).await?;
        let states = found.into_iter().map(|counts| StateItem {
            event: event::COMMUNITY_COUNTS.into(),
            key: id.to_string(),
            version: counts.version,
            data: Data::of(&counts),
        });
        Ok(states.collect())
    }

    async fn live_states(&self, live_id: LiveId) -> Result<Vec<StateItem>, ErrorBody> {
        let found = self.stores.lives.get(NOBODY, WhichLive::Id(live_id)).await?;
        let viewers = found.map(|found| {
            let state =
                LiveViewersState { live_id, version: found.viewers_version, viewers: found.live.viewers };
            StateItem {
                event: event::LIVE_VIEWERS.into(),
                key: live_id.to_string(),
                version: state.version,
                data: Data::of(&state),
            }
        });
        let slow_mode = self.stores.chat.slow_mode(live_id).await?.map(|state| StateItem {
            event: event::CHAT_SLOW_MODE.into(),
            key: live_id.to_string(),
            version: state.version,
            data: Data::of(&state),
        });
        Ok(viewers.into_iter().chain(slow_mode).collect())
    }
}

/// For what is asked of a thing rather than for a reader.
const NOBODY: Reader = Reader { user: None, role: Role::User };

#[async_trait::async_trait]
impl Access for SocialAccess {
    async fn may_read(&self, reader: &Reader, channel: &Channel) -> Result<(), ErrorBody> {
        let reader = *reader;
        match channel {
            Channel::Communities => Ok(()),
            Channel::Feed(id) => {
                let found = self.stores.communities.facts(reader, *id).await?;
                found.map(|_| ()).ok_or_else(|| policy::not_found("channel"))
            }
            Channel::Post(id) => {
                let found = self.stores.posts.counts(reader, vec![*id]).await?;
                let visible = found.first().is_some_and(|(_, facts)| policy::sees_post(facts));
                visible.then_some(()).ok_or_else(|| policy::not_found("channel"))
            }
            Channel::Author(id) => {
                let relation = self.stores.people.relation(reader, *id).await?;
                policy::read_author_channel(relation.ok_or_else(|| policy::not_found("channel"))?)
            }
            Channel::User(id) if reader.user == Some(*id) => Ok(()),
            Channel::AnalyticsPost(id) => {
                let found = self.stores.posts.counts(reader, vec![*id]).await?;
                let (_, facts) = found.first().ok_or_else(|| policy::not_found("channel"))?;
                policy::read_analytics(facts)
            }
            Channel::Live(id) => {
                let found = self.stores.lives.get(reader, WhichLive::Id(*id)).await?;
                policy::read_live_channel(&found.ok_or_else(|| policy::not_found("channel"))?.facts)
            }
            Channel::AnalyticsLive(id) => {
                let found = self.stores.lives.get(reader, WhichLive::Id(*id)).await?;
                policy::read_live_analytics(&found.ok_or_else(|| policy::not_found("channel"))?.facts)
            }
            Channel::User(_) | Channel::Test(_) => Err(policy::not_found("channel")),
        }
    }

    async fn states(&self, reader: &Reader, channel: &Channel) -> Result<Vec<StateItem>, ErrorBody> {
        match channel {
            Channel::Post(id) => self.post_states(*reader, *id).await,
            Channel::Feed(id) => self.community_states(*id).await,
            Channel::Live(id) => self.live_states(*id).await,
            Channel::AnalyticsPost(id) => self.figures(*reader, *id).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>, ErrorBody> {
        Ok(self.stores.people.blocked_with(user).await?)
    }

    async fn unnamed_in(&self, channel: &Channel) -> Result<Option<UserId>, ErrorBody> {
        let Channel::Post(id) = channel else { return Ok(None) };
        let found = self.stores.posts.counts(NOBODY, vec![*id]).await?;
        Ok(found.first().filter(|(_, facts)| facts.anonymous).map(|(_, facts)| facts.author))
    }
}
