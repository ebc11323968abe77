//! What authors are told of their posts: counts with their days, and who has seen them.

use super::{
    World,
    world::{GUEST, yes},
};
use crate::store::{
    Actor,
    analytics::PostFigures,
    posts::{View, Viewer},
};
use communiconnect_protocol::{PostDay, PostId, ReactionKind, SessionId, ShareKind};

const DAY_MS: i64 = 86_400_000;

/// Ada's post, with bob beside her, on the first of 2026.
async fn scene(world: &World) -> (Actor, Actor, PostId) {
    world.pass(1_767_225_600_000 - world.now());
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let community = world.community(ada, "All", None).await.id;
    (ada, bob, world.post(ada, community).await.id)
}

async fn figures(world: &World, by: Actor, id: PostId) -> PostFigures {
    world.stores.analytics.post(by.into(), id, 365).await.expect("read").expect("is there")
}

async fn view(world: &World, viewer: Viewer, post_id: PostId) -> bool {
    let reader = match viewer {
        Viewer::Person(user) => Actor { user, role: communiconnect_protocol::Role::User }.into(),
        Viewer::Guest(_) => GUEST,
    };
    let view = View { post_id, viewer, window_ms: 1_000, at: world.now() };
    world.stores.posts.view(reader, view, yes()).await.expect("seen")
}

fn day(date: &str, views: i64) -> PostDay {
    PostDay { day: date.into(), views, ..PostDay::default() }
}

pub(crate) async fn a_new_post_has_no_days(world: World) {
    let (ada, _, id) = scene(&world).await;
    let figures = figures(&world, ada, id).await;
    assert_eq!((figures.unique_viewers, figures.reposts, figures.days), (0, 0, Vec::new()));
    assert!(figures.facts.relation.is_self);
    assert_eq!(world.stores.analytics.post(ada.into(), PostId::new(1), 9).await, Ok(None));
}

pub(crate) async fn days_tell_what_came_less_what_was_taken_back(world: World) {
    let (ada, bob, id) = scene(&world).await;
    world.react(bob, id, Some(ReactionKind::Like)).await.expect("reacted");
    world.react(bob, id, Some(ReactionKind::Love)).await.expect("another kind is no more");
    world.share(bob, id, ShareKind::Share).await.expect("shared");
    world.share(bob, id, ShareKind::Repost).await.expect("reposted");
    view(&world, Viewer::Person(bob.user), id).await;
    world.pass(2 * DAY_MS);
    world.unshare(bob, id, ShareKind::Repost).await.expect("taken back");
    world.react(ada, id, Some(ReactionKind::Wow)).await.expect("reacted");
    let told = figures(&world, ada, id).await;
    let first = PostDay { reactions: 1, shares: 2, ..day("2026-01-01", 1) };
    let third = PostDay { reactions: 1, shares: -1, ..day("2026-01-03", 0) };
    assert_eq!(told.days, [first, third.clone()]);
    assert_eq!((told.counts.shares, told.reposts), (1, 0));
    let latest = world.stores.analytics.post(ada.into(), id, 1).await.expect("read").expect("is there");
    assert_eq!((latest.days, latest.reposts), (vec![third], 0), "the sum goes over all days");
}

pub(crate) async fn people_are_viewers_once_for_ever_and_guests_once_a_session(world: World) {
    let (ada, bob, id) = scene(&world).await;
    let guest = Viewer::Guest(SessionId::new(1));
    for _ in 0..3 {
        for viewer in [Viewer::Person(ada.user), Viewer::Person(bob.user), guest] {
            assert!(view(&world, viewer, id).await, "the window is over");
            assert!(!view(&world, viewer, id).await, "once in a window");
        }
        world.pass(1_000);
    }
    assert_eq!(figures(&world, ada, id).await.unique_viewers, 2, "bob and the guest: the author is none");
    assert_eq!(world.stores.log.trim(world.now()).await, Ok(1), "what guests leave is swept");
    let told = figures(&world, ada, id).await;
    assert_eq!((told.counts.views, told.unique_viewers), (9, 2));
    assert_eq!(told.days, [day("2026-01-01", 9)]);
}

pub(crate) async fn a_post_that_goes_takes_its_figures(world: World) {
    let (ada, bob, id) = scene(&world).await;
    let seen = view(&world, Viewer::Person(bob.user), id);
    let gone = world.stores.posts.delete(ada, id, world.now(), yes());
    let (_, gone) = tokio::join!(seen, gone);
    gone.expect("deleted");
    assert_eq!(world.stores.analytics.post(ada.into(), id, 365).await, Ok(None));
}
