//! Lives hang on their posts, are one per person, end with a report, and leave nothing behind.

use super::{
    World,
    world::{Bounds, GUEST, no, op, refusal, yes},
};
use crate::{
    publication::Audience,
    store::{
        Actor, StoreError,
        live_keys::{DefaultsChange, LastEnd},
        lives::{Held, Lease, LiveChange, LiveEnd, LivePulse, LiveQuery, LiveView, NewLive, WhichLive},
        log::{PageSize, Range},
        posts::{FeedQuery, FeedScope, OnlyLive},
    },
};
use communiconnect_protocol::{
    Channel, Code, CommunityId, ErrorBody, LiveEnded, LiveEvent, LiveId, LiveInterrupted, LiveKeyInfo,
    LiveReason, LiveReport, LiveState, LiveViewersState, PostEvent, PostKind, ReportViewers, Viewers,
    Visibility, event,
};

fn lease(world: &World) -> Lease {
    Lease { node: "node-1".into(), until: world.now() + 15_000 }
}

fn draft(world: &World, community_id: CommunityId, visibility: Visibility) -> NewLive {
    NewLive {
        community_id,
        title: "Market day".into(),
        description: String::new(),
        visibility,
        lease: lease(world),
        in_place_of: None,
        at: world.now(),
    }
}

pub(crate) async fn on_air(world: &World, by: Actor, community: CommunityId) -> LiveView {
    let new = draft(world, community, Visibility::Public);
    let (view, changed) = world.stores.lives.start(by, world.op(), new, yes()).await.expect("started");
    assert!(changed);
    change(world, view.live.id, LiveState::Live, None).await.expect("on air");
    world.stores.lives.get(by.into(), WhichLive::Id(view.live.id)).await.expect("read").expect("there")
}

async fn change(
    world: &World,
    id: LiveId,
    state: LiveState,
    reason: Option<LiveReason>,
) -> Result<(), StoreError> {
    let change = LiveChange { id, state, reason, lease: lease(world), at: world.now() };
    world.stores.lives.change(change).await
}

fn end_of(world: &World, id: LiveId) -> LiveEnd {
    let viewers = ReportViewers { peak: 3, average: 1.5, unique: 4 };
    let report = LiveReport { duration_ms: 60_000, viewers, joins: 5, ..LiveReport::default() };
    LiveEnd { id, reason: LiveReason::Stopped, report, encoder_left: false, seen: None, at: world.now() }
}

async fn running(world: &World, by: Actor) -> Vec<LiveId> {
    let query = LiveQuery { community_id: None, before: None, limit: 10 };
    let views = world.stores.lives.list(by.into(), query).await.expect("a page");
    views.into_iter().map(|view| view.live.id).collect()
}

pub(crate) async fn a_live_begins_with_its_post(world: World) {
    let ada = world.person("ada").await;
    let outer = world.community(ada, "Outer", None).await.id;
    let inner = world.community(ada, "Inner", Some(outer)).await.id;
    world.told().await;
    let new = draft(&world, inner, Visibility::Public);
    let (view, changed) = world.stores.lives.start(ada, op("mine"), new, yes()).await.expect("started");
    assert!(changed);
    assert_eq!(
        (view.live.state, view.generation, view.lease.node.as_str()),
        (LiveState::Created, 1, "node-1")
    );
    assert_eq!((view.live.owner.id, view.live.title.as_str()), (ada.user, "Market day"));
    assert_eq!((view.live.viewers, view.live.started_at), (Viewers::default(), None));

    let told = world.told().await;
    let channels = [Channel::Feed(inner), Channel::Feed(outer), Channel::Author(ada.user)];
    assert_eq!(told.channels_of(event::POST_CREATED), channels);
    assert_eq!(told.publications.len(), 3, "it is not on air yet");
    let body: PostEvent = told.publications[0].data.read().expect("an event");
    assert_eq!((body.post.kind, body.post.live_id), (PostKind::Live, Some(view.live.id)));
    let post = world.read_post(GUEST, view.live.post_id).await.expect("there");
    assert_eq!((post.live_id, post.title.as_deref()), (Some(view.live.id), Some("Market day")));
    assert!(view.facts.post.is_live && !view.facts.banned);
    let by_post = world.stores.lives.get(GUEST, WhichLive::OfPost(view.live.post_id)).await.expect("read");
    assert_eq!(by_post.map(|found| found.live), Some(view.live));
}

pub(crate) async fn a_refused_live_leaves_no_trace(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    world.told().await;
    let new = draft(&world, community, Visibility::Public);
    let refused = world.stores.lives.start(ada, world.op(), new, no()).await;
    assert_eq!(refused.err(), Some(refusal().into()));
    assert_eq!(world.told().await.events(), Vec::<&str>::new());
    assert_eq!(running(&world, ada).await, []);
}

pub(crate) async fn a_person_runs_one_live_and_every_start_makes_a_fresh_key(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let start = async |op| {
        let new = draft(&world, community, Visibility::Public);
        let (view, changed) = world.stores.lives.start(ada, op, new, yes()).await.expect("started");
        (view.live.id, changed, view.generation)
    };
    let (one, other) = tokio::join!(start(op("phone")), start(op("laptop")));
    assert_eq!(one.0, other.0, "two at once are one live");
    assert!(one.1 ^ other.1, "and one of them began it");
    let first = if one.1 { one } else { other };
    assert_eq!(start(op("tablet")).await, (first.0, false, 3));
    let again = if one.1 { op("phone") } else { op("laptop") };
    assert_eq!(start(again.clone()).await, (first.0, true, 4), "the same answer, with a key of its own");
    assert_eq!(running(&world, ada).await, [first.0]);
    assert_eq!(world.told().await.channels_of(event::POST_CREATED).len(), 2);

    world.stores.lives.end(end_of(&world, first.0)).await.expect("ended");
    assert_eq!(start(again).await, (first.0, true, 4), "its key stays dead");
    let (next, changed, generation) = start(op("later")).await;
    assert!(next != first.0 && changed && generation == 1);
}

pub(crate) async fn states_are_told_where_the_post_went(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let new = draft(&world, community, Visibility::Followers);
    let id = world.stores.lives.start(ada, world.op(), new, yes()).await.expect("started").0.live.id;
    world.told().await;
    let channels = [Channel::Live(id), Channel::Author(ada.user)];
    for (state, reason, told_as) in [
        (LiveState::Connecting, None, None),
        (LiveState::Live, None, Some(event::LIVE_STARTED)),
        (LiveState::Live, None, None),
        (LiveState::Interrupted, Some(LiveReason::Stalled), Some(event::LIVE_INTERRUPTED)),
        (LiveState::Live, None, Some(event::LIVE_RESUMED)),
    ] {
        world.pass(1_000);
        change(&world, id, state, reason).await.expect("changed");
        let told = world.told().await;
        let expected: Vec<&str> = told_as.into_iter().flat_map(|event| [event; 2]).collect();
        assert_eq!(told.events(), expected, "{state:?}");
        if let Some(event) = told_as {
            assert_eq!(told.channels_of(event), channels);
            assert!(told.publications.iter().all(|told| told.actor == Some(ada.user)));
        }
        match told_as {
            Some(event::LIVE_STARTED) => {
                let body: LiveEvent = told.publications[0].data.read().expect("an event");
                assert_eq!((body.live.state, body.live.started_at), (LiveState::Live, Some(world.now())));
            }
            Some(event::LIVE_INTERRUPTED) => {
                let body: LiveInterrupted = told.publications[0].data.read().expect("an event");
                assert_eq!(body.reason, LiveReason::Stalled);
            }
            _ => {}
        }
    }
    let live =
        world.stores.lives.get(ada.into(), WhichLive::Id(id)).await.expect("read").expect("there").live;
    assert_eq!(live.started_at, Some(world.now() - 3_000), "the first picture, not the last");
}

pub(crate) async fn a_live_ends_once_with_its_report(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let id = on_air(&world, ada, community).await.live.id;
    world.told().await;
    world.pass(60_000);
    let report = world.stores.lives.end(end_of(&world, id)).await.expect("ended");
    assert_eq!((report.duration_ms, report.joins), (60_000, 5));
    let told = world.told().await;
    let channels = [Channel::Live(id), Channel::Feed(community), Channel::Author(ada.user)];
    assert_eq!(told.channels_of(event::LIVE_ENDED), channels);
    let body: LiveEnded = told.publications[0].data.read().expect("an event");
    assert_eq!((body.duration_ms, body.viewers.peak, body.viewers.unique), (60_000, 3, 4));

    world.pass(1_000);
    let other = LiveEnd { reason: LiveReason::Timeout, report: LiveReport::default(), ..end_of(&world, id) };
    assert_eq!(world.stores.lives.end(other).await, Ok(report.clone()), "the same answer");
    assert_eq!(world.told().await.events(), Vec::<&str>::new());
    assert_eq!(world.stores.lives.report(id).await, Ok(Some(report)));
    assert_eq!(change(&world, id, LiveState::Live, None).await, Err(StoreError::NotFound("live")));
    let live = world.stores.lives.get(GUEST, WhichLive::Id(id)).await.expect("read").expect("kept").live;
    assert_eq!((live.state, live.reason), (LiveState::Ended, Some(LiveReason::Stopped)));
    assert_eq!(live.viewers, Viewers { current: 0, peak: 3 });
    assert_eq!(running(&world, ada).await, []);
    let last = LastEnd { reason: LiveReason::Stopped, at: world.now() - 1_000, encoder_left: false };
    assert_eq!(world.stores.live_keys.last_end(ada.user).await, Ok(Some(last)));
}

pub(crate) async fn a_silent_live_gives_way_unless_its_node_has_come_back(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let old = on_air(&world, ada, community).await;
    let id = old.live.id;
    let lives = &world.stores.lives;
    let wish = |seen: &Lease| {
        let in_place_of = Some(Held { id, lease: seen.clone() });
        NewLive { in_place_of, ..draft(&world, community, Visibility::Public) }
    };
    lives.start(ada, world.op(), wish(&old.lease), no()).await.expect_err("the rule says no");
    assert_eq!(running(&world, ada).await, [id], "a live that is refused takes no place");

    world.pass(1_000);
    let viewers = Viewers::default();
    lives
        .pulse(lease(&world), vec![LivePulse { id, viewers, report: None }])
        .await
        .expect("its node is back");
    let end = LiveEnd { seen: Some(old.lease.clone()), ..end_of(&world, id) };
    let refused = lives.end(end.clone()).await.expect_err("somebody carries it");
    assert_eq!(ErrorBody::from(refused).code, Code::Unavailable);
    let (view, changed) = lives.start(ada, world.op(), wish(&old.lease), yes()).await.expect("answered");
    assert_eq!((view.live.id, changed), (id, false));

    let (new, changed) = lives.start(ada, world.op(), wish(&view.lease), yes()).await.expect("begun");
    assert!(changed);
    assert_eq!(running(&world, ada).await, [new.live.id]);
    let live = lives.get(GUEST, WhichLive::Id(id)).await.expect("read").expect("kept").live;
    assert_eq!((live.state, live.reason), (LiveState::Ended, Some(LiveReason::Lost)));
    lives.end(end).await.expect("what has ended keeps its end, whoever saw what");
}

pub(crate) async fn a_pulse_tells_viewers_and_keeps_the_lease(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let id = on_air(&world, ada, community).await.live.id;
    world.told().await;
    let pulse = |current, peak, report| vec![LivePulse { id, viewers: Viewers { current, peak }, report }];
    let send = async |lease: Lease, pulses| world.stores.lives.pulse(lease, pulses).await;
    assert_eq!(send(lease(&world), pulse(2, 2, None)).await, Ok(vec![]));
    let told = world.told().await;
    assert_eq!((told.events().len(), told.states.len()), (0, 1));
    let state: LiveViewersState = told.states[0].data.read().expect("a state");
    assert_eq!((state.version, state.viewers), (1, Viewers { current: 2, peak: 2 }));
    assert_eq!(told.states[0].channels, [Channel::Live(id)]);
    send(lease(&world), pulse(2, 2, Some(end_of(&world, id).report))).await.expect("the same again");
    assert_eq!(world.told().await.states, [], "nobody came or went");
    let report = world.stores.lives.report(id).await.expect("read").expect("noted");
    assert_eq!(report.joins, 5);

    let foreign = Lease { node: "node-2".into(), until: world.now() + 15_000 };
    assert_eq!(send(foreign, pulse(9, 9, None)).await, Ok(vec![id]), "another node's");
    world.pass(20_000);
    send(lease(&world), pulse(1, 2, None)).await.expect("renewed");
    assert_eq!(world.stores.lives.leases(None, 100).await, Ok(vec![Held { id, lease: lease(&world) }]));
    world.stores.lives.end(end_of(&world, id)).await.expect("ended");
    assert_eq!(send(lease(&world), pulse(1, 2, None)).await, Ok(vec![id]), "it runs no longer");
}

pub(crate) async fn a_live_that_nobody_carries_is_ended_by_the_lease_that_was_seen(world: World) {
    let [ada, bob] = [world.person("ada").await, world.person("bob").await];
    let community = world.community(ada, "All", None).await.id;
    let (first, second) = (on_air(&world, ada, community).await, on_air(&world, bob, community).await);
    let [first, second] = [first.live.id, second.live.id];
    let report = end_of(&world, first).report;
    let viewers = Viewers { current: 2, peak: 3 };
    let old = lease(&world);
    let pulse = LivePulse { id: first, viewers, report: Some(report.clone()) };
    world.stores.lives.pulse(old.clone(), vec![pulse]).await.expect("noted");
    world.pass(16_000);
    let pulse = LivePulse { id: second, viewers, report: None };
    world.stores.lives.pulse(lease(&world), vec![pulse]).await.expect("renewed");
    world.told().await;
    let seen = vec![Held { id: first, lease: old.clone() }, Held { id: second, lease: lease(&world) }];
    assert_eq!(world.stores.lives.leases(None, 100).await, Ok(seen));
    let lost = |id| LiveEnd {
        reason: LiveReason::Lost,
        report: report.clone(),
        seen: Some(old.clone()),
        ..end_of(&world, id)
    };
    let refused = world.stores.lives.end(lost(second)).await.expect_err("it was renewed meanwhile");
    assert_eq!(ErrorBody::from(refused).code, Code::Unavailable);
    world.stores.lives.end(lost(first)).await.expect("nobody carries it");
    let told = world.told().await;
    let body: LiveEnded = told.of(&Channel::Live(first))[0].data.read().expect("an event");
    assert_eq!(
        (body.reason, body.viewers.unique, body.duration_ms),
        (LiveReason::Lost, 4, report.duration_ms)
    );
    assert_eq!(
        world.stores.lives.report(first).await,
        Ok(Some(report.clone())),
        "all of it is of the moment of its note"
    );

    let left = Held { id: second, lease: lease(&world) };
    let world = world.reopened(Bounds::default()).await;
    assert_eq!(world.stores.lives.leases(None, 100).await, Ok(vec![left]), "kill -9 leaves it behind");
}

pub(crate) async fn leases_are_told_page_by_page(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let mut all = Vec::new();
    for name in ["bob", "eve", "joe", "kim", "liz"] {
        let id = on_air(&world, world.person(name).await, community).await.live.id;
        all.push(Held { id, lease: lease(&world) });
    }
    let over = all.remove(2);
    world.stores.lives.end(end_of(&world, over.id)).await.expect("ended");
    let page = async |after, limit| world.stores.lives.leases(after, limit).await.expect("leases");
    assert_eq!(page(None, 2).await, all[..2]);
    assert_eq!(page(Some(all[1].id), 2).await, all[2..], "the oldest first, and what has ended is none");
    assert_eq!(page(Some(all[3].id), 2).await, []);
    assert_eq!(page(Some(over.id), 1).await, all[2..3], "the one before may have ended meanwhile");
    assert_eq!(page(None, 4).await, all);
}

pub(crate) async fn running_lives_are_listed_newest_first(world: World) {
    let [ada, bob, eve] = [world.person("ada").await, world.person("bob").await, world.person("eve").await];
    let outer = world.community(ada, "Outer", None).await.id;
    let inner = world.community(ada, "Inner", Some(outer)).await.id;
    let (first, second) = (on_air(&world, ada, outer).await, on_air(&world, bob, inner).await);
    let over = on_air(&world, eve, outer).await;
    world.stores.lives.end(end_of(&world, over.live.id)).await.expect("ended");
    world.post(ada, outer).await;
    let list = async |community_id, before, limit| {
        let query = LiveQuery { community_id, before, limit };
        let views = world.stores.lives.list(GUEST, query).await.expect("a page");
        views.into_iter().map(|view| view.live.id).collect::<Vec<_>>()
    };
    let (first_id, second_id) = (first.live.id, second.live.id);
    assert_eq!(list(None, None, 10).await, [second_id, first_id]);
    assert_eq!(list(Some(outer), None, 1).await, [second_id]);
    assert_eq!(list(Some(outer), Some(second_id), 10).await, [first_id]);
    assert_eq!(list(Some(inner), None, 10).await, [second_id]);

    world.follow(eve, ada).await;
    world.join(eve, inner).await;
    let feed = async |scope, kind| {
        let query = FeedQuery { scope, kind, live: OnlyLive::Yes, before: None, limit: 10 };
        let views = world.stores.posts.feed(eve.into(), query).await.expect("a page");
        views.into_iter().map(|view| view.post.live_id.expect("a live")).collect::<Vec<_>>()
    };
    assert_eq!(feed(FeedScope::Community(outer), None).await, [second_id, first_id]);
    assert_eq!(feed(FeedScope::Community(inner), Some(PostKind::Live)).await, [second_id]);
    assert_eq!(feed(FeedScope::Author(ada.user), None).await, [first_id]);
    assert_eq!(feed(FeedScope::Home, None).await, [second_id, first_id]);
    assert_eq!(feed(FeedScope::Community(outer), Some(PostKind::Info)).await, []);
}

pub(crate) async fn a_deleted_post_takes_its_live_with_it(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let view = on_air(&world, ada, community).await;
    let id = view.live.id;
    let message = super::chat::say(&world, ada, id, "hello").await;
    world.told().await;
    world.stores.posts.delete(ada, view.live.post_id, world.now(), yes()).await.expect("deleted");
    let told = world.told().await;
    let last: Vec<&str> = told.of(&Channel::Live(id)).iter().map(|told| &*told.event).collect();
    assert_eq!(last, [event::LIVE_ENDED, event::POST_DELETED]);
    let in_feed: Vec<&str> = told.of(&Channel::Feed(community)).iter().map(|told| &*told.event).collect();
    assert_eq!(in_feed, [event::LIVE_ENDED, event::POST_DELETED]);
    assert_eq!(world.stores.lives.get(ada.into(), WhichLive::Id(id)).await, Ok(None));
    assert_eq!(world.stores.lives.report(id).await, Ok(None));
    let gone = world.stores.chat.delete(ada, message, world.now(), yes()).await;
    assert_eq!(gone, Err(StoreError::NotFound("message")));

    let size = PageSize { items: 100, bytes: 1 << 20 };
    for channel in [Channel::Live(id), Channel::Feed(community), Channel::Author(ada.user)] {
        let page = world.stores.log.page(&channel, Range::After(0), size).await.expect("a page");
        assert_eq!(page.publications.len() as u64, page.head, "{channel} keeps its offsets");
        for entry in page.publications {
            let is_last_word = *entry.event == *event::POST_DELETED;
            assert!(is_last_word || entry.audience == Audience::Nobody, "{entry:?}");
        }
    }
    let again = draft(&world, community, Visibility::Public);
    assert!(world.stores.lives.start(ada, world.op(), again, yes()).await.expect("started").1);
}

pub(crate) async fn a_lasting_key_is_one_until_it_is_rotated(world: World) {
    let [ada, bob] = [world.person("ada").await, world.person("bob").await];
    let keys = &world.stores.live_keys;
    let none = LiveKeyInfo { exists: false, created_at: None, last_used_at: None };
    assert_eq!(keys.info(ada.user).await, Ok(none));
    keys.rotate(ada.user, [1; 32], world.now()).await.expect("made");
    keys.rotate(bob.user, [2; 32], world.now()).await.expect("made");
    let made_at = world.now();
    world.pass(5_000);
    assert_eq!(keys.open([1; 32], world.now()).await, Ok(Some(ada)));
    let used = LiveKeyInfo { exists: true, created_at: Some(made_at), last_used_at: Some(world.now()) };
    assert_eq!(keys.info(ada.user).await, Ok(used));
    keys.rotate(ada.user, [3; 32], world.now()).await.expect("rotated");
    assert_eq!(keys.open([1; 32], world.now()).await, Ok(None), "the one before opens nothing");
    assert_eq!(keys.open([3; 32], world.now()).await, Ok(Some(ada)));
    assert_eq!(keys.open([2; 32], world.now()).await, Ok(Some(bob)));
}

pub(crate) async fn defaults_stay_until_they_are_changed(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let keys = &world.stores.live_keys;
    let set = async |change| keys.set_defaults(ada.user, change).await;
    let (empty, changed) = set(DefaultsChange::default()).await.expect("asked");
    assert!(!changed && empty == Default::default());
    let title = Some("Market day".to_owned());
    let change = DefaultsChange { title: title.clone(), community_id: Some(community), visibility: None };
    let (first, changed) = set(change.clone()).await.expect("set");
    assert!(changed && first.title == title && first.community_id == Some(community));
    assert_eq!(set(change).await.expect("again"), (first.clone(), false));
    let change = DefaultsChange { visibility: Some(Visibility::Followers), ..DefaultsChange::default() };
    let (second, changed) = set(change).await.expect("set");
    assert!(changed && second.title == title && second.visibility == Some(Visibility::Followers));
    assert_eq!(keys.defaults(ada.user).await, Ok(second));
    let nowhere = Some(CommunityId::new(1));
    let refused = set(DefaultsChange { community_id: nowhere, ..DefaultsChange::default() }).await;
    assert_eq!(refused, Err(StoreError::NotFound("community")));
}
