//! A store with people in it, and a clock that moves only when told.

use crate::{
    publication::{Committed, Publication, State},
    store::{
        Actor, HeardFacts, Op, Reader, Result, Rule, Stores,
        accounts::NewAccount,
        comments::{CommentRules, NewComment, NewCommentFacts},
        communities::{Membership, NewCommunity},
        people::Target,
        posts::{NewPost, PostRules},
        reactions::{ReactionOutcome, ReactionTarget, Wish},
        shares::{NewShare, ShareOutcome, ShareRules, Unshare, UnshareOutcome},
    },
};
use communiconnect_protocol::{
    Channel, Comment, CommentId, Community, CommunityId, Post, PostId, PostKind, ReactionKind, Role,
    ShareKind, Visibility,
};
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};
use tokio::sync::{Mutex, mpsc};

/// The bounds that stories are sensitive to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Publications kept per channel.
    pub(crate) keep_count: u64,
    /// Milliseconds for which publications are kept.
    pub(crate) keep_ms: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { keep_count: 10_000, keep_ms: 1_000_000_000 }
    }
}

/// Where the data of one story lies. Opening it again finds what was written before.
#[async_trait::async_trait]
pub(crate) trait Backend: Send + Sync {
    async fn open(&self, bounds: Bounds, committed: mpsc::Sender<Committed>) -> Stores;
}

/// A store with its publications.
pub(crate) struct World {
    pub(crate) stores: Stores,
    backend: Arc<dyn Backend>,
    committed: Mutex<mpsc::Receiver<Committed>>,
    now: AtomicI64,
    ops: AtomicU64,
}

/// More group commits than any story makes before it looks.
const COMMITS: usize = 100_000;

impl World {
    pub(crate) async fn open(backend: Arc<dyn Backend>) -> Self {
        Self::bounded(backend, Bounds::default()).await
    }

    async fn bounded(backend: Arc<dyn Backend>, bounds: Bounds) -> Self {
        let (sender, committed) = mpsc::channel(COMMITS);
        let stores = backend.open(bounds, sender).await;
        let committed = Mutex::new(committed);
        Self { stores, backend, committed, now: AtomicI64::new(1_700_000_000_000), ops: AtomicU64::new(1) }
    }

    /// Closes the store and opens it again, with these bounds.
    pub(crate) async fn reopened(self, bounds: Bounds) -> Self {
        let Self { stores, backend, now, ops, .. } = self;
        drop(stores);
        Self { now, ops, ..Self::bounded(backend, bounds).await }
    }

    pub(crate) fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// An operation that was never sent before.
    pub(crate) fn op(&self) -> Op {
        op(&format!("op-{}", self.ops.fetch_add(1, Ordering::Relaxed)))
    }

    /// Everything told since the last look, in order.
    pub(crate) async fn told(&self) -> Told {
        let mut told = Told::default();
        let mut committed = self.committed.lock().await;
        while let Ok(commit) = committed.try_recv() {
            told.publications.extend(commit.publications);
            told.states.extend(commit.states);
        }
        told
    }

    pub(crate) async fn person(&self, name: &str) -> Actor {
        let account = NewAccount {
            username: name.into(),
            email: format!("{name}@example.org"),
            name: name.into(),
            password_hash: "-".into(),
            at: self.now(),
        };
        let user = self.stores.accounts.register(account).await.expect("a free name");
        Actor { user: user.id, role: Role::User }
    }

    pub(crate) async fn community(&self, by: Actor, name: &str, parent_id: Option<CommunityId>) -> Community {
        let new = NewCommunity { name: name.into(), parent_id, at: self.now() };
        self.stores.communities.create(by, self.op(), new, yes()).await.expect("a community")
    }

    pub(crate) async fn join(&self, who: Actor, community_id: CommunityId) -> bool {
        let membership = Membership { community_id, on: true, at: self.now() };
        self.stores.communities.set_member(who, membership).await.expect("joined")
    }

    pub(crate) async fn follow(&self, who: Actor, whom: Actor) {
        let target = Target { user: whom.user, on: true, at: self.now() };
        self.stores.people.set_follow(who, target, yes(), all_ears).await.expect("followed");
    }

    pub(crate) async fn block(&self, who: Actor, whom: Actor) {
        let target = Target { user: whom.user, on: true, at: self.now() };
        self.stores.people.set_block(who, target, all_ears).await.expect("blocked");
    }

    /// A named public post.
    pub(crate) async fn post(&self, by: Actor, community: CommunityId) -> Post {
        let new = self.draft(community, "hello");
        self.stores.posts.create(by, self.op(), new, PostRules::bare(yes())).await.expect("posted").0
    }

    pub(crate) fn draft(&self, community_id: CommunityId, content: &str) -> NewPost {
        NewPost {
            community_id,
            kind: PostKind::Info,
            title: None,
            content: content.into(),
            media: Vec::new(),
            visibility: Visibility::Public,
            anonymous: false,
            at: self.now(),
        }
    }

    pub(crate) async fn comment(&self, by: Actor, post_id: PostId, parent_id: Option<CommentId>) -> Comment {
        let new = self.remark(post_id, parent_id, "well said");
        self.stores.comments.add(by, self.op(), new, rules(yes())).await.expect("commented").0
    }

    pub(crate) fn remark(&self, post_id: PostId, parent_id: Option<CommentId>, content: &str) -> NewComment {
        NewComment { post_id, parent_id, content: content.into(), anonymous: false, at: self.now() }
    }

    pub(crate) async fn react(
        &self,
        by: Actor,
        post: PostId,
        kind: Option<ReactionKind>,
    ) -> Result<ReactionOutcome> {
        let wish = Wish { kind, at: self.now() };
        self.stores.reactions.set(by, ReactionTarget::Post(post, yes()), wish, all_ears).await
    }

    pub(crate) async fn react_to_comment(
        &self,
        by: Actor,
        comment: CommentId,
        kind: Option<ReactionKind>,
    ) -> Result<ReactionOutcome> {
        let wish = Wish { kind, at: self.now() };
        self.stores.reactions.set(by, ReactionTarget::Comment(comment, yes()), wish, all_ears).await
    }

    /// A share without words, or a repost with some.
    pub(crate) async fn share(&self, by: Actor, post_id: PostId, kind: ShareKind) -> Result<ShareOutcome> {
        let comment = (kind == ShareKind::Repost).then(|| "read this".into());
        let new = NewShare { post_id, kind, comment, at: self.now() };
        self.stores.shares.add(by, new, ShareRules { may: yes(), hears: all_ears }).await
    }

    pub(crate) async fn unshare(
        &self,
        by: Actor,
        post_id: PostId,
        kind: ShareKind,
    ) -> Result<UnshareOutcome> {
        self.stores.shares.remove(by, Unshare { post_id, kind, at: self.now() }, yes()).await
    }

    pub(crate) async fn read_post(&self, reader: impl Into<Reader>, id: PostId) -> Option<Post> {
        self.stores.posts.get(reader.into(), id).await.expect("read").map(|view| view.post)
    }
}

/// What the store told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) publications: Vec<Publication>,
    pub(crate) states: Vec<State>,
}

impl Told {
    /// Events of one channel.
    pub(crate) fn of(&self, channel: &Channel) -> Vec<&Publication> {
        self.publications.iter().filter(|publication| publication.channel == *channel).collect()
    }

    /// Where an event went.
    pub(crate) fn channels_of(&self, event: &str) -> Vec<Channel> {
        let told = self.publications.iter().filter(|publication| *publication.event == *event);
        told.map(|publication| publication.channel.clone()).collect()
    }

    pub(crate) fn events(&self) -> Vec<&str> {
        self.publications.iter().map(|publication| &*publication.event).collect()
    }
}

/// A rule that agrees.
pub(crate) fn yes<F>() -> Rule<F> {
    Box::new(|_| Ok(()))
}

/// Hears of others, but not across a block: as much as stories of the store need.
pub(crate) fn all_ears(heard: &HeardFacts) -> bool {
    let is_seen = heard.post.is_none_or(|post| post.relation.is_self || !post.relation.blocked);
    let is_unheard = heard.actor.is_self || heard.named && heard.actor.blocked;
    is_seen && !is_unheard
}

/// Judged by this rule, and heard of by all.
pub(crate) fn rules(may: Rule<NewCommentFacts>) -> CommentRules {
    CommentRules { may, hears: all_ears }
}

/// A rule that refuses.
pub(crate) fn no<F>() -> Rule<F> {
    Box::new(|_| Err(refusal()))
}

pub(crate) fn refusal() -> communiconnect_protocol::ErrorBody {
    communiconnect_protocol::ErrorBody::new(communiconnect_protocol::Code::Forbidden, "not here")
}

/// An operation by name.
pub(crate) fn op(id: &str) -> Op {
    Op { id: id.into(), digest: [1; 32] }
}

/// A reader without a name.
pub(crate) const GUEST: Reader = Reader { user: None, role: Role::User };
