//! The logs: dense, bounded, and repeatable by `op`.

use super::{
    World,
    world::{Bounds, GUEST, no, op, rules, yes},
};
use crate::store::{
    Op, StoreError,
    log::{Entry, LogPage, PageSize, Range},
    posts::{PostRules, View, Viewer},
};
use communiconnect_protocol::{Channel, Data, PostId, SessionId};
use futures_util::future::join_all;

fn test_channel(name: &str) -> Channel {
    Channel::Test(name.into())
}

async fn append(world: &World, channel: &Channel, text: &str) -> u64 {
    let entry =
        Entry { channel: channel.clone(), event: "said".into(), data: Data::of(&text), at: world.now() };
    world.stores.log.append(entry).await.expect("appended")
}

async fn page(world: &World, channel: &Channel, range: Range, items: usize) -> LogPage {
    let size = PageSize { items, bytes: 1 << 20 };
    world.stores.log.page(channel, range, size).await.expect("a page")
}

fn offsets(page: &LogPage) -> Vec<u64> {
    page.publications.iter().map(|publication| publication.offset).collect()
}

pub(crate) async fn offsets_have_no_holes(world: World) {
    let channels: Vec<Channel> = (0..4).map(|number| test_channel(&number.to_string())).collect();
    let appending = (0..200).map(|number| append(&world, &channels[number % 4], "hello"));
    join_all(appending).await;
    let told = world.told().await;
    for channel in &channels {
        let told: Vec<u64> = told.of(channel).iter().map(|publication| publication.offset).collect();
        assert_eq!(told, (1..=50).collect::<Vec<_>>(), "told in order");
    }
    let heads = world.stores.log.heads([&channels[..], &[test_channel("none")]].concat()).await;
    assert_eq!(heads, Ok(vec![50, 50, 50, 50, 0]));
}

pub(crate) async fn pages_go_both_ways(world: World) {
    let channel = test_channel("pages");
    let empty = page(&world, &channel, Range::After(0), 10).await;
    assert_eq!((empty.head, empty.first, empty.more), (0, 1, false));
    for number in 0..10 {
        append(&world, &channel, &"x".repeat(number * 10)).await;
    }
    let up = page(&world, &channel, Range::After(3), 3).await;
    assert_eq!((offsets(&up), up.more, up.head, up.first), (vec![4, 5, 6], true, 10, 1));
    let down = page(&world, &channel, Range::Before(4), 3).await;
    assert_eq!((offsets(&down), down.more), (vec![3, 2, 1], false));
    let beyond = page(&world, &channel, Range::After(u64::MAX), 3).await;
    assert_eq!((offsets(&beyond), beyond.more), (vec![], false));
    let small = PageSize { items: 100, bytes: 150 };
    let cut = world.stores.log.page(&channel, Range::After(7), small).await.expect("a page");
    assert_eq!((offsets(&cut), cut.more), (vec![8], true), "the bytes are bounded, but one is given");
    let whole = page(&world, &channel, Range::Before(u64::MAX), 100).await;
    assert_eq!((offsets(&whole).len(), whole.more), (10, false));
}

pub(crate) async fn trimming_by_count_keeps_the_newest(world: World) {
    let world = world.reopened(Bounds { keep_count: 5, ..Bounds::default() }).await;
    let channel = test_channel("many");
    let quiet = test_channel("quiet");
    append(&world, &quiet, "one").await;
    for _ in 0..12 {
        append(&world, &channel, "hello").await;
    }
    assert_eq!(world.stores.log.trim(world.now()).await, Ok(7));
    let kept = page(&world, &channel, Range::After(0), 100).await;
    assert_eq!((offsets(&kept), kept.first, kept.head), ((8..=12).collect(), 8, 12));
    assert_eq!(world.stores.log.trim(world.now()).await, Ok(0));
    assert_eq!(append(&world, &channel, "next").await, 13);
    let world = world.reopened(Bounds { keep_count: 5, ..Bounds::default() }).await;
    assert_eq!(append(&world, &channel, "after a restart").await, 14);
    world.stores.log.trim(world.now()).await.expect("trimmed");
    let kept = page(&world, &channel, Range::After(0), 100).await;
    assert_eq!((offsets(&kept), kept.first), ((10..=14).collect(), 10));
    assert_eq!(offsets(&page(&world, &quiet, Range::After(0), 9).await), [1]);
}

pub(crate) async fn trimming_by_age_keeps_the_young(world: World) {
    let bounds = Bounds { keep_ms: 1_000, ..Bounds::default() };
    let world = world.reopened(bounds).await;
    let channel = test_channel("aging");
    for _ in 0..3 {
        append(&world, &channel, "old").await;
    }
    world.pass(900);
    append(&world, &channel, "young").await;
    world.pass(500);
    assert_eq!(world.stores.log.trim(world.now()).await, Ok(3));
    let kept = page(&world, &channel, Range::After(0), 100).await;
    assert_eq!((offsets(&kept), kept.first, kept.head), (vec![4], 4, 4));
    world.pass(5_000);
    world.stores.log.trim(world.now()).await.expect("trimmed");
    let kept = page(&world, &channel, Range::After(0), 100).await;
    assert_eq!((offsets(&kept), kept.first, kept.head), (vec![], 5, 4));
    let world = world.reopened(bounds).await;
    assert_eq!(append(&world, &channel, "again").await, 5, "an empty log goes on where it stood");
}

pub(crate) async fn a_refused_operation_leaves_no_hole(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let create = |refused: bool| {
        let rule = if refused { no() } else { yes() };
        world.stores.posts.create(ada, world.op(), world.draft(community, "hello"), PostRules::bare(rule))
    };
    let outcomes = join_all((0..30).map(|number| create(number % 3 == 0))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 20);
    let told: Vec<u64> = world
        .told()
        .await
        .of(&Channel::Feed(community))
        .iter()
        .map(|publication| publication.offset)
        .collect();
    assert_eq!(told, (1..=20).collect::<Vec<_>>());
    let kept = page(&world, &Channel::Feed(community), Range::After(0), 100).await;
    assert_eq!(offsets(&kept), told);
}

pub(crate) async fn an_op_is_answered_again_after_a_restart(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await.id;
    let new = world.remark(post, None, "once");
    let first = world.stores.comments.add(ada, op("same"), new.clone(), rules(yes())).await.expect("added");
    let world = world.reopened(Bounds::default()).await;
    let again = world.stores.comments.add(ada, op("same"), new, rules(no())).await;
    assert_eq!(again, Ok(first), "the same answer, and no rule is asked");
    assert_eq!(world.told().await.publications, []);
    assert_eq!(world.stores.log.heads(vec![Channel::Post(post)]).await, Ok(vec![1]));
}

pub(crate) async fn an_op_with_another_body_is_refused(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let create =
        |op, rule| world.stores.posts.create(ada, op, world.draft(community, "hello"), PostRules::bare(rule));
    let other = Op { digest: [2; 32], ..op("same") };
    create(op("same"), no()).await.expect_err("refused");
    create(other.clone(), yes()).await.expect("a refusal is not remembered");
    assert_eq!(create(op("same"), yes()).await, Err(StoreError::OpReused));
    create(other, yes()).await.expect("the remembered one");
    assert_eq!(world.stores.log.heads(vec![Channel::Feed(community)]).await, Ok(vec![1]));
}

pub(crate) async fn views_of_guests_are_swept_after_their_window(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await.id;
    let session = SessionId::new(1);
    let view = |post_id: PostId| {
        let viewer = Viewer::Guest(session);
        let view = View { post_id, viewer, window_ms: 1_000, at: world.now() };
        world.stores.posts.view(GUEST, view, yes())
    };
    assert_eq!(view(post).await, Ok(true));
    assert_eq!(world.stores.log.trim(world.now() + 999).await, Ok(0));
    assert_eq!(view(post).await, Ok(false), "the sweep left what still counts");
    assert_eq!(world.stores.log.trim(world.now() + 1_000).await, Ok(1));
}

pub(crate) async fn the_probe_writes_and_reads(world: World) {
    assert_eq!(world.stores.log.probe(world.now()).await, Ok(()));
    assert_eq!(world.told().await.publications, []);
}
