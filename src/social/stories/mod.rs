//! Stories: what people experience through the services, on the real store in a folder of its own. Time is given.

mod access;
mod comments;
mod crowd;
mod feeds;
mod notifications;
mod people;
mod posts;
mod reactions;
mod visibility;

use super::{Settings, Social, SocialAccess, keep_house};
use crate::{
    config::Config,
    publication::{Committed, Publication},
    store::{
        Actor, Reader, Stores,
        accounts::Identity,
        communities::Membership,
        sql::{SqlSettings, SqlStore},
    },
};
use communiconnect_protocol::{
    BlockSet, Code, Comment, CommentAdd, CommentId, CommunityCreate, CommunityId, ErrorBody, FollowSet, Post,
    PostCreate, PostId, PostKind, Role, Visibility,
};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;

/// When every story begins.
const T: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;
const GUEST: Reader = Reader { user: None, role: Role::User };

/// A small world: the services on a store of their own.
struct World {
    social: Social,
    access: SocialAccess,
    stores: Stores,
    commits: Mutex<mpsc::Receiver<Committed>>,
    ops: AtomicU64,
    _folder: tempfile::TempDir,
}

impl World {
    /// Without rate limits, so that a story may be as busy as it likes.
    fn new() -> Self {
        Self::with(&[("limits.rates", "off")])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (committed, commits) = mpsc::channel(100_000);
        let store = SqlStore::in_folder(folder.path(), SqlSettings::default(), committed).expect("a store");
        let stores = Arc::new(store).stores();
        let config = Config::with(settings.iter().copied()).expect("valid settings");
        Self {
            social: Social::new(&stores, Settings::of(&config)),
            access: SocialAccess::new(&stores),
            stores,
            commits: Mutex::new(commits),
            ops: AtomicU64::new(0),
            _folder: folder,
        }
    }

    async fn person(&self, name: &str) -> Actor {
        self.person_as(name, Role::User).await
    }

    async fn person_as(&self, name: &str, role: Role) -> Actor {
        let identity = Identity {
            issuer: String::new(),
            subject: name.into(),
            name: Some(name.into()),
            role: Some(role),
            issued_at: None,
        };
        let user = self.stores.accounts.person(identity, T).await.expect("a person");
        Actor { user: user.id, role }
    }

    async fn community(&self, founder: Actor, parent_id: Option<CommunityId>) -> CommunityId {
        let op = self.op();
        let body = CommunityCreate { name: format!("Library {op}"), op, parent_id };
        self.social.communities.create(founder, body, T).await.expect("a community").community.id
    }

    async fn join(&self, actor: Actor, community_id: CommunityId) {
        let membership = Membership { community_id, on: true, at: T };
        self.social.communities.set_member(actor, membership).await.expect("joined");
    }

    async fn follow(&self, follower: Actor, author: Actor) {
        let body = FollowSet { user_id: author.user, on: true };
        self.social.people.follow(follower, body, T).await.expect("follows");
    }

    async fn block(&self, blocker: Actor, blocked: Actor) {
        let body = BlockSet { user_id: blocked.user, on: true };
        self.social.people.block(blocker, body, T).await.expect("blocks");
    }

    /// What was published about the thing with this id since this was last asked.
    fn told_about(&self, id: impl std::fmt::Display) -> Vec<Publication> {
        let id = id.to_string();
        let mut commits = self.commits.lock();
        let told = std::iter::from_fn(|| commits.try_recv().ok()).flat_map(|commit| commit.publications);
        told.filter(|entry| format!("{entry:?}").contains(&id)).collect()
    }

    /// An op that was never used.
    fn op(&self) -> String {
        format!("op-{}", self.ops.fetch_add(1, Ordering::Relaxed))
    }

    /// A public post to be changed at will.
    fn draft(&self, community_id: CommunityId) -> PostCreate {
        PostCreate {
            op: self.op(),
            community_id,
            kind: PostKind::Info,
            title: None,
            content: "Hello".into(),
            media_ids: Vec::new(),
            visibility: Visibility::Public,
            anonymous: false,
        }
    }

    async fn post(&self, author: Actor, draft: PostCreate) -> Post {
        self.social.posts.create(author, draft, T).await.expect("posted").post
    }

    /// A comment to be changed at will.
    fn remark(&self, post_id: PostId) -> CommentAdd {
        CommentAdd { op: self.op(), post_id, parent_id: None, content: "Well said".into(), anonymous: false }
    }

    async fn comment(&self, author: Actor, remark: CommentAdd) -> Comment {
        self.social.comments.add(author, remark, T).await.expect("commented").comment
    }

    async fn reply(&self, author: Actor, to: &Comment) -> Result<Comment, ErrorBody> {
        let remark = CommentAdd { parent_id: Some(to.id), ..self.remark(to.post_id) };
        Ok(self.social.comments.add(author, remark, T).await?.comment)
    }

    async fn listed(
        &self,
        reader: impl Into<Reader>,
        post: PostId,
        below: Option<CommentId>,
    ) -> Vec<Comment> {
        let body = communiconnect_protocol::CommentList {
            post_id: post,
            parent_id: below,
            cursor: None,
            limit: Some(100),
        };
        self.social.comments.list(reader.into(), body).await.expect("a page").comments
    }

    async fn read(&self, reader: impl Into<Reader>, post: PostId) -> Result<Post, ErrorBody> {
        Ok(self.social.posts.get(reader.into(), post).await?.post)
    }
}

/// The code of a refusal; panics where there was none.
#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ErrorBody>) -> Code {
    answer.expect_err("this is refused").code
}

/// Code and field of a refusal.
#[track_caller]
fn faulty<T: std::fmt::Debug>(answer: Result<T, ErrorBody>) -> (Code, String) {
    let refusal = answer.expect_err("this is refused");
    (refusal.code, refusal.field.unwrap_or_default())
}

#[tokio::test]
async fn housekeeping_ends_when_the_process_stops() {
    let world = World::new();
    let tasks = crate::tasks::Tasks::default();
    keep_house(&world.stores, &tasks);
    assert_eq!(tasks.stop(std::time::Duration::from_secs(30)).await, 0, "tasks still running");
}
