//! Who meets which post: every kind of reader against every kind of post, through every command that reads it.

use super::*;
use crate::{hub::Access, store::posts::Viewer};
use communiconnect_protocol::{Channel, CommentList, FeedList, PostEdit, ReactionKind, ReactionSet};

/// Everybody who may be told about a post of Ada's.
struct Cast {
    ada: Actor,
    follower: Actor,
    stranger: Actor,
    blocked_by_her: Actor,
    has_blocked_her: Actor,
    moderator: Actor,
    staff: Actor,
}

impl Cast {
    async fn of(world: &World) -> (Self, CommunityId) {
        let cast = Self {
            ada: world.person("ada").await,
            follower: world.person("follower").await,
            stranger: world.person("stranger").await,
            blocked_by_her: world.person("blocked").await,
            has_blocked_her: world.person("blocker").await,
            moderator: world.person("moderator").await,
            staff: world.person_as("staff", Role::Admin).await,
        };
        let library = world.community(cast.moderator, None).await;
        world.join(cast.ada, library).await;
        for follower in [cast.follower, cast.blocked_by_her, cast.has_blocked_her] {
            world.follow(follower, cast.ada).await;
        }
        world.block(cast.ada, cast.blocked_by_her).await;
        world.block(cast.has_blocked_her, cast.ada).await;
        (cast, library)
    }

    fn readers(&self) -> [(&'static str, Reader); 8] {
        [
            ("ada", self.ada.into()),
            ("follower", self.follower.into()),
            ("stranger", self.stranger.into()),
            ("blocked", self.blocked_by_her.into()),
            ("blocker", self.has_blocked_her.into()),
            ("moderator", self.moderator.into()),
            ("staff", self.staff.into()),
            ("guest", GUEST),
        ]
    }
}

const EVERYBODY: &[&str] =
    &["ada", "follower", "stranger", "blocked", "blocker", "moderator", "staff", "guest"];

#[tokio::test]
async fn every_command_shows_a_post_to_exactly_those_who_may_see_it() {
    let world = World::new();
    let (cast, library) = Cast::of(&world).await;
    for (visibility, anonymous, seen_by) in [
        (Visibility::Public, false, &["ada", "follower", "stranger", "moderator", "staff", "guest"][..]),
        (Visibility::Public, true, EVERYBODY),
        (Visibility::Followers, false, &["ada", "follower"]),
        (Visibility::Private, false, &["ada"]),
    ] {
        let draft = PostCreate { visibility, anonymous, ..world.draft(library) };
        let post = world.post(cast.ada, draft).await.id;
        for (name, reader) in cast.readers() {
            let case = format!("{name} meets a {visibility:?} post, anonymous: {anonymous}");
            let met = meet(&world, reader, post, library).await;
            let wrong: Vec<_> = met.iter().filter(|(_, seen)| *seen != seen_by.contains(&name)).collect();
            assert!(wrong.is_empty(), "{case}: {wrong:?}");
        }
    }
}

/// What each command says about the post: whether the reader met it.
async fn meet(
    world: &World,
    reader: Reader,
    post_id: PostId,
    library: CommunityId,
) -> Vec<(&'static str, bool)> {
    let Social { posts, feeds, comments, reactions, .. } = &world.social;
    let feed = FeedList { community_id: Some(library), ..FeedList::default() };
    let page = CommentList { post_id, parent_id: None, cursor: None, limit: None };
    let listed = feeds.list(reader, feed).await.expect("a page").posts;
    let mut met = vec![
        ("post.get", exists(posts.get(reader, post_id).await)),
        ("post.view", exists(posts.view(reader, reader.user.map(Viewer::Person), post_id, T).await)),
        ("post.counts", !posts.counts(reader, vec![post_id]).await.expect("counts").states.is_empty()),
        ("feed.list", listed.iter().any(|post| post.id == post_id)),
        ("comment.list", exists(comments.list(reader, page).await)),
        ("subscribe", exists(world.access.may_read(&reader, &Channel::Post(post_id)).await)),
    ];
    if let Some(user) = reader.user {
        let actor = Actor { user, role: reader.role };
        let like = ReactionSet { post_id: Some(post_id), comment_id: None, kind: Some(ReactionKind::Like) };
        let edit = PostEdit { post_id, version: 99, title: None, content: Some("x".into()), kind: None };
        met.push(("reaction.set", exists(reactions.set(actor, like, T).await)));
        met.push(("comment.add", exists(comments.add(actor, world.remark(post_id), T).await)));
        met.push(("post.edit", exists(posts.edit(actor, edit, T).await)));
    }
    met
}

/// A refusal other than `not_found` tells that the thing exists.
fn exists<T>(answer: Result<T, ErrorBody>) -> bool {
    answer.err().is_none_or(|refusal| refusal.code != Code::NotFound)
}

#[tokio::test]
async fn a_hidden_post_is_refused_in_the_very_words_for_one_that_never_was() {
    let world = World::new();
    let (cast, library) = Cast::of(&world).await;
    let draft = PostCreate { visibility: Visibility::Private, ..world.draft(library) };
    let hidden = world.post(cast.ada, draft).await;
    let remark = world.comment(cast.ada, world.remark(hidden.id)).await;
    let by = cast.stranger;
    let Social { posts, comments, reactions, .. } = &world.social;
    let none = PostId::NOTHING;
    assert_eq!(posts.get(by.into(), hidden.id).await, posts.get(by.into(), none).await);
    assert_eq!(posts.delete(by, hidden.id, T).await, posts.delete(by, none, T).await);
    let comment = |id| {
        let remark = CommentAdd { op: "same".into(), ..world.remark(id) };
        comments.add(by, remark, T)
    };
    assert_eq!(comment(hidden.id).await, comment(none).await);
    assert_eq!(comments.delete(by, remark.id, T).await, comments.delete(by, CommentId::NOTHING, T).await);
    let react = |id| {
        let body = ReactionSet { post_id: None, comment_id: Some(id), kind: Some(ReactionKind::Like) };
        reactions.set(by, body, T)
    };
    assert_eq!(react(remark.id).await, react(CommentId::NOTHING).await);
    let channels = [Channel::Post(hidden.id), Channel::Post(none)];
    let [there, nowhere] = &channels;
    assert_eq!(
        world.access.may_read(&by.into(), there).await,
        world.access.may_read(&by.into(), nowhere).await
    );
}

#[tokio::test]
async fn an_anonymous_post_names_nobody_to_others() {
    let world = World::new();
    let (cast, library) = Cast::of(&world).await;
    let draft = PostCreate { anonymous: true, op: "secret-op".into(), ..world.draft(library) };
    let post = world.post(cast.ada, draft).await;
    for (name, reader) in cast.readers() {
        let seen = world.read(reader, post.id).await.expect("public");
        assert_eq!(seen.author, None, "{name}");
        assert_eq!(seen.my.expect("my").author, name == "ada", "{name}");
        let feed = FeedList { user_id: Some(cast.ada.user), ..FeedList::default() };
        let listed = world.social.feeds.list(reader, feed).await.expect("a page").posts;
        assert_eq!(!listed.is_empty(), name == "ada", "{name} looks at what Ada posted");
    }
    let of_post = world.told_about(post.id);
    assert!(!of_post.is_empty(), "its creation was told");
    for entry in of_post {
        let text = format!("{entry:?}");
        assert_eq!(entry.actor, None, "{text}");
        assert!(!text.contains("secret-op") && !text.contains(&cast.ada.user.to_string()), "{text}");
        assert_ne!(entry.channel, Channel::Author(cast.ada.user));
    }
}

#[tokio::test]
async fn following_and_leaving_moves_what_one_sees() {
    let world = World::new();
    let (cast, library) = Cast::of(&world).await;
    let draft = PostCreate { visibility: Visibility::Followers, ..world.draft(library) };
    let post = world.post(cast.ada, draft).await.id;
    assert_eq!(refused(world.read(cast.stranger, post).await), Code::NotFound);
    world.follow(cast.stranger, cast.ada).await;
    world.read(cast.stranger, post).await.expect("a follower now");
    let unfollow = FollowSet { user_id: cast.ada.user, on: false };
    world.social.people.follow(cast.stranger, unfollow, T).await.expect("unfollowed");
    assert_eq!(refused(world.read(cast.stranger, post).await), Code::NotFound);
    world.block(cast.ada, cast.follower).await;
    assert_eq!(refused(world.read(cast.follower, post).await), Code::NotFound, "a block ends the follow");
}
