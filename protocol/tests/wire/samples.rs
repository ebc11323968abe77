//! One of everything that goes over the wire.

use super::{live, shapes::*};
use communiconnect_protocol::*;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug};

type Check = dyn Fn(Format, &[u8]);

/// Something that goes over the wire.
pub(crate) struct Sample {
    /// `command NAME`, `reply NAME`, `push NAME` or `data NAME`.
    pub(crate) heading: String,
    /// Its bytes in one format.
    pub(crate) encode: Box<dyn Fn(Format) -> Vec<u8>>,
    /// Fails unless the bytes read back as the same value.
    pub(crate) check: Box<Check>,
}

/// Every sample, in the order of the specification.
pub(crate) fn all() -> Vec<Sample> {
    [commands(), replies(), pushes(), events(), live::samples()].into_iter().flatten().collect()
}

pub(crate) fn command(command: Command) -> Sample {
    let sent = command.clone();
    Sample {
        heading: format!("command {}", command.name()),
        encode: Box::new(move |format| encode_command(format, 7, sent.name(), &sent).to_vec()),
        check: Box::new(move |format, bytes| {
            assert_eq!(decode_command(format, bytes), Ok((7, command.clone())), "{format:?}");
        }),
    }
}

pub(crate) fn reply<T>(name: &str, body: T, wrap: fn(T) -> Reply) -> Sample
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone + 'static,
{
    let sent = wrap(body.clone());
    Sample {
        heading: format!("reply {name}"),
        encode: Box::new(move |format| encode_ok(format, 7, &sent).to_vec()),
        check: Box::new(move |format, bytes| check_message(format, bytes, (7, "ok"), &body)),
    }
}

fn push<T>(kind: &'static str, body: T) -> Sample
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone + 'static,
{
    let sent = body.clone();
    Sample {
        heading: format!("push {kind}"),
        encode: Box::new(move |format| encode_push(format, kind, &sent).to_vec()),
        check: Box::new(move |format, bytes| check_message(format, bytes, (0, kind), &body)),
    }
}

/// A publication whose `data` is of interest.
pub(crate) fn publication<T>(event: &'static str, channel: Channel, body: T) -> Sample
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone + 'static,
{
    let sent = PublicationPush { channel, offset: 42, event: event.into(), data: Data::of(&body), at: AT };
    Sample {
        heading: format!("data {event}"),
        encode: Box::new(move |format| encode_push(format, kind::PUBLICATION, &sent).to_vec()),
        check: Box::new(move |format, bytes| {
            let (_, _, message) = decode_message(format, bytes).expect("a push");
            let publication: PublicationPush = message.read().expect("a publication");
            assert_eq!(publication.data.read::<T>().expect("an event"), body, "{format:?}");
        }),
    }
}

/// A state whose `data` is of interest.
pub(crate) fn state<T>(
    (event, key, version): (&'static str, &'static str, u64),
    channel: Channel,
    body: T,
) -> Sample
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone + 'static,
{
    let sent = StatePush { channel, event: event.into(), key: key.into(), version, data: Data::of(&body) };
    Sample {
        heading: format!("data {event}"),
        encode: Box::new(move |format| encode_push(format, kind::STATE, &sent).to_vec()),
        check: Box::new(move |format, bytes| {
            let (_, _, message) = decode_message(format, bytes).expect("a push");
            let state: StatePush = message.read().expect("a state");
            assert_eq!(state.data.read::<T>().expect("a value"), body, "{format:?}");
        }),
    }
}

/// A signal whose `data` is of interest.
pub(crate) fn signal<T>(event: &'static str, channel: Channel, body: T) -> Sample
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone + 'static,
{
    let sent = SignalPush { channel, event: event.into(), data: Data::of(&body) };
    Sample {
        heading: format!("data {event}"),
        encode: Box::new(move |format| encode_push(format, kind::SIGNAL, &sent).to_vec()),
        check: Box::new(move |format, bytes| {
            let (_, _, message) = decode_message(format, bytes).expect("a push");
            let signal: SignalPush = message.read().expect("a signal");
            assert_eq!(signal.data.read::<T>().expect("a body"), body, "{format:?}");
        }),
    }
}

/// A message to one session whose `data` is of interest.
pub(crate) fn message<T>(event: &'static str, body: T) -> Sample
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + Clone + 'static,
{
    let sent = MessagePush { event: event.into(), data: Data::of(&body) };
    Sample {
        heading: format!("data {event}"),
        encode: Box::new(move |format| encode_push(format, kind::MESSAGE, &sent).to_vec()),
        check: Box::new(move |format, bytes| {
            let (_, _, message) = decode_message(format, bytes).expect("a push");
            let message: MessagePush = message.read().expect("a message");
            assert_eq!(message.data.read::<T>().expect("a body"), body, "{format:?}");
        }),
    }
}

fn check_message<T>(format: Format, bytes: &[u8], (id, kind): (u64, &str), body: &T)
where
    T: DeserializeOwned + PartialEq + Debug,
{
    let (read_id, read_kind, data) = decode_message(format, bytes).expect("a message of a server");
    assert_eq!((read_id, read_kind.as_str()), (id, kind), "{format:?}");
    assert_eq!(&data.read::<T>().expect("the body of its type"), body, "{format:?}");
}

fn commands() -> Vec<Sample> {
    let post_id: PostId = id!("0a");
    let comment_id: CommentId = id!("0c");
    let community_id: CommunityId = id!("02");
    let user_id: UserId = id!("01");
    let text = |text: &str| Some(text.to_owned());
    let channel = || format!("post:{post_id}");
    [
        Command::Connect(Connect {
            token: text("eyJhbGciOiJIUzI1NiJ9.e30.c2ln"),
            client: Some(ClientInfo { name: "cc-web".into(), version: "0.1.0".into() }),
            resume: BTreeMap::from([(format!("feed:{community_id}"), position())]),
            flags: vec![],
        }),
        Command::Refresh(Refresh { token: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln".into() }),
        Command::Subscribe(Subscribe { channel: channel(), epoch: text("5f3c"), offset: Some(41) }),
        Command::Unsubscribe(Unsubscribe { channel: channel() }),
        Command::History(History { channel: channel(), after: Some(41), before: None, limit: Some(100) }),
        Command::Sync(Sync {
            channels: vec![SyncChannel { channel: channel(), epoch: text("5f3c"), offset: Some(41) }],
            bytes: Some(65_536),
        }),
        Command::Presence(Presence { channel: channel(), cursor: None }),
        Command::CommunityCreate(CommunityCreate {
            op: "op-1".into(),
            name: "Yaoundé".into(),
            parent_id: Some(id!("03")),
        }),
        Command::CommunityGet(CommunityGet { community_id }),
        Command::CommunityList(CommunityList { parent_id: None, cursor: None }),
        Command::CommunityJoin(CommunityJoin { community_id }),
        Command::CommunityLeave(CommunityLeave { community_id }),
        Command::PostCreate(PostCreate {
            op: "op-2".into(),
            community_id,
            kind: PostKind::Info,
            title: text("Water"),
            content: "Water is back in the north.".into(),
            media_ids: vec![],
            visibility: Visibility::Public,
            anonymous: false,
        }),
        Command::PostEdit(PostEdit {
            post_id,
            version: 1,
            title: None,
            content: text("Water is back everywhere."),
            kind: Some(PostKind::Announcement),
        }),
        Command::PostDelete(PostDelete { post_id }),
        Command::PostGet(PostGet { post_id }),
        Command::PostView(PostView { post_id }),
        Command::PostCountsGet(PostCountsGet { post_ids: vec![post_id] }),
        Command::FeedList(FeedList {
            community_id: Some(community_id),
            kind: Some(PostKind::Event),
            limit: Some(20),
            ..FeedList::default()
        }),
        Command::ReactionSet(ReactionSet {
            post_id: Some(post_id),
            comment_id: None,
            kind: Some(ReactionKind::Love),
        }),
        Command::ReactionSet(ReactionSet { post_id: None, comment_id: Some(comment_id), kind: None }),
        Command::CommentAdd(CommentAdd {
            op: "op-3".into(),
            post_id,
            parent_id: Some(comment_id),
            content: "Merci \u{1f64f}".into(),
            anonymous: false,
        }),
        Command::CommentEdit(CommentEdit { comment_id, content: "Merci beaucoup".into() }),
        Command::CommentDelete(CommentDelete { comment_id }),
        Command::CommentList(CommentList { post_id, parent_id: None, cursor: None, limit: Some(50) }),
        Command::ShareAdd(ShareAdd { post_id, kind: ShareKind::Share, comment: None }),
        Command::ShareAdd(ShareAdd { post_id, kind: ShareKind::Repost, comment: text("Read this") }),
        Command::ShareRemove(ShareRemove { post_id, kind: ShareKind::Repost }),
        Command::ShareList(ShareList { post_id, cursor: text("c4") }),
        Command::ExternalShareAdd(ExternalShareAdd {
            post_id,
            platform: Platform::Telegram,
            message: text("Read this"),
        }),
        Command::ExternalShareList(ExternalShareList { post_id }),
        Command::AnalyticsPost(AnalyticsPost { post_id }),
        Command::ProfileGet(ProfileGet { user_id }),
        Command::ProfileEdit(ProfileEdit {
            bio: text("I repair pumps."),
            photo_media_id: Some(Some(id!("0c"))),
            version: 1,
            ..ProfileEdit::default()
        }),
        Command::FollowSet(FollowSet { user_id, on: true }),
        Command::BlockSet(BlockSet { user_id, on: false }),
        Command::NotificationList(NotificationList { cursor: None, unread: true }),
        Command::NotificationRead(NotificationRead { ids: Some(vec![id!("0e")]), all: false }),
        Command::NotificationPreferences(NotificationPreferences {
            kinds: BTreeMap::from([(NotificationKind::Reply, true), (NotificationKind::Follow, false)]),
        }),
    ]
    .map(command)
    .into()
}

fn replies() -> Vec<Sample> {
    let changed = Changed { changed: true };
    vec![
        reply("connect", connected(), |body| Reply::Connected(Box::new(body))),
        reply("refresh", Refreshed { expires_at: Some(AT + 3_600_000) }, Reply::Refreshed),
        reply("subscribe", subscribed(), Reply::Subscribed),
        reply("history", history(), Reply::History),
        reply("sync", synced(), Reply::Synced),
        reply(
            "presence",
            PresencePage { count: 3, users: vec![user()], cursor: Some("c2".into()) },
            Reply::Presence,
        ),
        reply("community.create", CommunityReply { community: community() }, Reply::Community),
        reply(
            "community.list",
            Communities { communities: vec![community()], cursor: None },
            Reply::Communities,
        ),
        reply("follow.set", changed, Reply::Changed),
        reply("post.create", PostCreated { post: my_post(), position: channel_position() }, |body| {
            Reply::PostCreated(Box::new(body))
        }),
        reply("post.get", PostReply { post: my_post() }, |body| Reply::Post(Box::new(body))),
        reply("post.get: a picture", PostReply { post: Post { media: vec![media()], ..my_post() } }, |body| {
            Reply::Post(Box::new(body))
        }),
        reply("post.view", Counted { counted: true }, Reply::Counted),
        reply("post.counts", PostStates { states: vec![state_item()] }, Reply::PostStates),
        reply("feed.list", Posts { posts: vec![my_post()], cursor: Some("c3".into()) }, Reply::Posts),
        reply(
            "reaction.set",
            ReactionReply { kind: Some(ReactionKind::Love), counts: reactions(), changed: true },
            Reply::Reaction,
        ),
        reply("comment.add", CommentAdded { comment: my_comment(), position: on_post() }, |body| {
            Reply::CommentAdded(Box::new(body))
        }),
        reply("comment.edit", CommentReply { comment: my_comment() }, |body| Reply::Comment(Box::new(body))),
        reply("comment.delete", Removed { removed: 3 }, Reply::Removed),
        reply("comment.list", Comments { comments: vec![my_comment()], cursor: None }, Reply::Comments),
        reply("share.add", ShareAdded { share: share(), changed: true, shares: 5 }, |body| {
            Reply::ShareAdded(Box::new(body))
        }),
        reply("share.remove", ShareRemoved { changed: true, shares: 4 }, Reply::ShareRemoved),
        reply("share.list", Shares { shares: vec![share()], cursor: Some("c4".into()) }, Reply::Shares),
        reply(
            "external_share.add",
            ExternalShareAdded {
                share: external_share(),
                url: "https://t.me/share/url?url=https%3A%2F%2Fexample.org%2Fp%2F0199c82c-c000-7000-8000-00000000000a&text=Read%20this".into(),
                changed: true,
                totals: platforms(),
            },
            |body| Reply::ExternalShareAdded(Box::new(body)),
        ),
        reply(
            "external_share.list",
            ExternalShares { shares: vec![external_share()], totals: platforms() },
            Reply::ExternalShares,
        ),
        reply("analytics.post", post_analytics(), |body| Reply::PostAnalytics(Box::new(body))),
        reply("profile.get", ProfileReply { profile: profile() }, |body| Reply::Profile(Box::new(body))),
        reply("profile.edit", ProfileReply { profile: profile() }, |body| Reply::Profile(Box::new(body))),
        reply(
            "notification.list",
            Notifications { notifications: vec![notification()], unread: 1, cursor: None },
            Reply::Notifications,
        ),
        reply("notification.read", NotificationsRead { changed: true, unread: 0 }, Reply::NotificationsRead),
        reply(
            "notification.preferences",
            Preferences {
                preferences: NotificationKind::ALL.iter().map(|kind| (*kind, true)).collect(),
                changed: false,
            },
            Reply::Preferences,
        ),
        refusal(
            "invalid",
            ErrorBody::invalid("kind", "`kind` must be one of info, event, help, announcement, discussion"),
        ),
        refusal("rate_limited", ErrorBody::new(Code::RateLimited, "too many posts").retry_after(1_500)),
        refusal(
            "elsewhere",
            carried_elsewhere(
                "this live is carried by node node-2; connect there",
                Carrier {
                    node: "node-2".into(),
                    url: Some("https://node-2.example.org".into()),
                    silent: false,
                },
            ),
        ),
        refusal(
            "elsewhere and silent",
            carried_elsewhere(
                "node node-2, which carries this live, has fallen silent",
                Carrier { node: "node-2".into(), url: None, silent: true },
            ),
        ),
    ]
}

fn carried_elsewhere(message: &str, carrier: Carrier) -> ErrorBody {
    ErrorBody::new(Code::Unavailable, message).retry_after(5_000).carried_by(carrier)
}

fn refusal(name: &str, error: ErrorBody) -> Sample {
    let sent = error.clone();
    Sample {
        heading: format!("error {name}"),
        encode: Box::new(move |format| encode_error(format, 7, &sent).to_vec()),
        check: Box::new(move |format, bytes| check_message(format, bytes, (7, "error"), &error)),
    }
}

fn pushes() -> Vec<Sample> {
    let channel = Channel::Post(id!("0a"));
    vec![
        push(
            kind::PUBLICATION,
            PublicationPush {
                channel: channel.clone(),
                offset: 42,
                event: event::POST_DELETED.into(),
                data: Data::of(&PostDeleted { post_id: id!("0a") }),
                at: AT,
            },
        ),
        push(
            kind::STATE,
            StatePush {
                channel: channel.clone(),
                event: event::POST_COUNTS.into(),
                key: "0199c82c-c000-7000-8000-00000000000a".into(),
                version: 9,
                data: Data::of(&counts_state()),
            },
        ),
        push(
            kind::SIGNAL,
            SignalPush {
                channel: Channel::Test("load".into()),
                event: "tick".into(),
                data: Data::of(&BTreeMap::from([("n", 1)])),
            },
        ),
        push(
            kind::MESSAGE,
            MessagePush { event: "hello".into(), data: Data::of(&BTreeMap::from([("text", "hi")])) },
        ),
        push(kind::GAP, GapPush { channel: channel.clone(), from: 43, to: 61, reason: GapReason::Slow }),
        push(kind::SKIP, SkipPush { channel: channel.clone(), offset: 43 }),
        push(kind::FLOW, FlowPush { level: 2, reason: "the outbox is full".into() }),
        push(kind::SUBSCRIBED, subscribed()),
        push(kind::UNSUBSCRIBED, UnsubscribedPush { channel, reason: UnsubscribeReason::Deleted }),
        push(
            kind::PING,
            PingPush {
                at: AT,
                heads: BTreeMap::from([("feed:0199c82c-c000-7000-8000-000000000002".into(), 42)]),
            },
        ),
        push(kind::RECONNECT, ReconnectPush { code: 4000, after_ms: 3_250, url: None }),
        push(kind::TOKEN_EXPIRING, TokenExpiringPush { expires_at: AT + 60_000 }),
    ]
}

fn events() -> Vec<Sample> {
    let feed = || Channel::Feed(id!("02"));
    let on_post = || Channel::Post(id!("0a"));
    let post_event = PostEvent { post: post(), op: Some("op-2".into()) };
    let comment_event = CommentEvent { comment: comment(), op: Some("op-3".into()) };
    vec![
        publication(
            event::COMMUNITY_CREATED,
            Channel::Communities,
            CommunityEvent { community: Community { my: None, ..community() } },
        ),
        publication(event::POST_CREATED, feed(), post_event.clone()),
        publication(event::POST_EDITED, feed(), post_event),
        publication(event::POST_DELETED, feed(), PostDeleted { post_id: id!("0a") }),
        publication(event::COMMENT_ADDED, on_post(), comment_event.clone()),
        publication(event::COMMENT_EDITED, on_post(), comment_event),
        publication(event::COMMENT_DELETED, on_post(), CommentDeleted { comment_id: id!("0c"), removed: 3 }),
        publication(event::POST_SHARED, on_post(), PostShared { share: share() }),
        publication(
            event::USER_UPDATED,
            Channel::Author(id!("01")),
            UserUpdated { user: photographed(), version: 2 },
        ),
        publication(
            event::NOTIFICATION,
            Channel::User(id!("01")),
            NotificationEvent { notification: notification(), unread: 1 },
        ),
        state((event::POST_COUNTS, "0199c82c-c000-7000-8000-00000000000a", 9), on_post(), counts_state()),
        state(
            (event::POST_FIGURES, "0199c82c-c000-7000-8000-00000000000a", 9),
            Channel::AnalyticsPost(id!("0a")),
            post_figures(),
        ),
        state(
            (event::COMMENT_COUNTS, "0199c82c-c000-7000-8000-00000000000c", 3),
            on_post(),
            CommentCountsState { comment_id: id!("0c"), counts: comment_counts() },
        ),
        state(
            (event::COMMUNITY_COUNTS, "0199c82c-c000-7000-8000-000000000002", 12),
            feed(),
            CommunityCountsState { community_id: id!("02"), version: 12, members: 7 },
        ),
    ]
}
