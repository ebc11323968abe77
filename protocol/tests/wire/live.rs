//! Samples and random values of the live half.

use super::{
    samples::{Sample, command, message, publication, reply, signal, state},
    shapes::*,
};
use communiconnect_protocol::*;
use proptest::{option, prelude::*};
use std::collections::BTreeMap;

const LIVE: &str = "0199c82c-c000-7000-8000-000000000011";

fn live() -> Live {
    Live {
        id: id!("11"),
        post_id: id!("0a"),
        community_id: id!("02"),
        owner: user(),
        title: "Market day".into(),
        description: None,
        state: LiveState::Live,
        reason: None,
        visibility: Visibility::Public,
        viewers: Viewers { current: 3, peak: 5 },
        started_at: Some(AT),
        ended_at: None,
    }
}

fn over() -> Live {
    Live {
        description: Some("From the north".into()),
        state: LiveState::Ended,
        reason: Some(LiveReason::Stopped),
        viewers: Viewers { current: 0, peak: 5 },
        ended_at: Some(AT + 60_000),
        ..live()
    }
}

fn ice_servers() -> Vec<IceServer> {
    vec![
        IceServer { urls: vec!["stun:stun.example.org:3478".into()], username: None, credential: None },
        IceServer {
            urls: vec!["turn:turn.example.org:3478?transport=udp".into()],
            username: Some("1760003600:awa".into()),
            credential: Some("c2VjcmV0".into()),
        },
    ]
}

fn report() -> LiveReport {
    LiveReport {
        duration_ms: 60_000,
        viewers: ReportViewers { peak: 5, average: 2.5, unique: 7 },
        joins: 9,
        leaves: 9,
        watch_ms: watch_ms(),
        join_ms: JoinTimes { p50: 120, p95: 310 },
        join_phases: None,
        chat: ReportChat { messages: 12, people: 4 },
        reactions: reactions(),
        retention: vec![(0, 1), (10_000, 3)],
        interruptions: 1,
        upload: ReportUpload {
            bitrate: 1_500_000,
            loss: 0.5,
            worst: Some(
                "Your upload loses 6 % of packets: move closer to the router or lower the bitrate.".into(),
            ),
        },
    }
}

/// As it is since reports tell joining by phase.
fn report_with_phases() -> LiveReport {
    LiveReport { join_phases: Some(phases()), ..report() }
}

fn phases() -> JoinPhases {
    let times = JoinTimes { p50: 40, p95: 90 };
    JoinPhases { picture: Some(JoinTimes { p50: 15, p95: 60 }), ..phases_without_picture(times) }
}

fn phases_without_picture(times: JoinTimes) -> JoinPhases {
    JoinPhases {
        answer: times,
        connect: times,
        media: times,
        picture: None,
        total: JoinTimes { p50: 120, p95: 310 },
    }
}

fn watch_ms() -> WatchTimes {
    WatchTimes { total: 150_000, mean: 21_428, p50: 20_000, p95: 58_000 }
}

fn layer() -> Layer {
    Layer { rid: "h".into(), width: 1280, height: 720, fps: 30, bitrate: 1_500_000 }
}

fn figures() -> LiveFigures {
    LiveFigures {
        live_id: id!("11"),
        at: AT,
        duration_ms: 60_000,
        state: LiveState::Live,
        viewers: FiguresViewers { current: 3, peak: 5, average: 2.5, unique: 7 },
        joins: 9,
        leaves: 6,
        watch_ms: watch_ms(),
        join_ms: phases_without_picture(JoinTimes { p50: 40, p95: 90 }),
        chat: FiguresChat { messages: 12, people: 4, per_minute: 6 },
        reactions: FiguresReactions { counts: reactions(), per_minute: 30 },
        upload: UploadFigures {
            bitrate: 1_500_000,
            loss: 0.5,
            rtt_ms: Some(24),
            jitter_ms: 3,
            layers: vec![layer()],
            level: UploadLevel::Good,
            text: "Your upload arrives as it should.".into(),
        },
        peers: vec![PeerFigures {
            user_id: Some(id!("01")),
            bitrate: 1_480_000,
            loss: 0.0,
            rtt_ms: None,
            layer: Some("h".into()),
            freezes: 0,
        }],
    }
}

fn chat_message() -> ChatMessage {
    ChatMessage {
        id: id!("12"),
        op: "op-5".into(),
        user: user(),
        content: "Bonjour".into(),
        reply_to: Some(id!("13")),
        at: AT,
        stream_ms: Some(42_000),
    }
}

fn on_live() -> Channel {
    Channel::Live(id!("11"))
}

/// Every sample of the live half, in the order of the specification.
pub(crate) fn samples() -> Vec<Sample> {
    commands().into_iter().chain(replies()).chain(said_by_the_server()).collect()
}

fn commands() -> Vec<Sample> {
    let live_id: LiveId = id!("11");
    let peer_id: PeerId = id!("14");
    let sdp = || "v=0\r\n".to_owned();
    [
        Command::LiveStart(LiveStart {
            op: "op-4".into(),
            title: "Market day".into(),
            community_id: id!("02"),
            visibility: Visibility::Public,
            description: None,
        }),
        Command::LiveStop(LiveStop { live_id }),
        Command::LiveList(LiveList { community_id: Some(id!("02")), cursor: None }),
        Command::LiveGet(LiveGet { live_id }),
        Command::LiveJoin(LiveJoin { live_id }),
        Command::LiveLeave(LiveLeave { live_id }),
        Command::LiveReportGet(LiveReportGet { live_id }),
        Command::LiveKeyRotate(LiveKeyRotate {}),
        Command::LiveKeyGet(LiveKeyGet {}),
        Command::LiveDefaultsSet(LiveDefaultsSet {
            title: Some("Market day".into()),
            community_id: Some(id!("02")),
            visibility: Some(Visibility::Followers),
        }),
        Command::LiveBan(LiveBan { live_id, user_id: id!("01"), on: true }),
        Command::LiveBans(LiveBans { live_id, cursor: None }),
        Command::LiveReact(LiveReact { live_id, kind: ReactionKind::Love }),
        Command::ChatSend(ChatSend { op: "op-5".into(), live_id, content: "Bonjour".into(), reply_to: None }),
        Command::ChatDelete(ChatDelete { message_id: id!("12") }),
        Command::ChatSlowMode(ChatSlowMode { live_id, seconds: 10 }),
        Command::RtcPublish(RtcPublish { live_id, sdp: sdp() }),
        Command::RtcWatch(RtcWatch { live_id, sdp: sdp() }),
        Command::RtcTrickle(RtcTrickle {
            peer_id,
            candidate: Some(IceCandidate {
                candidate: "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host".into(),
                sdp_mid: Some("0".into()),
                sdp_m_line_index: Some(0),
            }),
        }),
        Command::RtcTrickle(RtcTrickle { peer_id, candidate: None }),
        Command::RtcRestart(RtcRestart { peer_id, sdp: sdp() }),
        Command::RtcLayer(RtcLayer { peer_id, max_height: MaxHeight::Lines(360) }),
        Command::RtcLayer(RtcLayer { peer_id, max_height: MaxHeight::Auto }),
        Command::RtcClose(RtcClose { peer_id }),
        Command::RtcProbe(RtcProbe { sdp: sdp() }),
    ]
    .map(command)
    .into()
}

fn replies() -> Vec<Sample> {
    let whip_url = || format!("https://example.org/v1/live/{LIVE}/whip");
    let key = || StreamKey("bGl2ZWtleQ".into());
    let slow_mode = StateItem {
        event: event::CHAT_SLOW_MODE.into(),
        key: LIVE.into(),
        version: 2,
        data: Data::of(&ChatSlowModeState { live_id: id!("11"), version: 2, seconds: 10 }),
    };
    let joined = Subscribed {
        channel: on_live(),
        offset: 7,
        recovered: Recovered::New,
        gap: None,
        publications: vec![],
        states: vec![slow_mode],
        ..subscribed()
    };
    vec![
        reply(
            "live.start",
            LiveStarted {
                live: Live {
                    state: LiveState::Created,
                    viewers: Viewers::default(),
                    started_at: None,
                    ..live()
                },
                stream_key: key(),
                whip_url: whip_url(),
                ice_servers: ice_servers(),
                changed: true,
            },
            |body| Reply::LiveStarted(Box::new(body)),
        ),
        reply("live.bans", Banned { users: vec![user()], cursor: None }, Reply::Banned),
        reply("live.list", Lives { lives: vec![live()], cursor: Some("c4".into()) }, Reply::Lives),
        reply("live.get", LiveReply { live: over() }, |body| Reply::Live(Box::new(body))),
        reply(
            "live.join",
            LiveJoined { live: live(), ice_servers: ice_servers(), subscribed: joined },
            |body| Reply::LiveJoined(Box::new(body)),
        ),
        reply("live.report", LiveReportReply { report: report() }, |body| Reply::LiveReport(Box::new(body))),
        reply("live.report", LiveReportReply { report: report_with_phases() }, |body| {
            Reply::LiveReport(Box::new(body))
        }),
        reply(
            "live.key.rotate",
            LiveKey { stream_key: key(), whip_url: "https://example.org/v1/whip".into() },
            Reply::LiveKey,
        ),
        reply(
            "live.key.get",
            LiveKeyInfo { exists: true, created_at: Some(AT), last_used_at: None },
            Reply::LiveKeyInfo,
        ),
        reply(
            "live.defaults",
            LiveDefaultsReply {
                defaults: LiveDefaults {
                    title: Some("Market day".into()),
                    community_id: Some(id!("02")),
                    visibility: Some(Visibility::Followers),
                },
                changed: true,
            },
            Reply::LiveDefaults,
        ),
        reply(
            "chat.send",
            ChatSent {
                message: chat_message(),
                position: ChannelPosition { channel: on_live(), position: position() },
            },
            |body| Reply::ChatSent(Box::new(body)),
        ),
        reply("rtc.publish", RtcAnswered { peer_id: id!("14"), sdp: "v=0\r\n".into() }, Reply::RtcAnswered),
        reply("rtc.trickle", Done {}, Reply::Done),
        reply("rtc.restart", RtcRestarted { sdp: "v=0\r\n".into() }, Reply::RtcRestarted),
        reply(
            "rtc.layer",
            RtcLayerReply { layers: vec![layer()], current: Some("h".into()) },
            Reply::RtcLayers,
        ),
        reply("rtc.probe", RtcProbed { sdp: "v=0\r\n".into(), ice_servers: ice_servers() }, Reply::RtcProbed),
    ]
}

fn said_by_the_server() -> Vec<Sample> {
    let (live_id, post_id, peer_id): (LiveId, PostId, PeerId) = (id!("11"), id!("0a"), id!("14"));
    let feed = || Channel::Feed(id!("02"));
    vec![
        publication(event::LIVE_STARTED, feed(), LiveEvent { live: live() }),
        publication(
            event::LIVE_INTERRUPTED,
            feed(),
            LiveInterrupted { live_id, post_id, reason: LiveReason::Lost },
        ),
        publication(event::LIVE_RESUMED, feed(), LiveResumed { live_id, post_id }),
        publication(
            event::LIVE_ENDED,
            feed(),
            LiveEnded {
                live_id,
                post_id,
                reason: LiveReason::Stopped,
                duration_ms: 60_000,
                viewers: ViewersTotal { peak: 5, unique: 7 },
            },
        ),
        publication(
            event::LIVE_ENDED,
            feed(),
            LiveEnded {
                live_id,
                post_id,
                reason: LiveReason::Drain,
                duration_ms: 60_000,
                viewers: ViewersTotal { peak: 5, unique: 7 },
            },
        ),
        publication(event::CHAT_MESSAGE, on_live(), chat_message()),
        publication(event::CHAT_DELETED, on_live(), ChatDeleted { message_id: id!("12") }),
        state(
            (event::LIVE_VIEWERS, LIVE, 8),
            on_live(),
            LiveViewersState { live_id, version: 8, viewers: Viewers { current: 3, peak: 5 } },
        ),
        state(
            (event::CHAT_SLOW_MODE, LIVE, 2),
            on_live(),
            ChatSlowModeState { live_id, version: 2, seconds: 10 },
        ),
        state((event::LIVE_FIGURES, LIVE, 60), Channel::AnalyticsLive(live_id), figures()),
        state(
            (event::LIVE_FIGURES, LIVE, 61),
            Channel::AnalyticsLive(live_id),
            LiveFigures { join_ms: phases(), ..figures() },
        ),
        signal(
            event::LIVE_REACTIONS,
            on_live(),
            LiveReactions { counts: BTreeMap::from([(ReactionKind::Love, 17)]), window_ms: 250 },
        ),
        message(event::RTC_CLOSED, RtcClosed { peer_id, reason: RtcCloseReason::Replaced }),
        message(
            event::RTC_LAYERS,
            RtcLayers { peer_id, layers: vec![layer()], current: None, cause: LayerCause::Bandwidth },
        ),
        message(
            event::RTC_WARNING,
            RtcWarning {
                peer_id,
                code: "b_frames".into(),
                text: "Your encoder sends B-frames, which browsers cannot show: turn them off.".into(),
            },
        ),
    ]
}

fn text() -> BoxedStrategy<String> {
    ".{0,40}".boxed()
}

fn live_id() -> impl Strategy<Value = LiveId> {
    any::<[u8; 16]>().prop_map(LiveId::from_bytes)
}

fn peer_id() -> impl Strategy<Value = PeerId> {
    any::<[u8; 16]>().prop_map(PeerId::from_bytes)
}

fn community_id() -> impl Strategy<Value = CommunityId> {
    any::<[u8; 16]>().prop_map(CommunityId::from_bytes)
}

fn message_id() -> impl Strategy<Value = ChatMessageId> {
    any::<[u8; 16]>().prop_map(ChatMessageId::from_bytes)
}

fn visibility() -> impl Strategy<Value = Visibility> {
    proptest::sample::select(Visibility::ALL)
}

fn rtc_command() -> BoxedStrategy<Command> {
    let candidate = (text(), option::of(text()), option::of(any::<u32>())).prop_map(
        |(candidate, sdp_mid, sdp_m_line_index)| IceCandidate { candidate, sdp_mid, sdp_m_line_index },
    );
    let height = prop_oneof![Just(MaxHeight::Auto), any::<u32>().prop_map(MaxHeight::Lines)];
    prop_oneof![
        (live_id(), text()).prop_map(|(live_id, sdp)| Command::RtcPublish(RtcPublish { live_id, sdp })),
        (live_id(), text()).prop_map(|(live_id, sdp)| Command::RtcWatch(RtcWatch { live_id, sdp })),
        (peer_id(), option::of(candidate))
            .prop_map(|(peer_id, candidate)| Command::RtcTrickle(RtcTrickle { peer_id, candidate })),
        (peer_id(), text()).prop_map(|(peer_id, sdp)| Command::RtcRestart(RtcRestart { peer_id, sdp })),
        (peer_id(), height)
            .prop_map(|(peer_id, max_height)| Command::RtcLayer(RtcLayer { peer_id, max_height })),
        peer_id().prop_map(|peer_id| Command::RtcClose(RtcClose { peer_id })),
        text().prop_map(|sdp| Command::RtcProbe(RtcProbe { sdp })),
    ]
    .boxed()
}

/// Any command of the live half.
pub(crate) fn command_strategy() -> BoxedStrategy<Command> {
    let start = (text(), text(), community_id(), visibility(), option::of(text()));
    let defaults = (option::of(text()), option::of(community_id()), option::of(visibility()));
    let user_id = any::<[u8; 16]>().prop_map(UserId::from_bytes);
    prop_oneof![
        start.prop_map(|(op, title, community_id, visibility, description)| {
            Command::LiveStart(LiveStart { op, title, community_id, visibility, description })
        }),
        live_id().prop_map(|live_id| Command::LiveStop(LiveStop { live_id })),
        (option::of(community_id()), option::of(text()))
            .prop_map(|(community_id, cursor)| Command::LiveList(LiveList { community_id, cursor })),
        live_id().prop_map(|live_id| Command::LiveJoin(LiveJoin { live_id })),
        defaults.prop_map(|(title, community_id, visibility)| {
            Command::LiveDefaultsSet(LiveDefaultsSet { title, community_id, visibility })
        }),
        (live_id(), user_id, any::<bool>()).prop_map(|(live_id, user_id, on)| Command::LiveBan(LiveBan {
            live_id,
            user_id,
            on
        })),
        (live_id(), option::of(text()))
            .prop_map(|(live_id, cursor)| Command::LiveBans(LiveBans { live_id, cursor })),
        (live_id(), proptest::sample::select(ReactionKind::ALL))
            .prop_map(|(live_id, kind)| Command::LiveReact(LiveReact { live_id, kind })),
        (text(), live_id(), text(), option::of(message_id())).prop_map(|(op, live_id, content, reply_to)| {
            Command::ChatSend(ChatSend { op, live_id, content, reply_to })
        }),
        message_id().prop_map(|message_id| Command::ChatDelete(ChatDelete { message_id })),
        (live_id(), any::<u32>())
            .prop_map(|(live_id, seconds)| Command::ChatSlowMode(ChatSlowMode { live_id, seconds })),
        rtc_command(),
    ]
    .boxed()
}

#[test]
fn no_key_is_shown_where_a_reply_is_logged() {
    let reply = LiveKey { stream_key: StreamKey("s3cret".into()), whip_url: "u".into() };
    assert!(!format!("{reply:?}").contains("s3cret"));
    assert!(!format!("{:?}", ice_servers()).contains("c2VjcmV0"));
}
