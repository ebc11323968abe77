//! Chat is the log of a live: one order for all, history after the end, and nothing left of what is deleted.

use super::{
    World,
    lives::on_air,
    world::{no, op, refusal, yes},
};
use crate::{
    publication::Audience,
    store::{
        Actor, LiveFacts, Rule, StoreError,
        chat::{Ban, NewMessage, SlowMode},
        lives::WhichLive,
        log::{PageSize, Range},
    },
};
use communiconnect_protocol::{
    Channel, ChatDeleted, ChatMessage, ChatMessageId, ChatSlowModeState, Code, ErrorBody, LiveId,
    UserControl, event,
};
use futures_util::future::join_all;

fn message(world: &World, live_id: LiveId, content: &str, reply_to: Option<ChatMessageId>) -> NewMessage {
    NewMessage { live_id, content: content.into(), reply_to, at: world.now() }
}

pub(crate) async fn say(world: &World, by: Actor, live: LiveId, content: &str) -> ChatMessageId {
    let new = message(world, live, content, None);
    world.stores.chat.send(by, world.op(), new, yes()).await.expect("said").0.id
}

pub(crate) async fn messages_are_publications_of_their_live(world: World) {
    let [ada, bob] = [world.person("ada").await, world.person("bob").await];
    let community = world.community(ada, "All", None).await.id;
    let id = on_air(&world, ada, community).await.live.id;
    world.told().await;
    world.pass(42_000);
    let new = message(&world, id, "Bonjour", None);
    let sent = world.stores.chat.send(bob, op("hi"), new.clone(), yes()).await.expect("said");
    let (said, position) = sent.clone();
    assert_eq!((said.op.as_str(), said.user.id, said.content.as_str()), ("hi", bob.user, "Bonjour"));
    assert_eq!((said.at, said.stream_ms), (world.now(), Some(42_000)));
    assert_eq!((position.channel, position.position.offset), (Channel::Live(id), 2));
    let told = world.told().await;
    assert_eq!(told.channels_of(event::CHAT_MESSAGE), [Channel::Live(id)]);
    assert_eq!(told.publications[0].actor, Some(bob.user));
    assert_eq!(told.publications[0].data.read::<ChatMessage>().expect("a message"), said);
    world.pass(1_000);
    assert_eq!(world.stores.chat.send(bob, op("hi"), new, yes()).await, Ok(sent), "a retry says it once");
    assert_eq!(world.told().await.events(), Vec::<&str>::new());

    let refused = world.stores.chat.send(bob, world.op(), message(&world, id, "no", None), no()).await;
    assert_eq!(refused.err(), Some(refusal().into()));
    let nowhere = message(&world, LiveId::new(1), "who?", None);
    let lost = world.stores.chat.send(bob, world.op(), nowhere, yes()).await;
    assert_eq!(lost.err(), Some(StoreError::NotFound("live")));
}

pub(crate) async fn a_message_answers_one_of_the_same_live(world: World) {
    let [ada, bob] = [world.person("ada").await, world.person("bob").await];
    let community = world.community(ada, "All", None).await.id;
    let here = on_air(&world, ada, community).await.live.id;
    let elsewhere = on_air(&world, bob, community).await.live.id;
    let first = say(&world, bob, here, "first").await;
    let answer = message(&world, here, "indeed", Some(first));
    let (said, _) = world.stores.chat.send(ada, world.op(), answer, yes()).await.expect("said");
    assert_eq!(said.reply_to, Some(first));
    let stray = message(&world, elsewhere, "indeed", Some(first));
    let refused = world.stores.chat.send(ada, world.op(), stray, yes()).await;
    assert_eq!(refused.err(), Some(StoreError::NotFound("message")));
}

/// Those of one group commit are judged and answered as those that come one by one.
pub(crate) async fn messages_of_a_crowd_have_one_order_and_are_judged_one_by_one(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let id = on_air(&world, ada, community).await.live.id;
    let pest = world.person("pest").await;
    let ban = Ban { live_id: id, user: pest.user, on: true, at: world.now() };
    world.stores.chat.set_ban(ada, ban, yes()).await.expect("banned");
    let first = say(&world, ada, id, "first").await;
    let mut people = Vec::new();
    for number in 0..30 {
        people.push(world.person(&format!("person{number}")).await);
    }
    world.told().await;
    let chat = &world.stores.chat;
    let orderly = || -> Rule<LiveFacts> {
        Box::new(|live| match live.banned {
            true => Err(ErrorBody::new(Code::Forbidden, "banned")),
            false => Ok(()),
        })
    };
    let crowd = people.iter().map(|by| {
        let new = message(&world, id, "at once", Some(first));
        // Twice under one name, as a client does whose answer was lost.
        let twice = (new.clone(), op(&format!("op-{}", by.user)));
        async move {
            (
                chat.send(*by, twice.1.clone(), new, orderly()).await,
                chat.send(*by, twice.1, twice.0, orderly()).await,
            )
        }
    });
    let stray = message(&world, id, "to nobody", Some(ChatMessageId::new(1)));
    let nowhere = message(&world, LiveId::new(1), "who?", None);
    let (said, refused, lost, unheard) = tokio::join!(
        join_all(crowd),
        chat.send(pest, world.op(), message(&world, id, "spam", None), orderly()),
        chat.send(ada, world.op(), stray, orderly()),
        chat.send(ada, world.op(), nowhere, orderly()),
    );
    let refused = ErrorBody::from(refused.expect_err("he was banned"));
    assert_eq!(refused.code, Code::Forbidden);
    assert_eq!(lost.err(), Some(StoreError::NotFound("message")));
    assert_eq!(unheard.err(), Some(StoreError::NotFound("live")));
    let mut offsets = Vec::new();
    for (once, again) in said {
        let (message, position) = once.clone().expect("said");
        assert_eq!((message.reply_to, again), (Some(first), once), "the same answer");
        offsets.push(position.position.offset);
    }
    offsets.sort_unstable();
    let begun = offsets[0];
    assert_eq!(offsets, (begun..begun + 30).collect::<Vec<_>>(), "each once, without a hole");
    assert_eq!(world.told().await.events(), [event::CHAT_MESSAGE; 30]);
    let last = say(&world, people[0], id, "known to the tables").await;
    let answer = message(&world, id, "indeed", Some(last));
    assert!(chat.send(ada, world.op(), answer, yes()).await.is_ok());
}

pub(crate) async fn a_deleted_message_is_gone_from_history(world: World) {
    let [ada, bob] = [world.person("ada").await, world.person("bob").await];
    let community = world.community(ada, "All", None).await.id;
    let id = on_air(&world, ada, community).await.live.id;
    let bad = say(&world, bob, id, "spam").await;
    say(&world, bob, id, "sorry").await;
    world.told().await;
    assert_eq!(world.stores.chat.delete(ada, bad, world.now(), no()).await, Err(refusal().into()));
    assert_eq!(world.stores.chat.delete(ada, bad, world.now(), yes()).await, Ok(id));
    let told = world.told().await;
    assert_eq!(told.channels_of(event::CHAT_DELETED), [Channel::Live(id)]);
    assert_eq!(told.publications[0].actor, None, "a moderator is not named");
    let body: ChatDeleted = told.publications[0].data.read().expect("an event");
    assert_eq!(body.message_id, bad);
    let again = world.stores.chat.delete(ada, bad, world.now(), yes()).await;
    assert_eq!(again, Err(StoreError::NotFound("message")));
    let size = PageSize { items: 100, bytes: 1 << 20 };
    let page = world.stores.log.page(&Channel::Live(id), Range::After(0), size).await.expect("a page");
    let seen: Vec<(&str, Audience)> =
        page.publications.iter().map(|entry| (&*entry.event, entry.audience)).collect();
    let readers = Audience::Readers;
    assert_eq!(
        seen,
        [
            (event::LIVE_STARTED, readers),
            ("", Audience::Nobody),
            (event::CHAT_MESSAGE, readers),
            (event::CHAT_DELETED, readers)
        ]
    );
}

pub(crate) async fn a_ban_is_known_to_rules_and_told_to_the_server(world: World) {
    let [ada, bob] = [world.person("ada").await, world.person("bob").await];
    let community = world.community(ada, "All", None).await.id;
    let id = on_air(&world, ada, community).await.live.id;
    world.told().await;
    let ban = |on| Ban { live_id: id, user: bob.user, on, at: world.now() };
    let is_banned = async || {
        let found = world.stores.lives.get(bob.into(), WhichLive::Id(id)).await.expect("read");
        found.expect("there").facts.banned
    };
    assert_eq!(world.stores.chat.set_ban(ada, ban(true), no()).await, Err(refusal().into()));
    assert_eq!(world.stores.chat.set_ban(ada, ban(true), yes()).await, Ok(true));
    assert_eq!(world.stores.chat.set_ban(ada, ban(true), yes()).await, Ok(false));
    assert!(is_banned().await);
    let banned = async |before| {
        let found = world.stores.chat.bans(id, before, 2).await.expect("read");
        found.into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    assert_eq!(banned(None).await, [bob.user]);
    let told = world.told().await;
    let entries = told.of(&Channel::User(bob.user));
    assert_eq!((told.publications.len(), entries[0].audience), (1, Audience::Server));
    let control: UserControl = entries[0].data.read().expect("an entry");
    assert_eq!(control, UserControl::Banned { live: id });
    assert_eq!(world.stores.chat.set_ban(ada, ban(false), yes()).await, Ok(true));
    assert!(!is_banned().await);
    assert_eq!(world.told().await.events(), Vec::<&str>::new());
    assert_eq!(banned(None).await, []);

    let mut crowd = [bob.user, world.person("cyd").await.user, world.person("dan").await.user];
    for user in crowd {
        world.stores.chat.set_ban(ada, Ban { user, ..ban(true) }, yes()).await.expect("banned");
    }
    crowd.sort_by(|one, other| other.as_bytes().cmp(one.as_bytes()));
    assert_eq!(banned(None).await, crowd[..2]);
    assert_eq!(banned(Some(crowd[1])).await, crowd[2..]);
    assert_eq!(world.stores.chat.bans(LiveId::new(1), None, 2).await, Ok(vec![]));
}

pub(crate) async fn slow_mode_is_a_state(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let id = on_air(&world, ada, community).await.live.id;
    world.told().await;
    let set = async |seconds| {
        let wish = SlowMode { live_id: id, seconds, at: world.now() };
        world.stores.chat.set_slow_mode(ada, wish, yes()).await
    };
    assert_eq!((set(0).await, set(10).await, set(10).await), (Ok(false), Ok(true), Ok(false)));
    let told = world.told().await;
    let states: Vec<ChatSlowModeState> =
        told.states.iter().map(|state| state.data.read().expect("a state")).collect();
    let state = ChatSlowModeState { live_id: id, version: 1, seconds: 10 };
    assert_eq!(states, [state]);
    assert_eq!(world.stores.chat.slow_mode(id).await, Ok(Some(state)));
    assert_eq!(world.stores.chat.slow_mode(LiveId::new(1)).await, Ok(None));
}

pub(crate) async fn old_messages_are_swept_with_the_log(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let world = world.reopened(super::Bounds { keep_ms: 10_000, ..super::Bounds::default() }).await;
    let id = on_air(&world, ada, community).await.live.id;
    let old = say(&world, ada, id, "old").await;
    world.pass(20_000);
    let young = say(&world, ada, id, "young").await;
    while world.stores.log.trim(world.now()).await.expect("trimmed") > 0 {}
    let gone = world.stores.chat.delete(ada, old, world.now(), yes()).await;
    assert_eq!(gone, Err(StoreError::NotFound("message")));
    assert_eq!(world.stores.chat.delete(ada, young, world.now(), yes()).await, Ok(id));
}
