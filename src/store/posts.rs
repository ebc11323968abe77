//! Posts, their views and feeds.

use super::{Actor, CommunityFacts, Judge, MediaFacts, Op, PostFacts, Reader, Result, Rule};
use communiconnect_protocol::{
    ChannelPosition, CommunityId, MediaId, Post, PostCounts, PostId, PostKind, SessionId, UserId, Visibility,
};

/// A post to be written; texts are checked and normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPost {
    /// Where.
    pub community_id: CommunityId,
    /// About what.
    pub kind: PostKind,
    /// The title.
    pub title: Option<String>,
    /// The content.
    pub content: String,
    /// Its media, in the order that they are shown.
    pub media: Vec<MediaId>,
    /// Who may read it.
    pub visibility: Visibility,
    /// Whether the author stays unnamed.
    pub anonymous: bool,
    /// When.
    pub at: i64,
}

/// What judges a new post.
pub struct PostRules {
    /// Whether the author may post there.
    pub may: Rule<CommunityFacts>,
    /// Whether an upload may hang on it; of several that may not, all are named.
    pub attaches: Judge<MediaFacts>,
}

impl PostRules {
    /// For a post that has no media.
    pub fn bare(may: Rule<CommunityFacts>) -> Self {
        Self { may, attaches: |_| false }
    }
}

/// What an edit changes; what is none stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostChange {
    /// Which.
    pub post_id: PostId,
    /// The version that was edited.
    pub version: u64,
    /// A new title; `Some(None)` removes it.
    pub title: Option<Option<String>>,
    /// A new content.
    pub content: Option<String>,
    /// A new kind.
    pub kind: Option<PostKind>,
    /// When.
    pub at: i64,
}

/// A post with what the policy needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct PostView {
    /// The post with `my` for the reader.
    pub post: Post,
    /// Facts for the policy.
    pub facts: PostFacts,
}

/// Which posts, before the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedScope {
    /// Of a community and below it.
    Community(CommunityId),
    /// Named posts of a person; anonymous ones too where they are the reader.
    Author(UserId),
    /// Of communities that the reader has joined and below them, and named ones of people that the reader follows.
    Home,
}

/// A page of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedQuery {
    /// Which posts.
    pub scope: FeedScope,
    /// Only of this kind.
    pub kind: Option<PostKind>,
    /// Whether only posts of running lives.
    pub live: OnlyLive,
    /// The last one of the page before.
    pub before: Option<PostId>,
    /// At most so many candidates.
    pub limit: usize,
}

/// Whether a feed is asked for running lives alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnlyLive {
    /// Everything.
    #[default]
    No,
    /// Posts of lives that have not ended.
    Yes,
}

/// Who saw a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A person.
    Person(UserId),
    /// A guest, known by the session.
    Guest(SessionId),
}

/// That a post was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Which post.
    pub post_id: PostId,
    /// By whom.
    pub viewer: Viewer,
    /// Another view of the same viewer within so many milliseconds does not count.
    pub window_ms: i64,
    /// When.
    pub at: i64,
}

/// Posts, views and feeds.
#[async_trait::async_trait]
pub trait Posts: Send + Sync {
    /// Writes a post and its publications; the position is that of the community's feed, or of the only channel it goes to.
    async fn create(
        &self,
        actor: Actor,
        op: Op,
        new: NewPost,
        rules: PostRules,
    ) -> Result<(Post, ChannelPosition)>;
    /// Edits a post; `Version` where another edit was first.
    async fn edit(&self, actor: Actor, change: PostChange, rule: Rule<PostFacts>) -> Result<Post>;
    /// Deletes a post with all that hangs on it, overwrites its log entries, and ends it in every channel. What hangs on it
    /// is gone for readers at once; rows beyond a bound are left to `sweep`.
    async fn delete(&self, actor: Actor, id: PostId, at: i64, rule: Rule<PostFacts>) -> Result<()>;
    /// Removes a bounded amount of what is left of deleted posts and comments; how much, 0 where nothing is left.
    async fn sweep(&self) -> Result<usize>;
    /// One post.
    async fn get(&self, reader: Reader, id: PostId) -> Result<Option<PostView>>;
    /// Several posts in the order asked; unknown ones are left out.
    async fn counts(&self, reader: Reader, ids: Vec<PostId>) -> Result<Vec<(PostCounts, PostFacts)>>;
    /// Counts a view; whether it counted.
    async fn view(&self, reader: Reader, view: View, rule: Rule<PostFacts>) -> Result<bool>;
    /// Candidates of a feed, newest first. The policy still has to judge each of them.
    async fn feed(&self, reader: Reader, query: FeedQuery) -> Result<Vec<PostView>>;
}
