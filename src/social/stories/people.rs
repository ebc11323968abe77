//! Communities, profiles, follows and blocks.

use super::*;
use communiconnect_protocol::{CommunityList, UserId};

#[tokio::test]
async fn nobody_follows_or_blocks_themselves_or_nobody() {
    let world = World::new();
    let ada = world.person("ada").await;
    let people = &world.social.people;
    for on in [true, false] {
        let own = ada.user;
        let follow = people.follow(ada, FollowSet { user_id: own, on }, T).await;
        assert_eq!(faulty(follow), (Code::Invalid, "user_id".into()));
        let block = people.block(ada, BlockSet { user_id: own, on }, T).await;
        assert_eq!(faulty(block), (Code::Invalid, "user_id".into()));
        let user_id = UserId::NOTHING;
        assert_eq!(refused(people.follow(ada, FollowSet { user_id, on }, T).await), Code::NotFound);
        assert_eq!(refused(people.block(ada, BlockSet { user_id, on }, T).await), Code::NotFound);
    }
}

#[tokio::test]
async fn a_block_ends_follows_and_keeps_new_ones_away() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let people = &world.social.people;
    let follow = |on| people.follow(ben, FollowSet { user_id: ada.user, on }, T);
    let block = |on| people.block(ada, BlockSet { user_id: ben.user, on }, T);
    for (wish, changed) in [(true, true), (true, false), (false, true), (false, false), (true, true)] {
        assert_eq!(follow(wish).await.expect("allowed").changed, changed);
    }
    assert!(block(true).await.expect("blocked").changed);
    assert!(!block(true).await.expect("blocked already").changed);
    let my = people.profile(ben.into(), ada.user).await.expect("a block hides no profile").profile.user.my;
    assert!(!my.expect("my").following);
    assert_eq!(refused(follow(true).await), Code::Forbidden);
    assert!(!follow(false).await.expect("ceasing is always possible").changed);
    assert!(block(false).await.expect("unblocked").changed);
    assert!(follow(true).await.expect("again").changed);
}

#[tokio::test]
async fn only_oneself_sees_the_own_part_of_a_profile() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let people = &world.social.people;
    world.follow(ben, ada).await;
    let own = people.profile(ada.into(), ada.user).await.expect("own").profile.own.expect("the own part");
    assert_eq!(own.counts.followers, 1);
    for reader in [ben.into(), GUEST] {
        assert_eq!(people.profile(reader, ada.user).await.expect("public").profile.own, None);
    }
    assert_eq!(refused(people.profile(GUEST, UserId::NOTHING).await), Code::NotFound);
}

#[tokio::test]
async fn communities_nest_eight_levels_and_are_moderated_by_their_founder() {
    let world = World::new();
    let ada = world.person("ada").await;
    let communities = &world.social.communities;
    let mut innermost = world.community(ada, None).await;
    for _ in 2..=8 {
        innermost = world.community(ada, Some(innermost)).await;
    }
    let body = |parent_id| CommunityCreate { op: world.op(), name: "Deep".into(), parent_id };
    let ninth = communities.create(ada, body(Some(innermost)), T).await;
    assert_eq!(faulty(ninth), (Code::LimitExceeded, "parent_id".into()));
    let astray = communities.create(ada, body(Some(CommunityId::NOTHING)), T).await;
    assert_eq!(refused(astray), Code::NotFound);
    let read = communities.get(ada.into(), innermost).await.expect("there").community;
    assert_eq!((read.path.len(), read.path.last()), (8, Some(&read.name)), "from the outermost to itself");
    assert_eq!(read.my.expect("my").role, Some(communiconnect_protocol::CommunityRole::Moderator));
    for name in [" ".to_owned(), "x".repeat(81), "a\u{1b}".into()] {
        let answer = communities.create(ada, CommunityCreate { name, ..body(None) }, T).await;
        assert_eq!(faulty(answer), (Code::Invalid, "name".into()));
    }
}

#[tokio::test]
async fn communities_are_listed_level_by_level_in_pages() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let communities = &world.social.communities;
    let mut outermost = Vec::new();
    for _ in 0..150 {
        outermost.push(world.community(ada, None).await);
    }
    let inner = world.community(ada, Some(outermost[0])).await;
    let first = communities.list(GUEST, CommunityList::default()).await.expect("a page");
    let body = CommunityList { cursor: first.cursor.clone(), ..CommunityList::default() };
    let second = communities.list(GUEST, body).await.expect("a page");
    let found: Vec<_> = first.communities.iter().chain(&second.communities).map(|found| found.id).collect();
    assert_eq!((found, second.cursor), (outermost.clone(), None));

    let below = CommunityList { parent_id: Some(outermost[0]), cursor: None };
    let page = communities.list(ben.into(), below).await.expect("a page");
    assert_eq!(page.communities.iter().map(|found| found.id).collect::<Vec<_>>(), [inner]);
    let nowhere = CommunityList { parent_id: Some(CommunityId::NOTHING), cursor: None };
    assert_eq!(refused(communities.list(GUEST, nowhere).await), Code::NotFound);
}

#[tokio::test]
async fn joining_and_leaving_are_states() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let communities = &world.social.communities;
    for (on, changed, members) in [(true, true, 2), (true, false, 2), (false, true, 1), (false, false, 1)] {
        let membership = Membership { community_id: library, on, at: T };
        assert_eq!(communities.set_member(ben, membership).await.expect("there").changed, changed);
        assert_eq!(communities.get(GUEST, library).await.expect("there").community.members, members);
    }
    let nowhere = Membership { community_id: CommunityId::NOTHING, on: true, at: T };
    assert_eq!(refused(communities.set_member(ben, nowhere).await), Code::NotFound);
}
