//! What people hear of.

use super::*;
use crate::store::log::{PageSize, Range};
use communiconnect_protocol::{
    Channel, Notification, NotificationId, NotificationKind, NotificationList, NotificationPreferences,
    NotificationRead, ReactionKind, ReactionSet, UserId, event,
};

async fn heard(world: &World, by: Actor) -> Vec<Notification> {
    let page = world.social.notifications.list(by.user, NotificationList::default()).await.expect("a page");
    page.notifications
}

fn kinds(heard: &[Notification]) -> Vec<NotificationKind> {
    heard.iter().map(|one| one.kind).collect()
}

fn actors(one: &Notification) -> Vec<UserId> {
    one.actors.iter().map(|user| user.id).collect()
}

async fn scene() -> (World, Actor, Actor, Post) {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    (world, ada, ben, post)
}

fn like(post: &Post) -> ReactionSet {
    ReactionSet { post_id: Some(post.id), comment_id: None, kind: Some(ReactionKind::Like) }
}

#[tokio::test]
async fn authors_hear_of_others_and_nobody_of_themselves() {
    let (world, ada, ben, post) = scene().await;
    world.social.reactions.set(ada, like(&post), T).await.expect("own");
    let own = world.comment(ada, world.remark(post.id)).await;
    assert_eq!(heard(&world, ada).await, vec![]);

    world.comment(ben, world.remark(post.id)).await;
    world.reply(ben, &own).await.expect("a reply");
    world.social.reactions.set(ben, like(&post), T).await.expect("liked");
    world.follow(ben, ada).await;
    let heard_by_ada = heard(&world, ada).await;
    let mut found = kinds(&heard_by_ada);
    found.sort();
    found.dedup();
    let expected = [NotificationKind::PostReaction, NotificationKind::Comment, NotificationKind::Reply];
    assert_eq!(found, expected);
    assert!(heard_by_ada.iter().all(|one| actors(one) == [ben.user]));
    assert_eq!(heard(&world, ben).await, vec![]);
}

#[tokio::test]
async fn likes_of_one_post_are_one_notification_and_anonymous_people_stay_unnamed() {
    let (world, ada, ben, post) = scene().await;
    let carl = world.person("carl").await;
    for actor in [ben, carl] {
        world.social.reactions.set(actor, like(&post), T).await.expect("liked");
    }
    let found = heard(&world, ada).await;
    assert_eq!((kinds(&found), found[0].count), (vec![NotificationKind::PostReaction], 2));

    world.comment(ben, CommentAdd { anonymous: true, ..world.remark(post.id) }).await;
    let found = heard(&world, ada).await;
    let unnamed = found.iter().find(|one| one.kind == NotificationKind::Comment).expect("heard of it");
    assert_eq!(actors(unnamed), []);
}

#[tokio::test]
async fn a_kind_that_is_not_wished_is_not_heard_of() {
    let (world, ada, ben, post) = scene().await;
    let notifications = &world.social.notifications;
    let wish = |on| NotificationPreferences { kinds: [(NotificationKind::Comment, on)].into() };
    for (on, changed) in [(false, true), (false, false)] {
        let reply = notifications.preferences(ada.user, wish(on)).await.expect("set");
        assert_eq!((reply.changed, reply.preferences[&NotificationKind::Comment]), (changed, on));
        assert_eq!(reply.preferences.len(), NotificationKind::ALL.len(), "every kind is told");
    }
    world.comment(ben, world.remark(post.id)).await;
    assert_eq!(heard(&world, ada).await, vec![]);
    notifications.preferences(ada.user, wish(true)).await.expect("set");
    world.comment(ben, world.remark(post.id)).await;
    assert_eq!(kinds(&heard(&world, ada).await), [NotificationKind::Comment]);
}

#[tokio::test]
async fn reading_is_for_these_or_all() {
    let (world, ada, ben, post) = scene().await;
    let notifications = &world.social.notifications;
    world.comment(ben, world.remark(post.id)).await;
    world.social.reactions.set(ben, like(&post), T).await.expect("liked");
    let found = heard(&world, ada).await;
    assert_eq!(found.len(), 2);
    let read = |actor: Actor, ids: Option<Vec<NotificationId>>, all| {
        notifications.read(actor.user, NotificationRead { ids, all }, T)
    };

    assert_eq!(faulty(read(ada, None, false).await), (Code::Invalid, "ids".into()));
    assert_eq!(faulty(read(ada, Some(vec![]), true).await), (Code::Invalid, "all".into()));
    let many = vec![NotificationId::NOTHING; 101];
    assert_eq!(faulty(read(ada, Some(many), false).await), (Code::LimitExceeded, "ids".into()));

    let foreign = read(ben, Some(vec![found[0].id]), false).await.expect("passed over");
    assert!(!foreign.changed);
    let one = read(ada, Some(vec![found[0].id]), false).await.expect("read");
    assert_eq!((one.changed, one.unread), (true, 1));
    let unread = NotificationList { unread: true, cursor: None };
    let page = notifications.list(ada.user, unread).await.expect("a page");
    assert_eq!((page.notifications.len(), page.unread), (1, 1));
    let rest = read(ada, None, true).await.expect("read");
    assert_eq!((rest.changed, rest.unread), (true, 0));
    assert!(!read(ada, None, true).await.expect("nothing left").changed);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let (world, ada, ben, _) = scene().await;
    let library = world.community(ada, None).await;
    for _ in 0..25 {
        let post = world.post(ada, world.draft(library)).await;
        world.social.reactions.set(ben, like(&post), T).await.expect("liked");
    }
    let notifications = &world.social.notifications;
    let first = notifications.list(ada.user, NotificationList::default()).await.expect("a page");
    assert_eq!((first.notifications.len(), first.unread), (20, 25));
    let body = NotificationList { cursor: first.cursor, unread: false };
    let second = notifications.list(ada.user, body).await.expect("a page");
    assert_eq!((second.notifications.len(), second.cursor), (5, None));
    let mut ids: Vec<_> = first.notifications.iter().chain(&second.notifications).map(|one| one.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 25);
    let body = NotificationList { cursor: Some("elsewhere".into()), unread: false };
    assert_eq!(faulty(notifications.list(ada.user, body).await), (Code::Invalid, "cursor".into()));
}

/// Ada's followers-only post, with a comment of her follower Ben, which Carl, another follower, has liked and replied to.
async fn below_a_followers_only_post() -> (World, [Actor; 3], Post, Comment) {
    let (world, ada, ben, _) = scene().await;
    let carl = world.person("carl").await;
    let library = world.community(ada, None).await;
    for follower in [ben, carl] {
        world.follow(follower, ada).await;
    }
    let draft = PostCreate { visibility: Visibility::Followers, ..world.draft(library) };
    let post = world.post(ada, draft).await;
    let comment = world.comment(ben, world.remark(post.id)).await;
    like_and_answer(&world, carl, &comment).await;
    (world, [ada, ben, carl], post, comment)
}

async fn like_and_answer(world: &World, by: Actor, comment: &Comment) {
    let body = ReactionSet { post_id: None, comment_id: Some(comment.id), kind: Some(ReactionKind::Like) };
    world.social.reactions.set(by, body, T).await.expect("liked");
    world.reply(by, comment).await.expect("answered");
}

/// How many notifications a person's log tells of.
async fn logged(world: &World, by: Actor) -> usize {
    let size = PageSize { items: 100, bytes: 1 << 20 };
    let page = world.stores.log.page(&Channel::User(by.user), Range::After(0), size).await.expect("a page");
    page.publications.iter().filter(|entry| *entry.event == *event::NOTIFICATION).count()
}

#[tokio::test]
async fn who_ceases_to_follow_hears_no_more_of_followers_only_posts() {
    let (world, [ada, ben, carl], post, comment) = below_a_followers_only_post().await;
    let dora = world.person("dora").await;
    world.follow(dora, ada).await;
    assert_eq!(
        kinds(&heard(&world, ben).await),
        [NotificationKind::Reply, NotificationKind::CommentReaction]
    );
    assert_eq!(logged(&world, ben).await, 2);

    let away = FollowSet { user_id: ada.user, on: false };
    world.social.people.follow(ben, away, T).await.expect("unfollowed");
    assert_eq!(refused(world.read(ben, post.id).await), Code::NotFound);
    assert_eq!((heard(&world, ben).await, logged(&world, ben).await), (vec![], 0), "what was told before");
    like_and_answer(&world, dora, &comment).await;
    assert_eq!((heard(&world, ben).await, logged(&world, ben).await), (vec![], 0), "what happens after");
    assert!(!heard(&world, ada).await.is_empty());

    world.follow(ben, ada).await;
    let body = ReactionSet { post_id: None, comment_id: Some(comment.id), kind: None };
    world.social.reactions.set(carl, body, T).await.expect("taken back");
    like_and_answer(&world, carl, &comment).await;
    let found = heard(&world, ben).await;
    assert_eq!(kinds(&found), [NotificationKind::Reply, NotificationKind::CommentReaction]);
    assert_eq!(found[1].count, 1);
}

#[tokio::test]
async fn a_block_ends_what_was_heard_of_the_others_posts() {
    let (world, [ada, ben, carl], ..) = below_a_followers_only_post().await;
    let library = world.community(ada, None).await;
    let public = world.post(ada, world.draft(library)).await;
    let unnamed = world.post(ada, PostCreate { anonymous: true, ..world.draft(library) }).await;
    for post in [&public, &unnamed] {
        let comment = world.comment(ben, world.remark(post.id)).await;
        like_and_answer(&world, carl, &comment).await;
    }
    assert_eq!((heard(&world, ben).await.len(), logged(&world, ben).await), (6, 6));
    world.block(ada, ben).await;
    let found = heard(&world, ben).await;
    assert!(found.iter().all(|one| one.post_id == Some(unnamed.id)), "{found:?}");
    // A block does not touch the anonymous post: that it did would name its author.
    assert_eq!((found.len(), logged(&world, ben).await), (2, 2));
    assert_eq!(heard(&world, ada).await.iter().filter(|one| actors(one) == [ben.user]).count(), 0);
}

#[tokio::test]
async fn nobody_hears_of_a_person_across_a_block() {
    let (world, ada, ben, _) = scene().await;
    let library = world.community(ada, None).await;
    let unnamed = world.post(ada, PostCreate { anonymous: true, ..world.draft(library) }).await;
    let own = world.comment(ada, CommentAdd { anonymous: true, ..world.remark(unnamed.id) }).await;
    world.block(ada, ben).await;
    // Ben cannot know whose post it is, so nothing is refused; but Ada would see what she may not.
    world.comment(ben, world.remark(unnamed.id)).await;
    world.reply(ben, &own).await.expect("a refusal would name the author");
    world.social.reactions.set(ben, like(&unnamed), T).await.expect("likewise");
    assert_eq!(heard(&world, ada).await, vec![]);
}
