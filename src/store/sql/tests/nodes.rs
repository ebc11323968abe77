//! Several nodes on one database: what only their being several can break.

use super::postgres::{
    open,
    server::{self, Syncs},
};
use crate::{
    publication::Committed,
    store::{
        Actor, Op, Stores,
        accounts::NewAccount,
        comments::{CommentQuery, CommentRules, NewComment},
        communities::NewCommunity,
        conformance::{no, yes},
        log::{Entry, PageSize, Range},
        notifications::NotificationQuery,
        posts::{NewPost, PostRules, View, Viewer},
        reactions::{ReactionTarget, Wish},
        sql::{SqlSettings, SqlStore},
    },
};
use communiconnect_protocol::{
    Channel, Data, NotificationEvent, PostId, PostKind, ReactionKind, Role, Visibility,
};
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::sync::mpsc;

const NOW: i64 = 1_700_000_000_000;

/// One node: its store, and what that hands to its publisher.
struct Node {
    stores: Stores,
    committed: mpsc::Receiver<Committed>,
}

impl Node {
    fn on(url: &str) -> Self {
        let (sender, committed) = mpsc::channel(100_000);
        let store = SqlStore::on_server(url, SqlSettings::default(), sender).expect("a store");
        Self { stores: Arc::new(store).stores(), committed }
    }

    /// Offsets that it published in a channel, in its order.
    fn published(&mut self, channel: &Channel) -> Vec<u64> {
        let mut offsets = Vec::new();
        while let Ok(commit) = self.committed.try_recv() {
            let own = commit.publications.into_iter().filter(|publication| publication.channel == *channel);
            offsets.extend(own.map(|publication| publication.offset));
        }
        offsets
    }
}

/// Two nodes on one new database.
fn two() -> [Node; 2] {
    let url = server::database(Syncs::Nothing);
    [Node::on(&url), Node::on(&url)]
}

fn op(id: &str) -> Op {
    Op { id: id.into(), digest: [1; 32] }
}

async fn person(node: &Node, name: &str) -> Actor {
    let account = NewAccount {
        username: name.into(),
        email: format!("{name}@example.org"),
        name: name.into(),
        password_hash: "-".into(),
        at: NOW,
    };
    Actor { user: node.stores.accounts.register(account).await.expect("a free name").id, role: Role::User }
}

async fn post(node: &Node, by: Actor) -> PostId {
    let new = NewCommunity { name: "All".into(), parent_id: None, at: NOW };
    let community = node.stores.communities.create(by, op("community"), new, yes()).await.expect("made").id;
    let new = NewPost {
        community_id: community,
        kind: PostKind::Info,
        title: None,
        content: "hello".into(),
        media: Vec::new(),
        visibility: Visibility::Public,
        anonymous: false,
        at: NOW,
    };
    node.stores.posts.create(by, op("post"), new, PostRules::bare(yes())).await.expect("posted").0.id
}

fn remark(post_id: PostId) -> (NewComment, CommentRules) {
    let new = NewComment { post_id, parent_id: None, content: "well".into(), anonymous: false, at: NOW };
    (new, CommentRules { may: yes(), hears: |_| true })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_agree_on_tables_epoch_and_secrets() {
    let url = server::database(Syncs::Nothing);
    let starting: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || open(&url).expect("a store"))
        })
        .collect();
    let mut known = Vec::new();
    for node in starting {
        let stores = node.join().expect("opened").stores();
        let range = Range::After(0);
        let page = stores.log.page(&Channel::Test("x".into()), range, PageSize { items: 1, bytes: 1 }).await;
        known.push((page.expect("a page").epoch, stores.accounts.secret("key").await.expect("a secret")));
    }
    assert!(known.iter().all(|agreed| *agreed == known[0]), "{known:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_two_nodes_write_has_no_hole_and_each_publishes_its_part_in_order() {
    let mut nodes = two();
    let channel = Channel::Test("shared".into());
    let appends = nodes.iter().flat_map(|node| {
        (0..200).map(|_| {
            let entry = Entry { channel: channel.clone(), event: "said".into(), data: Data::of(&1), at: NOW };
            node.stores.log.append(entry)
        })
    });
    let mut given: Vec<u64> =
        join_all(appends).await.into_iter().map(|offset| offset.expect("said")).collect();
    given.sort_unstable();
    let all: Vec<u64> = (1..=400).collect();
    assert_eq!(given, all);
    let size = PageSize { items: 1_000, bytes: 1 << 20 };
    let page = nodes[0].stores.log.page(&channel, Range::After(0), size).await.expect("a page");
    assert_eq!(page.publications.iter().map(|entry| entry.offset).collect::<Vec<_>>(), all);
    let mut published: Vec<u64> = nodes
        .iter_mut()
        .flat_map(|node| {
            let own = node.published(&channel);
            assert!(own.is_sorted_by(|one, next| one < next), "{own:?}");
            own
        })
        .collect();
    published.sort_unstable();
    assert_eq!(published, all, "each is published by the node that wrote it, and by no other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_like_sent_to_two_nodes_at_once_counts_once() {
    let nodes = two();
    let ada = person(&nodes[0], "ada").await;
    let post = post(&nodes[0], ada).await;
    let names: Vec<String> = (0..20).map(|number| format!("fan{number}")).collect();
    let fans = join_all(names.iter().map(|name| person(&nodes[1], name))).await;
    let likes = fans.iter().flat_map(|fan| {
        nodes.iter().map(|node| {
            let wish = Wish { kind: Some(ReactionKind::Like), at: NOW };
            node.stores.reactions.set(*fan, ReactionTarget::Post(post, yes()), wish, |_| true)
        })
    });
    let changed = join_all(likes).await.into_iter().filter(|like| like.as_ref().expect("liked").changed);
    assert_eq!(changed.count(), fans.len());
    for node in &nodes {
        let post = node.stores.posts.get(ada.into(), post).await.expect("read").expect("is there").post;
        assert_eq!(post.counts.reactions.get(&ReactionKind::Like), Some(&(fans.len() as u64)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_sent_to_two_nodes_at_once_counts_once() {
    let nodes = two();
    let ada = person(&nodes[0], "ada").await;
    let post = post(&nodes[0], ada).await;
    for round in 0..20 {
        let at = NOW + round * 1_000;
        let view = View { post_id: post, viewer: Viewer::Person(ada.user), window_ms: 500, at };
        let seen = join_all(nodes.iter().map(|node| node.stores.posts.view(ada.into(), view, yes()))).await;
        assert_eq!(seen.iter().filter(|seen| **seen == Ok(true)).count(), 1, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_op_sent_to_two_nodes_at_once_has_one_effect_and_one_answer() {
    let nodes = two();
    let ada = person(&nodes[0], "ada").await;
    let post = post(&nodes[0], ada).await;
    for round in 0..20 {
        let id = format!("op-{round}");
        let adding = nodes.iter().map(|node| {
            let (new, rules) = remark(post);
            node.stores.comments.add(ada, op(&id), new, rules)
        });
        let [one, other] = join_all(adding).await.try_into().expect("two answers");
        assert_eq!(one.expect("commented"), other.expect("commented"));
    }
    let query = CommentQuery { post_id: post, parent_id: None, after: None, limit: 100 };
    assert_eq!(nodes[1].stores.comments.list(ada.into(), query).await.expect("a page").len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comments_at_once_is_judged_counted_and_told_one_by_one() {
    let mut nodes = two();
    let ada = person(&nodes[0], "ada").await;
    let post = post(&nodes[0], ada).await;
    let names: Vec<String> = (0..60).map(|number| format!("fan{number}")).collect();
    let fans = join_all(names.iter().map(|name| person(&nodes[0], name))).await;
    // Each sends its comment twice; every sixth may not comment.
    let adding = fans.iter().enumerate().flat_map(|(number, fan)| {
        let node = &nodes[0];
        (0..2).map(move |_| {
            let (new, mut rules) = remark(post);
            if number % 6 == 0 {
                rules.may = no();
            }
            node.stores.comments.add(*fan, op("mine"), new, rules)
        })
    });
    let answers = join_all(adding).await;
    let (twice, _) = answers.as_chunks::<2>();
    for (number, [one, other]) in twice.iter().enumerate() {
        assert_eq!(one, other, "a retry has the same answer");
        assert_eq!(one.is_err(), number % 6 == 0, "{one:?}");
    }
    let written = 50;
    let reader = fans[1].into();
    let counts = nodes[1].stores.posts.get(reader, post).await.expect("read").expect("is there").post.counts;
    assert_eq!((counts.comments, counts.version), (written, written));
    let query = NotificationQuery { before: None, unread: true, limit: 100 };
    let heard = nodes[1].stores.notifications.list(ada.user, query).await.expect("a page");
    assert_eq!((heard.notifications.len() as u64, heard.unread), (written, written));
    let mut unread = Vec::new();
    let mut versions = Vec::new();
    let mut offsets = Vec::new();
    while let Ok(commit) = nodes[0].committed.try_recv() {
        versions.extend(commit.states.iter().map(|state| state.version));
        for publication in commit.publications {
            if publication.channel == Channel::User(ada.user) {
                let event: NotificationEvent = publication.data.read().expect("a notification");
                unread.push(event.unread);
            } else if publication.channel == Channel::Post(post) {
                offsets.push(publication.offset);
            }
        }
    }
    let one_by_one: Vec<u64> = (1..=written).collect();
    assert_eq!((unread, versions, offsets), (one_by_one.clone(), one_by_one.clone(), one_by_one));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_of_two_nodes_rise_in_the_order_in_which_they_were_told() {
    let nodes = two();
    let ada = person(&nodes[0], "ada").await;
    let post = post(&nodes[0], ada).await;
    let ids: Vec<String> = (0..100).map(|number| format!("op-{number}")).collect();
    let adding = ids.iter().enumerate().map(|(number, id)| {
        let (mut new, rules) = remark(post);
        // The clock of one node is behind.
        new.at -= (number as i64 % 2) * 5_000;
        nodes[number % 2].stores.comments.add(ada, op(id), new, rules)
    });
    let mut told: Vec<_> = join_all(adding)
        .await
        .into_iter()
        .map(|added| added.map(|(comment, place)| (place.position.offset, comment.id)).expect("commented"))
        .collect();
    told.sort_unstable_by_key(|(offset, _)| *offset);
    assert!(told.is_sorted_by(|(_, one), (_, next)| one < next), "{told:?}");
}
