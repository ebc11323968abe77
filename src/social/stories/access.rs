//! What the hub is told about channels.

use super::*;
use crate::hub::Access;
use communiconnect_protocol::{Channel, LiveId, ReactionKind, ReactionSet, UserId};

#[tokio::test]
async fn every_channel_is_read_by_whom_it_is_for() {
    let world = World::new();
    let (ada, ben, carl) = (world.person("ada").await, world.person("ben").await, world.person("carl").await);
    let staff = world.person_as("staff", Role::Admin).await;
    let library = world.community(ada, None).await;
    world.follow(ben, ada).await;
    let public = world.post(ada, world.draft(library)).await.id;
    let followers =
        world.post(ada, PostCreate { visibility: Visibility::Followers, ..world.draft(library) }).await.id;
    let readers = [
        ("ada", ada.into()),
        ("ben", ben.into()),
        ("carl", carl.into()),
        ("staff", staff.into()),
        ("guest", GUEST),
    ];
    for (channel, read_by) in [
        (Channel::Communities, &["ada", "ben", "carl", "staff", "guest"][..]),
        (Channel::Feed(library), &["ada", "ben", "carl", "staff", "guest"]),
        (Channel::Feed(CommunityId::NOTHING), &[]),
        (Channel::Post(public), &["ada", "ben", "carl", "staff", "guest"]),
        (Channel::Post(followers), &["ada", "ben"]),
        (Channel::Post(PostId::NOTHING), &[]),
        (Channel::Author(ada.user), &["ada", "ben"]),
        (Channel::Author(UserId::NOTHING), &[]),
        (Channel::User(ada.user), &["ada"]),
        (Channel::User(UserId::NOTHING), &[]),
        (Channel::AnalyticsPost(public), &["ada"]),
        (Channel::AnalyticsPost(PostId::NOTHING), &[]),
        (Channel::Live(LiveId::NOTHING), &[]),
        (Channel::AnalyticsLive(LiveId::NOTHING), &[]),
    ] {
        for (name, reader) in readers {
            let answer: Result<(), ErrorBody> = world.access.may_read(&reader, &channel).await;
            let expected = (!read_by.contains(&name)).then_some(Code::NotFound);
            assert_eq!(answer.err().map(|refusal| refusal.code), expected, "{name} reads {channel}");
        }
    }
}

#[tokio::test]
async fn a_new_subscriber_of_a_post_gets_the_counts_of_the_post_and_its_comments() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await.id;
    let comment = world.comment(ben, world.remark(post)).await.id;
    let body = ReactionSet { post_id: None, comment_id: Some(comment), kind: Some(ReactionKind::Wow) };
    world.social.reactions.set(ada, body, T).await.expect("visible");

    let states = world.access.states(&ben.into(), &Channel::Post(post)).await.expect("states");
    let told: Vec<_> = states.iter().map(|state| (state.event.as_str(), state.key.clone())).collect();
    assert_eq!(told, [("post.counts", post.to_string()), ("comment.counts", comment.to_string())]);
    assert!(format!("{:?}", states[1].data).contains(r#""wow":1"#), "{:?}", states[1].data);
    let states = world.access.states(&GUEST, &Channel::Feed(library)).await.expect("states");
    let told: Vec<_> = states.iter().map(|state| (state.event.as_str(), state.key.clone())).collect();
    assert_eq!(told, [("community.counts", library.to_string())]);
    for nowhere in [Channel::Post(PostId::NOTHING), Channel::Feed(CommunityId::NOTHING)] {
        assert_eq!(world.access.states(&GUEST, &nowhere).await.expect("none"), vec![]);
    }
}

#[tokio::test]
async fn counts_of_a_blocked_persons_named_things_are_not_among_the_states() {
    let world = World::new();
    let (ada, ben, carl) = (world.person("ada").await, world.person("ben").await, world.person("carl").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await.id;
    let named = world.comment(ben, world.remark(post)).await.id;
    let unnamed = world.comment(ben, CommentAdd { anonymous: true, ..world.remark(post) }).await.id;
    for comment in [named, unnamed] {
        let body = ReactionSet { post_id: None, comment_id: Some(comment), kind: Some(ReactionKind::Wow) };
        world.social.reactions.set(ada, body, T).await.expect("visible");
    }
    world.block(carl, ben).await;
    for (reader, expected) in [
        (ada, vec![post.to_string(), unnamed.to_string(), named.to_string()]),
        // A block does not touch what is anonymous: that it did would name the author.
        (carl, vec![post.to_string(), unnamed.to_string()]),
    ] {
        let states = world.access.states(&reader.into(), &Channel::Post(post)).await.expect("states");
        let keys: Vec<_> = states.into_iter().map(|state| state.key).collect();
        assert_eq!(keys, expected);
    }
}

#[tokio::test]
async fn blocks_are_told_both_ways_and_anonymous_authors_go_unnamed() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    world.block(ada, ben).await;
    assert_eq!(world.access.blocked_with(ada.user).await.expect("told"), [ben.user]);
    assert_eq!(world.access.blocked_with(ben.user).await.expect("told"), [ada.user]);

    let named = world.post(ada, world.draft(library)).await.id;
    let unnamed = world.post(ada, PostCreate { anonymous: true, ..world.draft(library) }).await.id;
    for (channel, expected) in [
        (Channel::Post(named), None),
        (Channel::Post(unnamed), Some(ada.user)),
        (Channel::Feed(library), None),
        (Channel::Post(PostId::NOTHING), None),
    ] {
        assert_eq!(world.access.unnamed_in(&channel).await.expect("told"), expected, "{channel}");
    }
}
