//! Things with fixed ids and times, as samples and other tests send them.

use communiconnect_protocol::*;
use std::collections::BTreeMap;

/// When everything happens, in milliseconds since 1970.
pub(crate) const AT: i64 = 1_760_000_000_000;

/// An id of fixed text.
macro_rules! id {
    ($n:literal) => {
        concat!("0199c82c-c000-7000-8000-0000000000", $n).parse().expect("an id")
    };
}
pub(crate) use id;

pub(crate) fn position() -> Position {
    Position { epoch: "5f3c".into(), offset: 41 }
}

pub(crate) fn channel_position() -> ChannelPosition {
    ChannelPosition { channel: Channel::Feed(id!("02")), position: position() }
}

pub(crate) fn on_post() -> ChannelPosition {
    ChannelPosition { channel: Channel::Post(id!("0a")), position: position() }
}

pub(crate) fn user() -> User {
    User {
        id: id!("01"),
        username: "awa".into(),
        name: "Awa Ndiaye".into(),
        photo: None,
        bio: String::new(),
        role: Role::User,
        my: None,
    }
}

pub(crate) fn profile() -> Profile {
    Profile {
        user: User { my: Some(MyUser { following: false, blocked: false }), ..user() },
        own: Some(OwnProfile {
            email: "awa@example.org".into(),
            version: 1,
            created_at: AT,
            counts: ProfileCounts { posts: 1, followers: 2, following: 3 },
        }),
    }
}

pub(crate) fn community() -> Community {
    Community {
        id: id!("02"),
        name: "Yaoundé".into(),
        parent_id: Some(id!("03")),
        path: vec!["Cameroun".into(), "Yaoundé".into()],
        members: 12,
        created_at: AT,
        my: Some(MyCommunity { member: true, role: Some(CommunityRole::Moderator) }),
    }
}

pub(crate) fn reactions() -> ReactionCounts {
    BTreeMap::from([(ReactionKind::Like, 2), (ReactionKind::Love, 1)])
}

pub(crate) fn post() -> Post {
    Post {
        id: id!("0a"),
        community_id: id!("02"),
        kind: PostKind::Info,
        title: Some("Water".into()),
        content: "Water is back in the north.".into(),
        visibility: Visibility::Public,
        anonymous: false,
        author: Some(user()),
        media: vec![],
        live_id: None,
        counts: PostCounts::default(),
        version: 1,
        created_at: AT,
        edited_at: None,
        my: None,
    }
}

pub(crate) fn photographed() -> User {
    User { photo: Some(media().urls), ..user() }
}

pub(crate) fn media() -> Media {
    let id: MediaId = id!("0c");
    Media {
        id,
        kind: MediaKind::Image,
        status: MediaStatus::Ready,
        reason: None,
        media_type: "image/jpeg".into(),
        bytes: 204_800,
        width: 1_200,
        height: 800,
        duration_ms: None,
        thumbhash: Some("1QcSHQRnh493V4dIh4eXh1h4kJUI".into()),
        alt: Some("The pump runs again".into()),
        urls: ["original", "large", "medium", "thumb"]
            .map(|variant| (variant.to_owned(), format!("/media/{id}/{variant}")))
            .into(),
    }
}

pub(crate) fn my_post() -> Post {
    let my = MyPost { author: true, reaction: Some(ReactionKind::Love), shared: false, reposted: false };
    Post { my: Some(my), counts: counts_state().counts, ..post() }
}

pub(crate) fn counts_state() -> PostCountsState {
    PostCountsState {
        post_id: id!("0a"),
        counts: PostCounts {
            version: 9,
            reactions: reactions(),
            comments: 4,
            shares: 0,
            external_shares: 0,
            views: 120,
        },
    }
}

pub(crate) fn comment_counts() -> CommentCounts {
    CommentCounts { version: 3, reactions: BTreeMap::from([(ReactionKind::Haha, 1)]), replies: 2 }
}

pub(crate) fn comment() -> Comment {
    Comment {
        id: id!("0c"),
        post_id: id!("0a"),
        parent_id: Some(id!("0b")),
        depth: 1,
        anonymous: false,
        author: Some(user()),
        content: "Merci \u{1f64f}".into(),
        counts: CommentCounts::default(),
        created_at: AT,
        edited_at: Some(AT + 1),
        my: None,
    }
}

pub(crate) fn my_comment() -> Comment {
    Comment {
        anonymous: true,
        author: None,
        my: Some(MyComment { author: true, reaction: None }),
        counts: comment_counts(),
        ..comment()
    }
}

pub(crate) fn share() -> Share {
    Share {
        id: id!("0f"),
        post_id: id!("0a"),
        kind: ShareKind::Repost,
        user: user(),
        comment: Some("Read this".into()),
        created_at: AT,
    }
}

pub(crate) fn external_share() -> ExternalShare {
    ExternalShare { id: id!("0d"), post_id: id!("0a"), platform: Platform::Telegram, created_at: AT }
}

pub(crate) fn platforms() -> PlatformCounts {
    BTreeMap::from([(Platform::WhatsApp, 2), (Platform::Telegram, 1)])
}

pub(crate) fn post_analytics() -> PostAnalytics {
    PostAnalytics {
        post_id: id!("0a"),
        version: 9,
        views: 10,
        unique_viewers: 7,
        reactions: BTreeMap::from([(ReactionKind::Like, 2), (ReactionKind::Love, 1)]),
        comments: 2,
        shares: ShareCounts { share: 1, repost: 0 },
        external_shares: platforms(),
        engagement_rate: 60.0,
        viral_score: 60.0,
        label: PostLabel::Popular,
        series: vec![PostDay {
            day: "2025-10-09".into(),
            views: 10,
            reactions: 3,
            comments: 2,
            shares: 1,
            external_shares: 3,
        }],
    }
}

pub(crate) fn post_figures() -> PostFiguresState {
    let PostAnalytics { post_id, version, views, reactions, comments, .. } = post_analytics();
    PostFiguresState {
        post_id,
        version,
        views,
        reactions,
        comments,
        shares: 1,
        external_shares: 3,
        engagement_rate: 60.0,
        viral_score: 60.0,
        label: PostLabel::Popular,
    }
}

pub(crate) fn notification() -> Notification {
    Notification {
        id: id!("0e"),
        kind: NotificationKind::PostReaction,
        actors: vec![user()],
        count: 2,
        post_id: Some(id!("0a")),
        comment_id: None,
        live_id: None,
        text: "Water is back in the north.".into(),
        created_at: AT,
        read_at: None,
    }
}

pub(crate) fn state_item() -> StateItem {
    StateItem {
        event: event::POST_COUNTS.into(),
        key: "0199c82c-c000-7000-8000-00000000000a".into(),
        version: 9,
        data: Data::of(&counts_state()),
    }
}

pub(crate) fn subscribed() -> Subscribed {
    Subscribed {
        channel: Channel::Post(id!("0a")),
        epoch: "5f3c".into(),
        offset: 44,
        recovered: Recovered::Gap,
        gap: Some(GapRange { from: 42, to: 42 }),
        publications: vec![
            LogItem::skip(43),
            LogItem::Publication {
                offset: 44,
                event: event::COMMENT_DELETED.into(),
                data: Data::of(&CommentDeleted { comment_id: id!("0c"), removed: 3 }),
                at: AT,
            },
        ],
        more: false,
        states: vec![state_item()],
    }
}

pub(crate) fn history() -> HistoryPage {
    let Subscribed { publications, epoch, offset, .. } = subscribed();
    HistoryPage { publications, gap: None, epoch, offset, more: true }
}

pub(crate) fn synced() -> Synced {
    Synced {
        subscriptions: vec![
            SubscribeOutcome::Subscribed(subscribed()),
            SubscribeOutcome::Refused(SubscribeRefused {
                channel: Some("author:nobody".into()),
                error: ErrorBody::new(Code::NotFound, "no such channel"),
            }),
        ],
    }
}

pub(crate) fn connected() -> Connected {
    let own = Subscribed {
        channel: Channel::User(id!("01")),
        offset: 0,
        recovered: Recovered::New,
        gap: None,
        publications: vec![],
        states: vec![],
        ..subscribed()
    };
    Connected {
        session_id: id!("05"),
        user: Some(user()),
        node: "node-1".into(),
        server_version: "0.1.0".into(),
        expires_at: Some(AT + 3_600_000),
        ping_ms: 25_000,
        limits: Limits {
            message_bytes: 65_536,
            subscriptions: 256,
            commands_per_second: 50,
            page_publications: 256,
            page_items: 100,
            post_title: 200,
            post_content: 5_000,
            comment_content: 2_000,
            community_name: 80,
            replies_depth: 3,
        },
        subscriptions: BTreeMap::from([(own.channel.to_string(), SubscribeOutcome::Subscribed(own))]),
    }
}
