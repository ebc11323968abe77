//! Pages of posts.

use super::*;
use communiconnect_protocol::{FeedList, UserId};

async fn page_through(world: &World, reader: Reader, body: FeedList) -> Vec<PostId> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let body = FeedList { cursor, ..body.clone() };
        let page = world.social.feeds.list(reader, body).await.expect("a page");
        found.extend(page.posts.iter().map(|post| post.id));
        cursor = page.cursor;
        if cursor.is_none() {
            return found;
        }
    }
}

fn of(community: CommunityId) -> FeedList {
    FeedList { community_id: Some(community), ..FeedList::default() }
}

#[tokio::test]
async fn a_page_has_twenty_newest_first_and_stays_while_posts_arrive() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(world.post(ada, world.draft(library)).await.id);
    }
    ids.reverse();
    let feeds = &world.social.feeds;
    let first = feeds.list(GUEST, of(library)).await.expect("a page");
    assert_eq!(first.posts.iter().map(|post| post.id).collect::<Vec<_>>(), ids[..20]);
    for _ in 0..5 {
        world.post(ada, world.draft(library)).await;
    }
    let second = feeds.list(GUEST, FeedList { cursor: first.cursor, ..of(library) }).await.expect("a page");
    assert_eq!(second.posts.iter().map(|post| post.id).collect::<Vec<_>>(), ids[20..]);
    assert_eq!(second.cursor, None);
    let all = feeds.list(GUEST, FeedList { limit: Some(1_000), ..of(library) }).await.expect("clamped");
    assert_eq!(all.posts.len(), 35);
}

#[tokio::test]
async fn pages_pass_over_what_a_reader_may_not_see() {
    let world = World::new();
    let (ada, ben, carl) = (world.person("ada").await, world.person("ben").await, world.person("carl").await);
    let library = world.community(ada, None).await;
    world.join(ben, library).await;
    let mut public = Vec::new();
    for n in 0..50 {
        let visibility = if n % 5 == 0 { Visibility::Private } else { Visibility::Public };
        let author = if n % 2 == 0 { ada } else { ben };
        let post = world.post(author, PostCreate { visibility, ..world.draft(library) }).await;
        if visibility == Visibility::Public && n % 2 == 0 {
            public.push(post.id);
        }
    }
    public.reverse();
    world.block(carl, ben).await;
    let found = page_through(&world, carl.into(), FeedList { limit: Some(3), ..of(library) }).await;
    assert_eq!(found, public);
}

#[tokio::test]
async fn a_community_shows_what_lies_in_it_and_home_what_one_joined_and_follows() {
    let world = World::new();
    let (ada, ben, carl) = (world.person("ada").await, world.person("ben").await, world.person("carl").await);
    let library = world.community(ada, None).await;
    let shelf = world.community(ada, Some(library)).await;
    let garden = world.community(ben, None).await;
    let below = world.post(ada, world.draft(shelf)).await.id;
    let bens = world.post(ben, world.draft(garden)).await.id;
    let unnamed = world.post(ben, PostCreate { anonymous: true, ..world.draft(garden) }).await.id;
    assert_eq!(page_through(&world, GUEST, of(library)).await, [below]);

    let home = || FeedList { home: true, ..FeedList::default() };
    assert_eq!(page_through(&world, carl.into(), home()).await, []);
    world.join(carl, library).await;
    world.follow(carl, ben).await;
    assert_eq!(page_through(&world, carl.into(), home()).await, [bens, below], "{unnamed} is nobody's");
    world.join(carl, garden).await;
    assert_eq!(page_through(&world, carl.into(), home()).await, [unnamed, bens, below]);
    assert_eq!(refused(world.social.feeds.list(GUEST, home()).await), Code::Unauthenticated);
}

#[tokio::test]
async fn a_feed_of_one_kind_and_of_no_lives() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let help = world.post(ada, PostCreate { kind: PostKind::Help, ..world.draft(library) }).await.id;
    world.post(ada, world.draft(library)).await;
    let only_help = FeedList { kind: Some(PostKind::Help), ..of(library) };
    assert_eq!(page_through(&world, GUEST, only_help).await, [help]);
    let running = FeedList { live: true, ..of(library) };
    assert_eq!(page_through(&world, GUEST, running).await, [], "no live is running");
}

#[tokio::test]
async fn exactly_one_scope_is_named_and_it_is_there() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let none = FeedList::default;
    let feeds = &world.social.feeds;
    for (body, code, field) in [
        (none(), Code::Invalid, "community_id"),
        (FeedList { user_id: Some(ada.user), ..of(library) }, Code::Invalid, "user_id"),
        (FeedList { home: true, ..of(library) }, Code::Invalid, "home"),
        (FeedList { home: true, user_id: Some(ada.user), ..none() }, Code::Invalid, "home"),
        (of(CommunityId::NOTHING), Code::NotFound, ""),
        (FeedList { user_id: Some(UserId::NOTHING), ..none() }, Code::NotFound, ""),
        (FeedList { cursor: Some("elsewhere".into()), ..of(library) }, Code::Invalid, "cursor"),
    ] {
        assert_eq!(faulty(feeds.list(ada.into(), body.clone()).await), (code, field.into()), "{body:?}");
    }
}
