//! Communities nest, have members, and are made once.

use super::{
    World,
    world::{GUEST, no, op, refusal, yes},
};
use crate::store::{
    StoreError,
    communities::{CommunityQuery, Membership, NewCommunity},
};
use communiconnect_protocol::{
    Channel, Community, CommunityCountsState, CommunityEvent, CommunityId, CommunityRole, MyCommunity, event,
};

pub(crate) async fn creator_moderates(world: World) {
    let ada = world.person("ada").await;
    let outer = world.community(ada, "Physics", None).await;
    let inner = world.community(ada, "Optics", Some(outer.id)).await;
    assert_eq!(outer.my, Some(MyCommunity { member: true, role: Some(CommunityRole::Moderator) }));
    assert_eq!((outer.members, inner.members), (1, 1));
    assert_eq!(inner.path, ["Physics", "Optics"]);
    assert_eq!(inner.parent_id, Some(outer.id));

    let seen = world.stores.communities.get(GUEST, inner.id).await.expect("read").expect("is there");
    assert_eq!(seen.my, Some(MyCommunity { member: false, role: None }));
    let facts = world.stores.communities.facts(ada.into(), inner.id).await.expect("read").expect("is there");
    assert_eq!((facts.depth, facts.role), (1, Some(CommunityRole::Moderator)));
    let unknown = world.stores.communities.facts(GUEST, CommunityId::new(1)).await;
    assert_eq!(unknown, Ok(None));
}

pub(crate) async fn new_ones_are_told_to_everybody_without_a_maker(world: World) {
    let ada = world.person("ada").await;
    let outer = world.community(ada, "Physics", None).await;
    let inner = world.community(ada, "Optics", Some(outer.id)).await;
    let told = world.told().await;
    let made: Vec<Community> = told
        .of(&Channel::Communities)
        .iter()
        .map(|told| {
            assert_eq!((&*told.event, told.actor), (event::COMMUNITY_CREATED, None));
            told.data.read::<CommunityEvent>().expect("a community").community
        })
        .collect();
    assert_eq!(made, [outer, inner].map(|community| Community { my: None, ..community }));
}

pub(crate) async fn siblings_may_share_a_name(world: World) {
    let ada = world.person("ada").await;
    let first = world.community(ada, "Market", None).await;
    let second = world.community(ada, "Market", None).await;
    assert_ne!(first.id, second.id);
}

pub(crate) async fn joining_and_leaving_count_once(world: World) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let id = world.community(ada, "Physics", None).await.id;
    assert!(world.join(bob, id).await);
    assert!(!world.join(bob, id).await, "joined already");
    assert_eq!(members(&world, id).await, 2);
    let leave = Membership { community_id: id, on: false, at: world.now() };
    for (who, changed) in [(bob, true), (bob, false), (ada, true)] {
        assert_eq!(world.stores.communities.set_member(who, leave).await, Ok(changed));
    }
    assert_eq!(members(&world, id).await, 0);
    assert_eq!(world.stores.communities.counts(CommunityId::new(1)).await, Ok(None));
    let nowhere = Membership { community_id: CommunityId::new(1), on: true, at: world.now() };
    let unknown = world.stores.communities.set_member(bob, nowhere).await;
    assert_eq!(unknown, Err(StoreError::NotFound("community")));
}

pub(crate) async fn members_are_told_in_the_feed(world: World) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let outer = world.community(ada, "Outer", None).await.id;
    let id = world.community(ada, "Inner", Some(outer)).await.id;
    world.told().await;
    world.join(bob, id).await;
    world.join(bob, id).await;
    let leave = Membership { community_id: id, on: false, at: world.now() };
    world.stores.communities.set_member(bob, leave).await.expect("left");
    let told = world.told().await;
    let states: Vec<CommunityCountsState> = told
        .states
        .iter()
        .map(|state| {
            assert_eq!((&*state.event, &state.key), (event::COMMUNITY_COUNTS, &id.to_string()));
            assert_eq!((&state.channels[..], state.actor), (&[Channel::Feed(id)][..], None));
            state.data.read().expect("counts")
        })
        .collect();
    let counts = |version, members| CommunityCountsState { community_id: id, version, members };
    assert_eq!(states, [counts(1, 2), counts(2, 1)], "once for each change, and not for none");
    assert_eq!(world.stores.communities.counts(id).await, Ok(Some(counts(2, 1))));
}

pub(crate) async fn levels_are_listed_oldest_first(world: World) {
    let ada = world.person("ada").await;
    let outer = world.community(ada, "Outer", None).await;
    for name in ["c", "a", "b"] {
        world.community(ada, name, Some(outer.id)).await;
    }
    let mut query = CommunityQuery { parent_id: Some(outer.id), after: None, limit: 2 };
    let (page, more) = world.stores.communities.list(ada.into(), query.clone()).await.expect("a page");
    let names: Vec<_> = page.iter().map(|community| community.name.as_str()).collect();
    assert_eq!((names, more), (vec!["c", "a"], true));
    assert_eq!(page[0].path, ["Outer", "c"]);
    query.after = Some(page[1].id);
    let (page, more) = world.stores.communities.list(ada.into(), query.clone()).await.expect("a page");
    assert_eq!((page.len(), page[0].name.as_str(), more), (1, "b", false));
    query.parent_id = None;
    query.after = None;
    let (page, _) = world.stores.communities.list(GUEST, query.clone()).await.expect("a page");
    assert_eq!(page.len(), 1, "the outermost level has one");
    query.parent_id = Some(CommunityId::new(1));
    let unknown = world.stores.communities.list(GUEST, query).await;
    assert_eq!(unknown, Err(StoreError::NotFound("community")));
}

pub(crate) async fn a_refused_community_leaves_nothing(world: World) {
    let ada = world.person("ada").await;
    let outer = world.community(ada, "Outer", None).await;
    let new = NewCommunity { name: "Inner".into(), parent_id: Some(outer.id), at: world.now() };
    let refused = world.stores.communities.create(ada, world.op(), new.clone(), no()).await;
    assert_eq!(refused, Err(refusal().into()));
    let lost = NewCommunity { parent_id: Some(CommunityId::new(1)), ..new };
    let unknown = world.stores.communities.create(ada, world.op(), lost, yes()).await;
    assert_eq!(unknown, Err(StoreError::NotFound("community")));
    let below = CommunityQuery { parent_id: Some(outer.id), after: None, limit: 10 };
    assert_eq!(world.stores.communities.list(GUEST, below).await, Ok((Vec::new(), false)));
}

pub(crate) async fn a_retry_makes_no_second_community(world: World) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let new = NewCommunity { name: "Once".into(), parent_id: None, at: world.now() };
    let create = |who| world.stores.communities.create(who, op("same"), new.clone(), yes());
    let first = create(ada).await.expect("made");
    assert_eq!(create(ada).await, Ok(first.clone()));
    let other = create(bob).await.expect("another person's op is another operation");
    assert_ne!(other.id, first.id);
}

async fn members(world: &World, id: CommunityId) -> u64 {
    world.stores.communities.get(GUEST, id).await.expect("read").expect("is there").members
}
