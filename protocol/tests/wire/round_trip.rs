//! Whatever a client or server can say reads back as it was said, in both encodings.

use crate::{live, seed};
use communiconnect_protocol::*;
use proptest::{collection, option, prelude::*};
use std::collections::BTreeMap;

// Boxed here and below: strategies hold their parts by value, and dozens of texts side by side overflow a test's stack.
fn text() -> BoxedStrategy<String> {
    // Quotes, escapes, control characters and text beyond the basic plane, not only letters.
    prop_oneof![
        ".{0,40}",
        "[\\x00-\\x1f\"\\\\/\u{7f}]{0,8}",
        "[\u{e000}-\u{10ffff}]{0,8}",
        Just(String::new()),
        Just("x".repeat(70_000)),
    ]
    .boxed()
}

macro_rules! id_strategies {
    ($($name:ident: $id:ident)*) => {$(
        fn $name() -> impl Strategy<Value = $id> {
            any::<[u8; 16]>().prop_map($id::from_bytes)
        }
    )*};
}

id_strategies! {
    user_id: UserId
    community_id: CommunityId
    post_id: PostId
    comment_id: CommentId
    notification_id: NotificationId
    live_id: LiveId
}

fn word<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(all)
}

fn position() -> impl Strategy<Value = Position> {
    (text(), any::<u64>()).prop_map(|(epoch, offset)| Position { epoch, offset })
}

fn sync_channel() -> impl Strategy<Value = SyncChannel> {
    (text(), option::of(text()), option::of(any::<u64>())).prop_map(|(channel, epoch, offset)| SyncChannel {
        channel,
        epoch,
        offset,
    })
}

fn hub_command() -> impl Strategy<Value = Command> {
    let client = option::of((text(), text()).prop_map(|(name, version)| ClientInfo { name, version }));
    let resume = collection::btree_map(text(), position(), 0..4);
    let flags = collection::vec(text(), 0..4);
    prop_oneof![
        (option::of(text()), client, resume, flags).prop_map(|(token, client, resume, flags)| {
            Command::Connect(Connect { token, client, resume, flags })
        }),
        text().prop_map(|token| Command::Refresh(Refresh { token })),
        (text(), option::of(text()), option::of(any::<u64>()))
            .prop_map(|(channel, epoch, offset)| Command::Subscribe(Subscribe { channel, epoch, offset })),
        text().prop_map(|channel| Command::Unsubscribe(Unsubscribe { channel })),
        (text(), option::of(any::<u64>()), option::of(any::<u64>()), option::of(any::<u32>())).prop_map(
            |(channel, after, before, limit)| Command::History(History { channel, after, before, limit })
        ),
        (collection::vec(sync_channel(), 0..4), option::of(any::<u64>()))
            .prop_map(|(channels, bytes)| Command::Sync(Sync { channels, bytes })),
        (text(), option::of(text()))
            .prop_map(|(channel, cursor)| Command::Presence(Presence { channel, cursor })),
    ]
}

/// What a person may write; a live's post is made by `live.start`.
const KINDS_OF_TEXT: [PostKind; 5] =
    [PostKind::Info, PostKind::Event, PostKind::Help, PostKind::Announcement, PostKind::Discussion];

fn post_command() -> impl Strategy<Value = Command> {
    let create = (
        (text(), community_id(), word(&KINDS_OF_TEXT), option::of(text())),
        (text(), collection::vec(text(), 0..6), word(Visibility::ALL), any::<bool>()),
    );
    let edit =
        (post_id(), any::<u64>(), option::of(text()), option::of(text()), option::of(word(&KINDS_OF_TEXT)));
    let feed = (
        (option::of(community_id()), option::of(user_id()), any::<bool>()),
        (option::of(word(PostKind::ALL)), any::<bool>(), option::of(text()), option::of(any::<u32>())),
    );
    let react = (option::of(post_id()), option::of(comment_id()), option::of(word(ReactionKind::ALL)));
    prop_oneof![
        create.prop_map(|((op, community_id, kind, title), (content, media_ids, visibility, anonymous))| {
            let rest =
                PostCreate { op, community_id, kind, title, content, media_ids, visibility, anonymous };
            Command::PostCreate(rest)
        }),
        edit.prop_map(|(post_id, version, title, content, kind)| {
            Command::PostEdit(PostEdit { post_id, version, title, content, kind })
        }),
        post_id().prop_map(|post_id| Command::PostDelete(PostDelete { post_id })),
        post_id().prop_map(|post_id| Command::PostGet(PostGet { post_id })),
        post_id().prop_map(|post_id| Command::PostView(PostView { post_id })),
        collection::vec(post_id(), 0..5)
            .prop_map(|post_ids| Command::PostCountsGet(PostCountsGet { post_ids })),
        feed.prop_map(|((community_id, user_id, home), (kind, live, cursor, limit))| {
            Command::FeedList(FeedList { community_id, user_id, home, kind, live, cursor, limit })
        }),
        react.prop_map(|(post_id, comment_id, kind)| {
            Command::ReactionSet(ReactionSet { post_id, comment_id, kind })
        }),
    ]
}

fn comment_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (text(), post_id(), option::of(comment_id()), text(), any::<bool>()).prop_map(
            |(op, post_id, parent_id, content, anonymous)| {
                Command::CommentAdd(CommentAdd { op, post_id, parent_id, content, anonymous })
            }
        ),
        (comment_id(), text())
            .prop_map(|(comment_id, content)| Command::CommentEdit(CommentEdit { comment_id, content })),
        comment_id().prop_map(|comment_id| Command::CommentDelete(CommentDelete { comment_id })),
        (post_id(), option::of(comment_id()), option::of(text()), option::of(any::<u32>())).prop_map(
            |(post_id, parent_id, cursor, limit)| {
                Command::CommentList(CommentList { post_id, parent_id, cursor, limit })
            }
        ),
    ]
}

fn share_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (post_id(), word(ShareKind::ALL), option::of(text()))
            .prop_map(|(post_id, kind, comment)| { Command::ShareAdd(ShareAdd { post_id, kind, comment }) }),
        (post_id(), word(ShareKind::ALL))
            .prop_map(|(post_id, kind)| Command::ShareRemove(ShareRemove { post_id, kind })),
        (post_id(), word(Platform::ALL), option::of(text())).prop_map(|(post_id, platform, message)| {
            Command::ExternalShareAdd(ExternalShareAdd { post_id, platform, message })
        }),
        post_id().prop_map(|post_id| Command::ExternalShareList(ExternalShareList { post_id })),
        post_id().prop_map(|post_id| Command::AnalyticsPost(AnalyticsPost { post_id })),
        (post_id(), option::of(text()))
            .prop_map(|(post_id, cursor)| Command::ShareList(ShareList { post_id, cursor })),
    ]
}

fn people_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (text(), text(), option::of(community_id())).prop_map(|(op, name, parent_id)| {
            Command::CommunityCreate(CommunityCreate { op, name, parent_id })
        }),
        community_id().prop_map(|community_id| Command::CommunityGet(CommunityGet { community_id })),
        (option::of(community_id()), option::of(text()))
            .prop_map(|(parent_id, cursor)| { Command::CommunityList(CommunityList { parent_id, cursor }) }),
        community_id().prop_map(|community_id| Command::CommunityJoin(CommunityJoin { community_id })),
        community_id().prop_map(|community_id| Command::CommunityLeave(CommunityLeave { community_id })),
        user_id().prop_map(|user_id| Command::ProfileGet(ProfileGet { user_id })),
        (option::of(text()), option::of(text()), option::of(option::of(user_id())), any::<u64>()).prop_map(
            |(name, bio, photo, version)| {
                let photo_media_id = photo.map(|id| id.map(|id| MediaId::from_bytes(*id.as_bytes())));
                Command::ProfileEdit(ProfileEdit {
                    name,
                    bio,
                    photo_media_id,
                    version,
                    ..ProfileEdit::default()
                })
            }
        ),
        (user_id(), any::<bool>()).prop_map(|(user_id, on)| Command::FollowSet(FollowSet { user_id, on })),
        (user_id(), any::<bool>()).prop_map(|(user_id, on)| Command::BlockSet(BlockSet { user_id, on })),
        (option::of(text()), any::<bool>())
            .prop_map(|(cursor, unread)| { Command::NotificationList(NotificationList { cursor, unread }) }),
        (option::of(collection::vec(notification_id(), 0..4)), any::<bool>())
            .prop_map(|(ids, all)| Command::NotificationRead(NotificationRead { ids, all })),
        collection::btree_map(word(NotificationKind::ALL), any::<bool>(), 0..5)
            .prop_map(|kinds| { Command::NotificationPreferences(NotificationPreferences { kinds }) }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        hub_command().boxed(),
        post_command().boxed(),
        comment_command().boxed(),
        share_command().boxed(),
        people_command().boxed(),
        live::command_strategy(),
    ]
}

fn user() -> BoxedStrategy<User> {
    let photo = option::of(collection::btree_map(text(), text(), 0..3));
    (user_id(), text(), text(), photo, text(), word(Role::ALL))
        .prop_map(|(id, username, name, photo, bio, role)| User {
            id,
            username,
            name,
            photo,
            bio,
            role,
            my: None,
        })
        .boxed()
}

fn counts() -> impl Strategy<Value = PostCounts> {
    let reactions = collection::btree_map(word(ReactionKind::ALL), any::<u64>(), 0..6);
    (any::<u64>(), reactions, any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(version, reactions, comments, shares, views)| PostCounts {
            version,
            reactions,
            comments,
            shares,
            external_shares: shares,
            views,
        },
    )
}

fn post() -> BoxedStrategy<Post> {
    (
        (post_id(), community_id(), word(PostKind::ALL), option::of(text()), text()),
        (word(Visibility::ALL), any::<bool>(), option::of(user()), option::of(live_id()), counts()),
        (
            any::<u64>(),
            any::<i64>(),
            option::of(any::<i64>()),
            option::of(option::of(word(ReactionKind::ALL))),
        ),
    )
        .prop_map(
            |(
                (id, community_id, kind, title, content),
                (visibility, anonymous, author, live_id, counts),
                (version, created_at, edited_at, my),
            )| Post {
                id,
                community_id,
                kind,
                title,
                content,
                visibility,
                anonymous,
                author,
                media: vec![],
                live_id,
                counts,
                version,
                created_at,
                edited_at,
                my: my.map(|reaction| MyPost { reaction, ..MyPost::default() }),
            },
        )
        .boxed()
}

fn channel() -> impl Strategy<Value = Channel> {
    prop_oneof![
        Just(Channel::Communities),
        community_id().prop_map(Channel::Feed),
        post_id().prop_map(Channel::Post),
        live_id().prop_map(Channel::Live),
        user_id().prop_map(Channel::Author),
        user_id().prop_map(Channel::User),
        post_id().prop_map(Channel::AnalyticsPost),
        live_id().prop_map(Channel::AnalyticsLive),
        "[A-Za-z0-9_.:-]{1,64}".prop_map(|name| Channel::Test(name.into())),
    ]
}

fn log_item() -> impl Strategy<Value = LogItem> {
    prop_oneof![
        any::<u64>().prop_map(LogItem::skip),
        (any::<u64>(), text(), counts(), any::<i64>()).prop_map(|(offset, event, counts, at)| {
            LogItem::Publication { offset, event, data: Data::of(&counts), at }
        }),
    ]
}

fn subscribed() -> BoxedStrategy<Subscribed> {
    let state = (text(), text(), any::<u64>(), counts())
        .prop_map(|(event, key, version, counts)| StateItem { event, key, version, data: Data::of(&counts) });
    let gap = option::of((any::<u64>(), any::<u64>()).prop_map(|(from, to)| GapRange { from, to }));
    let recovered = word(&[Recovered::New, Recovered::Ok, Recovered::Gap, Recovered::Reset]);
    (
        (channel(), text(), any::<u64>(), recovered, gap),
        (collection::vec(log_item(), 0..4), any::<bool>(), collection::vec(state, 0..3)),
    )
        .prop_map(|((channel, epoch, offset, recovered, gap), (publications, more, states))| Subscribed {
            channel,
            epoch,
            offset,
            recovered,
            gap,
            publications,
            more,
            states,
        })
        .boxed()
}

proptest! {
    #![proptest_config(seed::config(512))]

    #[test]
    fn commands(id in 1..=u64::MAX, command in command()) {
        for format in Format::ALL {
            let bytes = encode_command(format, id, command.name(), &command);
            prop_assert_eq!(decode_command(format, &bytes), Ok((id, command.clone())));
            let body = encode_body(format, &command);
            prop_assert_eq!(decode_body(format, command.name(), &body), Ok(command.clone()));
        }
    }

    #[test]
    fn publications(channel in channel(), offset in any::<u64>(), post in post(), op in option::of(text()), at in any::<i64>()) {
        let event = PostEvent { post, op };
        let push = PublicationPush { channel, offset, event: event::POST_CREATED.into(), data: Data::of(&event), at };
        for format in Format::ALL {
            let (id, kind, body) = decode_message(format, &encode_push(format, kind::PUBLICATION, &push)).expect("a push");
            prop_assert_eq!((id, kind.as_str()), (0, kind::PUBLICATION));
            let read: PublicationPush = body.read().expect("a publication");
            prop_assert_eq!(&read, &push);
            prop_assert_eq!(&read.data.read::<PostEvent>().expect("a post"), &event);
        }
    }

    #[test]
    fn subscriptions(id in any::<u64>(), outcomes in collection::vec(subscribed(), 0..3), refused in option::of(text())) {
        let mut subscriptions: Vec<_> = outcomes.into_iter().map(SubscribeOutcome::Subscribed).collect();
        let error = ErrorBody::new(Code::NotFound, "none");
        subscriptions.extend(refused.map(|name| SubscribeOutcome::Refused(SubscribeRefused { channel: Some(name), error })));
        let reply = Synced { subscriptions };
        for format in Format::ALL {
            let (read_id, kind, body) = decode_message(format, &encode_ok(format, id, &reply)).expect("a reply");
            prop_assert_eq!((read_id, kind.as_str()), (id, "ok"));
            prop_assert_eq!(&body.read::<Synced>().expect("a sync"), &reply);
        }
    }

    #[test]
    fn pings(at in any::<i64>(), heads in collection::btree_map(text(), any::<u64>(), 0..5)) {
        let push = PingPush { at, heads: BTreeMap::from_iter(heads) };
        for format in Format::ALL {
            let (_, _, body) = decode_message(format, &encode_push(format, kind::PING, &push)).expect("a push");
            prop_assert_eq!(&body.read::<PingPush>().expect("a ping"), &push);
        }
    }
}
