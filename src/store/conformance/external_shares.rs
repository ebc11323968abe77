//! One share of a person and post to each platform; counts and the one notification move with them.

use super::{World, all_ears, yes};
use crate::store::{
    Actor, Result, StoreError,
    external_shares::{ExternalShareOutcome, ExternalShareRules, LinkWords, NewExternalShare},
    notifications::NotificationQuery,
};
use communiconnect_protocol::{NotificationKind, Platform, PostId, event};
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

async fn share(
    world: &World,
    by: Actor,
    post_id: PostId,
    platform: Platform,
) -> Result<ExternalShareOutcome> {
    let new = NewExternalShare { post_id, platform, message: Some("read this".into()), at: world.now() };
    let rules = ExternalShareRules { may: yes(), hears: all_ears };
    world.stores.external_shares.add(by, new, rules).await
}

/// Kinds and counts of what somebody hears.
async fn heard(world: &World, by: Actor) -> Vec<(NotificationKind, u64)> {
    let query = NotificationQuery { before: None, unread: false, limit: 100 };
    let page = world.stores.notifications.list(by.user, query).await.expect("a page");
    page.notifications.iter().map(|one| (one.kind, one.count)).collect()
}

pub(crate) async fn of_shares_at_once_to_one_platform_one_is_written(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let outcomes = join_all((0..10).map(|_| share(&world, bob, post, Platform::X))).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("shared")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.changed).count(), 1);
    for outcome in &outcomes {
        assert_eq!((&outcome.share, &outcome.totals), (&outcomes[0].share, &[(Platform::X, 1)].into()));
    }
    let words = LinkWords { message: Some("read this".into()), title: None, content: "hello".into() };
    assert_eq!(outcomes[0].words, words);
    let told = world.told().await;
    assert_eq!((told.states.len(), told.events()), (1, vec![event::NOTIFICATION]));
    assert_eq!(heard(&world, ada).await, [(NotificationKind::ExternalShare, 1)]);
}

pub(crate) async fn every_platform_is_counted_apart(world: World) {
    let (ada, bob, post) = scene(&world).await;
    for platform in Platform::ALL {
        share(&world, bob, post, *platform).await.expect("shared");
    }
    let last = share(&world, ada, post, Platform::Email).await.expect("shared");
    let expected =
        Platform::ALL.iter().map(|one| (*one, if *one == Platform::Email { 2 } else { 1 })).collect();
    assert_eq!(last.totals, expected);
    assert_eq!(world.read_post(ada, post).await.expect("is there").counts.external_shares, 7);
    let page = world.stores.external_shares.list(bob.into(), post).await.expect("a page");
    let platforms: Vec<_> = page.shares.iter().map(|share| share.platform).collect();
    assert_eq!((&platforms[..], page.totals), (Platform::ALL, expected));
    let guest = world.stores.external_shares.list(super::world::GUEST, post).await.expect("a page");
    assert_eq!(guest.shares, []);
}

pub(crate) async fn a_person_is_heard_of_once_wherever_they_share_to(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let carl = world.person("carl").await;
    for (who, platform) in
        [(bob, Platform::X), (bob, Platform::Email), (carl, Platform::X), (ada, Platform::X)]
    {
        share(&world, who, post, platform).await.expect("shared");
    }
    assert_eq!(heard(&world, ada).await, [(NotificationKind::ExternalShare, 2)]);
    world.block(ada, bob).await;
    assert_eq!(heard(&world, ada).await, [(NotificationKind::ExternalShare, 1)]);
    share(&world, bob, post, Platform::Telegram).await.expect("shared");
    assert_eq!(heard(&world, ada).await, [(NotificationKind::ExternalShare, 1)], "not across a block");
}

pub(crate) async fn a_post_that_goes_takes_its_external_shares(world: World) {
    let (ada, bob, post) = scene(&world).await;
    share(&world, bob, post, Platform::X).await.expect("shared");
    world.stores.posts.delete(ada, post, world.now(), yes()).await.expect("deleted");
    while world.stores.posts.sweep().await.expect("swept") > 0 {}
    let page = world.stores.external_shares.list(bob.into(), post).await.expect("a page");
    assert_eq!((page.shares, page.totals), (vec![], [].into()));
    assert_eq!(heard(&world, ada).await, []);
    assert_eq!(share(&world, bob, post, Platform::X).await, Err(StoreError::NotFound("post")));
}
