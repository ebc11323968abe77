//! One share and one repost of a person and post; counts, log and notifications move with them.

use super::{
    World,
    world::{all_ears, no, refusal},
};
use crate::store::{
    Actor, StoreError,
    notifications::NotificationQuery,
    shares::{NewShare, ShareQuery, ShareRules},
};
use communiconnect_protocol::{
    Channel, Notification, NotificationKind, PostCountsState, PostId, PostShared, ShareId, ShareKind, event,
};
use futures_util::future::join_all;

/// Ada's post, with bob beside her.
async fn scene(world: &World) -> (Actor, Actor, PostId) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await.id;
    world.told().await;
    (ada, bob, post)
}

async fn heard(world: &World, by: Actor) -> Vec<Notification> {
    let query = NotificationQuery { before: None, unread: false, limit: 100 };
    world.stores.notifications.list(by.user, query).await.expect("a page").notifications
}

async fn listed(world: &World, reader: Actor, query: ShareQuery) -> Vec<ShareId> {
    let found = world.stores.shares.list(reader.into(), query).await.expect("a page");
    found.into_iter().map(|view| view.share.id).collect()
}

fn all_of(post_id: PostId) -> ShareQuery {
    ShareQuery { post_id, before: None, limit: 100 }
}

pub(crate) async fn a_share_is_told_and_counted(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let outcome = world.share(bob, post, ShareKind::Repost).await.expect("shared");
    assert_eq!((outcome.changed, outcome.shares), (true, 1));
    assert_eq!(outcome.share.comment.as_deref(), Some("read this"));
    let told = world.told().await;
    let entry = told.of(&Channel::Post(post))[0];
    assert_eq!((&*entry.event, entry.actor), (event::POST_SHARED, Some(bob.user)));
    assert_eq!(entry.data.read::<PostShared>().expect("an event").share, outcome.share);
    let state: PostCountsState = told.states[0].data.read().expect("counts");
    assert_eq!((state.counts.version, state.counts.shares), (1, 1));
    assert_eq!(told.channels_of(event::NOTIFICATION), [Channel::User(ada.user)]);
    let my = world.read_post(bob, post).await.expect("is there").my.expect("in replies");
    assert_eq!((my.shared, my.reposted), (false, true));
    let views = world.stores.shares.list(ada.into(), all_of(post)).await.expect("a page");
    assert_eq!((&views[0].share, views[0].relation.is_self), (&outcome.share, false));
}

pub(crate) async fn of_two_shares_at_once_one_is_written(world: World) {
    let (_, bob, post) = scene(&world).await;
    let (one, two) =
        tokio::join!(world.share(bob, post, ShareKind::Share), world.share(bob, post, ShareKind::Share));
    let (one, two) = (one.expect("shared"), two.expect("shared"));
    assert_eq!((&one.share, one.shares), (&two.share, two.shares));
    assert_ne!(one.changed, two.changed);
    let told = world.told().await;
    assert_eq!((told.states.len(), told.publications.len()), (1, 2), "the share and its notification");
    let other = world.share(bob, post, ShareKind::Repost).await.expect("reposted");
    assert_eq!((other.changed, other.shares), (true, 2));
}

pub(crate) async fn a_share_is_taken_back_exactly(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let none = world.unshare(bob, post, ShareKind::Share).await.expect("nothing to take back");
    assert_eq!((none.changed, none.shares), (false, 0));
    world.share(bob, post, ShareKind::Share).await.expect("shared");
    world.share(ada, post, ShareKind::Share).await.expect("shared");
    world.told().await;
    let gone = world.unshare(bob, post, ShareKind::Share).await.expect("taken back");
    assert_eq!((gone.changed, gone.shares), (true, 1));
    let told = world.told().await;
    assert_eq!((told.states.len(), told.publications.len()), (1, 0), "counts tell it, and nothing else");
    assert_eq!(heard(&world, ada).await, []);
    let alternating = (0..40).map(|_| async {
        world.share(bob, post, ShareKind::Share).await.expect("shared");
        world.unshare(bob, post, ShareKind::Share).await.expect("taken back");
    });
    join_all(alternating).await;
    let counts = world.read_post(bob, post).await.expect("is there").counts;
    assert_eq!((counts.shares, listed(&world, ada, all_of(post)).await.len()), (1, 1));
}

pub(crate) async fn a_post_that_goes_takes_its_shares(world: World) {
    let (ada, bob, post) = scene(&world).await;
    world.share(bob, post, ShareKind::Share).await.expect("shared");
    world.share(bob, post, ShareKind::Repost).await.expect("reposted");
    let deleting = world.stores.posts.delete(ada, post, world.now(), super::yes());
    let (deleted, shared) = tokio::join!(deleting, world.share(ada, post, ShareKind::Share));
    deleted.expect("deleted");
    assert!(matches!(shared, Ok(_) | Err(StoreError::NotFound("post"))), "{shared:?}");
    while world.stores.posts.sweep().await.expect("swept") > 0 {}
    assert_eq!(listed(&world, ada, all_of(post)).await, []);
    assert_eq!(heard(&world, ada).await, []);
    let late = world.share(bob, post, ShareKind::Share).await;
    assert_eq!(late, Err(StoreError::NotFound("post")));
    assert_eq!(world.unshare(bob, post, ShareKind::Share).await, Err(StoreError::NotFound("post")));
}

pub(crate) async fn shares_are_listed_newest_first(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let mut expected = Vec::new();
    for (who, kind) in [(ada, ShareKind::Share), (bob, ShareKind::Share), (bob, ShareKind::Repost)] {
        expected.insert(0, world.share(who, post, kind).await.expect("shared").share.id);
    }
    let first = listed(&world, ada, ShareQuery { limit: 2, ..all_of(post) }).await;
    let rest = listed(&world, ada, ShareQuery { before: first.last().copied(), ..all_of(post) }).await;
    assert_eq!([first, rest].concat(), expected);
    world.block(ada, bob).await;
    let views = world.stores.shares.list(ada.into(), all_of(post)).await.expect("a page");
    let blocked: Vec<bool> = views.iter().map(|view| view.relation.blocked).collect();
    assert_eq!(blocked, [true, true, false], "the policy is told");
}

pub(crate) async fn sharers_are_counted_in_one_notification_of_each_kind(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let mut people = vec![bob];
    for number in 0..11 {
        people.push(world.person(&format!("person{number}")).await);
    }
    for who in &people {
        world.share(*who, post, ShareKind::Share).await.expect("shared");
    }
    world.share(bob, post, ShareKind::Repost).await.expect("reposted");
    world.react(bob, post, Some(communiconnect_protocol::ReactionKind::Like)).await.expect("liked");
    let figures = async || {
        let mut found: Vec<_> = heard(&world, ada).await.iter().map(|one| (one.kind, one.count)).collect();
        found.sort_unstable();
        found
    };
    let (like, repost) = ((NotificationKind::PostReaction, 1), (NotificationKind::Repost, 1));
    assert_eq!(figures().await, [like, (NotificationKind::Share, 12), repost]);
    // Those who are remembered go one after the other; the others are found again.
    for who in people.iter().skip(1).rev().take(9) {
        world.unshare(*who, post, ShareKind::Share).await.expect("taken back");
    }
    assert_eq!(figures().await, [like, (NotificationKind::Share, 3), repost]);
    let shown = heard(&world, ada).await;
    let share = shown.iter().find(|one| one.kind == NotificationKind::Share).expect("is there");
    assert!(share.actors.iter().all(|actor| people[..3].iter().any(|who| who.user == actor.id)));
    assert!(!share.actors.is_empty());
    world.block(ada, bob).await;
    assert_eq!(figures().await, [(NotificationKind::Share, 2)]);
    world.unshare(bob, post, ShareKind::Share).await.expect("taken back");
    assert_eq!(figures().await, [(NotificationKind::Share, 2)], "it was not counted any more");
    assert_eq!(world.read_post(ada, post).await.expect("is there").counts.shares, 3);
}

pub(crate) async fn a_refused_share_leaves_nothing(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let new = NewShare { post_id: post, kind: ShareKind::Share, comment: None, at: world.now() };
    let refused = world.stores.shares.add(bob, new, ShareRules { may: no(), hears: all_ears }).await;
    assert_eq!(refused, Err(StoreError::Refused(Box::new(refusal()))));
    let told = world.told().await;
    assert_eq!((told.states.len(), told.publications.len()), (0, 0));
    assert_eq!(listed(&world, ada, all_of(post)).await, []);
}
