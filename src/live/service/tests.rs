//! What can be seen at the door without a packet: who may do what, in which order refusals come, what is told and stored.

use super::{
    testing::{door, door_with},
    *,
};
use crate::{
    hub::{HubParts, HubSettings, publisher::Publisher},
    live::registry::PeerRole,
    social::SocialAccess,
    store::{
        accounts::NewAccount,
        communities::{Membership, NewCommunity},
        people::Target,
        sql::{SqlSettings, SqlStore},
    },
};
use communiconnect_protocol::{CommunityId, Live, LiveReason, Role, StreamKey};
use std::net::{IpAddr, Ipv4Addr};

pub(super) const PUBLISH: &str = include_str!("../rtc/sdp/fixtures/chromium-publish.offer.sdp");
const WATCH: &str = include_str!("../rtc/sdp/fixtures/chromium-watch.offer.sdp");

pub(super) struct World {
    pub(super) lives: LiveService,
    pub(super) stores: Stores,
    pub(super) hub: Arc<Hub>,
    pub(super) tasks: Tasks,
    community: CommunityId,
    pub(super) ada: Actor,
    pub(super) bob: Actor,
    _folder: tempfile::TempDir,
}

impl World {
    /// Ada moderates a community; Bob is a member of it.
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (committed, commits) = mpsc::channel(64);
        let store = SqlStore::in_folder(folder.path(), SqlSettings::default(), committed).expect("a store");
        let stores = Arc::new(store).stores();
        let tasks = Tasks::default();
        let hub = Hub::new(HubParts {
            settings: HubSettings::default(),
            access: Arc::new(SocialAccess::new(&stores)),
            log: stores.log.clone(),
            tasks: tasks.clone(),
        });
        let broker: SharedBroker = Arc::new(crate::broker::memory::MemoryBroker::new(hub.clone()));
        tasks.spawn(Publisher::new(broker).run(commits));
        let lives = door(&stores, &hub, None, &tasks).await;
        let (ada, bob) = (person(&stores, "ada").await, person(&stores, "bob").await);
        let new = NewCommunity { name: "All".into(), parent_id: None, at: now_ms() };
        let op = Op { id: "all".into(), digest: [0; 32] };
        let made = stores.communities.create(ada, op, new, Box::new(|_| Ok(()))).await.expect("made");
        let membership = Membership { community_id: made.id, on: true, at: now_ms() };
        stores.communities.set_member(bob, membership).await.expect("joined");
        Self { lives, stores, hub, tasks, community: made.id, ada, bob, _folder: folder }
    }

    pub(super) async fn start(&self, by: Actor, op: &str) -> LiveStarted {
        self.lives.start(by, self.wish(op, Visibility::Public), now_ms()).await.expect("started")
    }

    pub(super) fn wish(&self, op: &str, visibility: Visibility) -> LiveStart {
        LiveStart {
            op: op.into(),
            title: "Market day".into(),
            community_id: self.community,
            visibility,
            description: None,
        }
    }

    pub(super) async fn state_of(&self, live: LiveId) -> (LiveState, Option<LiveReason>) {
        let live = self.live(live).await;
        (live.state, live.reason)
    }

    async fn live(&self, live: LiveId) -> Live {
        self.lives.get(self.ada.into(), live).await.expect("there").live
    }

    /// Waits until the live is in a state: what peers bring is noted after they are answered.
    pub(super) async fn comes_to(&self, live: LiveId, state: LiveState) {
        for _ in 0..500 {
            if self.live(live).await.state == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{live} never came to {state:?}: {:?}", self.live(live).await);
    }
}

async fn person(stores: &Stores, name: &str) -> Actor {
    let account = NewAccount {
        username: name.into(),
        email: format!("{name}@example.org"),
        name: name.into(),
        password_hash: "-".into(),
        at: now_ms(),
    };
    let user = stores.accounts.register(account).await.expect("a free name");
    Actor { user: user.id, role: Role::User }
}

pub(super) fn offered(sdp: &str) -> Offered {
    Offered { sdp: sdp.into(), client: IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

fn code<T>(outcome: Result<T, ErrorBody>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

const GUEST: Viewer = Viewer { reader: Reader { user: None, role: Role::User }, session: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_begins_takes_an_encoder_and_ends_with_the_same_report_each_time() {
    let world = World::new().await;
    let started = world.start(world.ada, "a").await;
    let id = started.live.id;
    assert!(started.changed && started.whip_url == format!("/v1/live/{id}/whip"));
    assert_eq!(started.live.state, LiveState::Created);
    let key = started.stream_key.0.clone();
    let answered = world.lives.publish(Sender::Key(key, id), offered(PUBLISH)).await.expect("answered");
    assert!(answered.sdp.contains("a=recvonly") && answered.sdp.contains("a=ice-lite"));
    assert_eq!(
        (answered.peer.role, answered.peer.owner),
        (PeerRole::Publisher, PeerOwner::User(world.ada.user))
    );
    world.comes_to(id, LiveState::Connecting).await;
    let early = world.lives.watch(GUEST, id, offered(WATCH)).await.expect_err("no picture yet");
    assert_eq!((early.code, early.retry_after_ms.is_some()), (Code::Conflict, true));

    assert_eq!(code(world.lives.stop(world.bob, id).await), Some(Code::Forbidden));
    let report = world.lives.stop(world.ada, id).await.expect("stopped");
    assert_eq!(world.lives.stop(world.ada, id).await, Ok(report.clone()), "again");
    assert_eq!(world.lives.report(world.ada, id).await, Ok(report));
    assert_eq!(code(world.lives.report(world.bob, id).await), Some(Code::Forbidden));
    assert_eq!(world.state_of(id).await, (LiveState::Ended, Some(LiveReason::Stopped)));
    let gone = world.lives.peer(answered.peer.id, answered.peer.owner);
    assert_eq!(code(gone), Some(Code::NotFound), "its peers are closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_start_one_live_and_the_newest_key_opens_it() {
    let world = World::new().await;
    let (one, other) = tokio::join!(world.start(world.ada, "phone"), world.start(world.ada, "laptop"));
    assert_eq!(one.live.id, other.live.id);
    assert!(one.changed ^ other.changed);
    let id = one.live.id;
    let newest = world.start(world.ada, "tablet").await;
    let publish =
        async |key: &StreamKey| world.lives.publish(Sender::Key(key.0.clone(), id), offered(PUBLISH)).await;
    for dead in [&one.stream_key, &other.stream_key] {
        assert_eq!(code(publish(dead).await), Some(Code::Unauthenticated));
    }
    publish(&newest.stream_key).await.expect("the newest opens it");
    world.lives.stop(world.ada, id).await.expect("stopped");
    assert_eq!(code(publish(&newest.stream_key).await), Some(Code::Unauthenticated), "it died with its live");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_offers_come_in_the_order_of_the_contract() {
    let world = World::new().await;
    let started = world.start(world.ada, "a").await;
    let id = started.live.id;
    let publish = async |sender, sdp: &str| code(world.lives.publish(sender, offered(sdp)).await);
    let (own, foreign) = (Sender::Owner(world.ada, id), Sender::Owner(world.bob, id));
    assert_eq!(publish(Sender::Key("nonsense".into(), id), "").await, Some(Code::Unauthenticated));
    let nowhere = Sender::Owner(world.ada, LiveId::NOTHING);
    assert_eq!(publish(nowhere, "").await, Some(Code::NotFound));
    assert_eq!(publish(foreign, "").await, Some(Code::Forbidden));
    assert_eq!(publish(own.clone(), "").await, Some(Code::BadRequest));
    let huge = "v".repeat(70_000);
    assert_eq!(publish(own.clone(), &huge).await, Some(Code::TooLarge));
    assert_eq!(publish(own.clone(), WATCH).await, Some(Code::Invalid), "understood, and the wrong way round");
    let other = world.start(world.bob, "b").await;
    let wrong_door = Sender::Key(other.stream_key.0, id);
    assert_eq!(publish(wrong_door, "").await, Some(Code::Forbidden), "another's valid key");
    world.lives.stop(world.ada, id).await.expect("stopped");
    assert_eq!(publish(own.clone(), "").await, Some(Code::BadRequest), "before the state of the live");
    assert_eq!(publish(own.clone(), PUBLISH).await, Some(Code::Conflict));
    assert_eq!(publish(own, WATCH).await, Some(Code::Conflict), "before what is not supported");
    assert_eq!(code(world.lives.watch(GUEST, id, offered(WATCH)).await), Some(Code::Conflict));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_may_not_see_is_not_there() {
    let world = World::new().await;
    let wish = world.wish("a", Visibility::Followers);
    let id = world.lives.start(world.ada, wish, now_ms()).await.expect("started").live.id;
    let session = SessionId::new(1);
    let seen = async || {
        let got = world.lives.get(world.bob.into(), id).await;
        let joined = world.lives.join(world.bob.into(), session, id).await;
        (code(got), code(joined), code(world.lives.report(world.bob, id).await))
    };
    let nothing = Some(Code::NotFound);
    assert_eq!(seen().await, (nothing, nothing, nothing));
    assert_eq!(world.lives.is_for_followers(id).await, Ok(true));
    let target = Target { user: world.ada.user, on: true, at: now_ms() };
    world
        .stores
        .people
        .set_follow(world.bob, target, Box::new(|_| Ok(())), policy::hears)
        .await
        .expect("followed");
    assert_eq!(seen().await, (None, None, Some(Code::Forbidden)));
    let list = world.lives.list(world.bob.into(), LiveList::default()).await.expect("a page");
    assert_eq!(list.lives.len(), 1);

    let block = Target { user: world.bob.user, on: true, at: now_ms() };
    world.stores.people.set_block(world.ada, block, policy::hears).await.expect("blocked");
    world.lives.rights_changed(world.ada.user, world.bob.user).await;
    assert_eq!(seen().await, (nothing, nothing, nothing));
    assert_eq!(world.lives.list(world.bob.into(), LiveList::default()).await.expect("a page").lives, []);
    let report = world.lives.report(world.ada, id).await.expect("the owner's").report;
    assert_eq!((report.joins, report.leaves), (1, 1), "who may no longer watch is no viewer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_is_counted_until_the_session_ends() {
    let world = World::new().await;
    let id = world.start(world.ada, "a").await.live.id;
    let [tab, other_tab, guest] = [1, 2, 3].map(SessionId::new);
    let nobody = GUEST.reader;
    for (reader, session) in [(world.bob.into(), tab), (world.bob.into(), other_tab), (nobody, guest)] {
        world.lives.join(reader, session, id).await.expect("joined");
    }
    world.lives.join(world.ada.into(), SessionId::new(4), id).await.expect("the owner looks in");
    let report = async || world.lives.report(world.ada, id).await.expect("so far").report;
    assert_eq!((report().await.joins, report().await.viewers.peak), (2, 2));
    assert_eq!(world.lives.leave(world.bob.into(), tab, id).await, Ok(Changed { changed: false }));
    assert_eq!(report().await.leaves, 0, "another tab is there");
    world.lives.left(other_tab).await;
    world.lives.left(guest).await;
    assert_eq!(report().await.leaves, 2);
    assert!(!world.lives.parts.registry.has_joined(guest), "a session that is gone is forgotten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_would_leave_of_a_live_knows_of_everybody_whom_its_viewers_count() {
    let world = World::new().await;
    let id = world.start(world.ada, "a").await.live.id;
    for (number, session) in [(1, SessionId::new(1)), (2, SessionId::new(2))] {
        world.lives.join(GUEST.reader, session, id).await.expect("joined");
        while world.live(id).await.viewers.peak < number {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let noted = world.stores.lives.report(id).await.expect("read").expect("noted");
        assert_eq!((noted.viewers.peak, noted.viewers.unique, noted.joins), (number, number, number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_is_paced_and_kept_in_order_by_owner_and_moderators() {
    let world = World::new().await;
    // Bob's live in Ada's community.
    let id = world.start(world.bob, "a").await.live.id;
    let eve = person(&world.stores, "eve").await;
    // One time for all: a retry may come within the millisecond of what it repeats.
    let at = now_ms();
    let say = async |by: Actor, op: &str, content: &str| {
        let body = ChatSend { op: op.into(), live_id: id, content: content.into(), reply_to: None };
        world.lives.chat_send(by, body, at).await
    };
    for bad in ["", "  ", &"x".repeat(501)] {
        assert_eq!(code(say(eve, "bad", bad).await), Some(Code::Invalid));
    }
    let sent = say(eve, "1", "hello").await.expect("said");
    assert_eq!(say(eve, "1", "hello").await.expect("a retry"), sent);
    for number in 2..=5 {
        say(eve, &number.to_string(), "again").await.expect("five a second");
    }
    let refusal = say(eve, "6", "again").await.expect_err("the sixth");
    assert_eq!((refusal.code, refusal.retry_after_ms.is_some()), (Code::RateLimited, true));

    let slow =
        async |by, seconds| world.lives.slow_mode(by, ChatSlowMode { live_id: id, seconds }, now_ms()).await;
    assert_eq!(code(slow(eve, 10).await), Some(Code::Forbidden));
    assert_eq!(code(slow(world.bob, 301).await), Some(Code::Invalid));
    assert_eq!(slow(world.ada, 300).await, Ok(Changed { changed: true }));
    say(world.bob, "owner", "one").await.expect("said");
    say(world.bob, "owner 2", "two").await.expect("owners need not wait");

    let delete =
        async |by| world.lives.chat_delete(by, ChatDelete { message_id: sent.message.id }, now_ms()).await;
    let fay = person(&world.stores, "fay").await;
    assert_eq!(code(delete(fay).await), Some(Code::Forbidden));
    assert_eq!(delete(world.ada).await, Ok(Changed { changed: true }));
    assert_eq!(code(delete(world.ada).await), Some(Code::NotFound));

    let ban =
        async |by, user_id, on| world.lives.ban(by, LiveBan { live_id: id, user_id, on }, now_ms()).await;
    assert_eq!(code(ban(eve, fay.user, true).await), Some(Code::Forbidden));
    assert_eq!(code(ban(world.ada, world.bob.user, true).await), Some(Code::Invalid), "its owner");
    assert_eq!(ban(world.bob, eve.user, true).await, Ok(Changed { changed: true }));
    assert_eq!(code(say(eve, "7", "me again").await), Some(Code::Forbidden));
    assert_eq!(code(world.lives.join(eve.into(), SessionId::new(1), id).await), Some(Code::Forbidden));
    let bans = async |by, cursor| world.lives.bans(by, LiveBans { live_id: id, cursor }).await;
    assert_eq!(code(bans(fay, None).await), Some(Code::Forbidden));
    assert_eq!(code(bans(world.ada, Some("?".into())).await), Some(Code::Invalid));
    let banned = bans(world.ada, None).await.expect("listed for those who keep order");
    assert_eq!((banned.users[0].id, banned.users.len(), banned.cursor), (eve.user, 1, None));
    ban(world.bob, eve.user, false).await.expect("let in again");
    world.lives.join(eve.into(), SessionId::new(1), id).await.expect("welcome");
    let chat = world.lives.report(world.bob, id).await.expect("so far").report.chat;
    assert_eq!((chat.messages, chat.people), (7, 2), "retries and refusals are none");
    world.lives.stop(world.bob, id).await.expect("stopped");
    assert_eq!(code(say(world.ada, "late", "bye").await), Some(Code::Conflict));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lasting_key_starts_a_live_by_itself_once_it_knows_what_kind() {
    let world = World::new().await;
    let key = world.lives.rotate_key(world.ada, now_ms()).await.expect("made");
    assert_eq!(key.whip_url, "/v1/whip");
    let publish =
        async |sdp| world.lives.publish(Sender::AnyKey(key.stream_key.0.clone()), offered(sdp)).await;
    let refusal = publish(PUBLISH).await.expect_err("no defaults");
    assert!(refusal.code == Code::Conflict && refusal.message.contains("live.defaults"), "{refusal:?}");
    let defaults = LiveDefaultsSet {
        title: Some("From OBS".into()),
        community_id: Some(world.community),
        visibility: None,
    };
    world.lives.set_defaults(world.ada, defaults).await.expect("set");
    assert_eq!(code(publish("").await), Some(Code::BadRequest));
    let none = world.lives.list(world.ada.into(), LiveList::default()).await.expect("a page").lives;
    assert_eq!(none, [], "nothing is begun for an offer that cannot be read");
    let answered = publish(PUBLISH).await.expect("answered");
    let live = world.live(answered.peer.live).await;
    assert_eq!((live.title.as_str(), live.visibility), ("From OBS", Visibility::Public));
    let again = publish(PUBLISH).await.expect("it feeds the one that runs");
    assert_eq!(again.peer.live, live.id);

    let info = world.lives.key_info(world.ada).await.expect("known");
    assert!(info.exists && info.last_used_at.is_some());
    world.lives.stop(world.ada, live.id).await.expect("stopped");
    let refusal = publish(PUBLISH).await.expect_err("OBS reconnects by itself");
    assert!(refusal.code == Code::Conflict && refusal.retry_after_ms.is_some(), "{refusal:?}");
    world.lives.rotate_key(world.ada, now_ms()).await.expect("rotated");
    assert_eq!(code(publish(PUBLISH).await), Some(Code::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_is_its_owners_from_any_session_and_nobody_elses() {
    let world = World::new().await;
    let id = world.start(world.ada, "a").await.live.id;
    let first = world.lives.publish(Sender::Owner(world.ada, id), offered(PUBLISH)).await.expect("answered");
    let peer = first.peer.id;
    let own = PeerOwner::User(world.ada.user);
    assert_eq!(code(world.lives.peer(peer, PeerOwner::User(world.bob.user))), Some(Code::NotFound));
    let entry = world.lives.peer(peer, own).expect("its owner's");
    let by_secret = world.lives.peer_by_secret(&entry.secret).expect("known");
    assert_eq!((by_secret.id, by_secret.secret.len()), (peer, 32));
    world.lives.trickle(&entry).expect("taken");
    let etag = entry.etag();
    let same = world.lives.restart(&entry, PUBLISH);
    assert!(same.is_err(), "no new credentials: {same:?}");
    assert_eq!(entry.etag(), etag, "a failed restart keeps the old session");

    let second = world.lives.publish(Sender::Owner(world.ada, id), offered(PUBLISH)).await.expect("answered");
    let gone = || async { world.lives.peer(peer, own).is_err() };
    for _ in 0..500 {
        if gone().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(gone().await, "of two that never connected, the newest stays");
    assert!(world.lives.close(&second.peer).await);
    assert!(!world.lives.close(&second.peer).await, "once");
    world.comes_to(id, LiveState::Created).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_post_ends_its_live_here_too() {
    let world = World::new().await;
    let started = world.start(world.ada, "a").await;
    let peer = world.lives.publish(Sender::Owner(world.ada, started.live.id), offered(PUBLISH)).await;
    let peer = peer.expect("answered").peer;
    let post = started.live.post_id;
    world.stores.posts.delete(world.ada, post, now_ms(), Box::new(|_| Ok(()))).await.expect("deleted");
    world.lives.post_removed(post).await;
    assert_eq!(code(world.lives.get(world.ada.into(), started.live.id).await), Some(Code::NotFound));
    for _ in 0..500 {
        if world.lives.parts.registry.live(started.live.id).is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(code(world.lives.peer(peer.id, peer.owner)), Some(Code::NotFound));
    assert!(world.start(world.ada, "b").await.changed, "and another may begin");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_ends_its_lives_and_one_that_died_finds_none() {
    let world = World::new().await;
    let id = world.start(world.ada, "a").await.live.id;
    let tasks = Tasks::default();
    // Another run of the same node: what the first had left behind is over before anything else is done.
    let again = door(&world.stores, &world.hub, None, &tasks).await;
    assert_eq!(again.list(world.ada.into(), LiveList::default()).await.expect("a page").lives, []);
    assert_eq!(world.state_of(id).await, (LiveState::Ended, Some(LiveReason::Lost)));
    let wish = world.wish("b", Visibility::Public);
    let second = again.start(world.ada, wish, now_ms()).await.expect("started").live.id;
    assert_eq!(tasks.stop(Duration::from_secs(5)).await, 0, "every task ends");
    assert_eq!(world.state_of(second).await, (LiveState::Ended, Some(LiveReason::Drain)));
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_that_another_node_carries_is_neither_over_nor_ended_from_here() {
    let world = World::new().await;
    let id = world.start(world.ada, "a").await.live.id;
    let tasks = Tasks::default();
    let settings = LiveSettings { node: "other".to_owned(), ..LiveSettings::default() };
    let other = door_with(settings, (&world.stores, &world.hub), None, &tasks).await;
    let state = world.state_of(id).await;

    let refusals = [
        other.join(world.ada.into(), SessionId::new(1), id).await.err(),
        other.publish(Sender::Owner(world.ada, id), offered(PUBLISH)).await.err(),
        other.stop(world.ada, id).await.err(),
    ];
    for refusal in refusals {
        let refusal = refusal.expect("it is carried elsewhere");
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Unavailable, Some(5_000)));
        let node = &world.lives.parts.settings.node;
        assert!(refusal.message.contains(&format!("node {node};")), "{}", refusal.message);
    }
    assert_eq!(world.state_of(id).await, state, "it goes on");
    assert!(world.lives.stop(world.ada, id).await.is_ok());
    let ended = other.publish(Sender::Owner(world.ada, id), offered(PUBLISH)).await;
    assert_eq!(code(ended), Some(Code::Conflict));
    assert!(other.stop(world.ada, id).await.is_ok(), "again, it answers the same");
    tasks.stop(Duration::from_millis(1)).await;
    world.tasks.stop(Duration::from_millis(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_sends_everybody_away_takes_nothing_new_and_says_when_to_ask_again() {
    let world = World::new().await;
    let started = world.start(world.ada, "a").await;
    let (id, key) = (started.live.id, started.stream_key.0.clone());
    let change = crate::store::lives::LiveChange {
        id,
        state: LiveState::Live,
        reason: None,
        lease: world.lives.lease(),
        at: now_ms(),
    };
    world.stores.lives.change(change).await.expect("it can be watched");
    world.hub.take_no_sessions();
    let refusals = [
        world.lives.publish(Sender::Key(key.clone(), id), offered(PUBLISH)).await.err(),
        world.lives.publish(Sender::AnyKey(key), offered(PUBLISH)).await.err(),
        world.lives.watch(GUEST, id, offered(WATCH)).await.err(),
        world.lives.start(world.bob, world.wish("b", Visibility::Public), now_ms()).await.err(),
    ];
    for refusal in refusals {
        let refusal = refusal.expect("refused");
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Unavailable, Some(1_000)), "{refusal:?}");
    }
    let unreadable = world.lives.watch(GUEST, id, offered("nonsense")).await;
    assert_eq!(code(unreadable), Some(Code::BadRequest), "what is wrong with it comes first");
    world.hub.take_sessions();
    assert!(world.lives.watch(GUEST, id, offered(WATCH)).await.is_ok());
    world.tasks.stop(Duration::from_millis(1)).await;
}
