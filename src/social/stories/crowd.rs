//! Many people at once: whatever the order, what is counted is what is there.

use super::*;
use communiconnect_protocol::{NotificationList, ReactionCounts, ReactionKind, ReactionSet};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

#[tokio::test]
async fn at_rest_every_figure_equals_its_rows() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    let mut crowd = vec![ada];
    for name in ["ben", "carl", "dora", "emil"] {
        crowd.push(world.person(name).await);
    }
    let busy = crowd.iter().enumerate().map(|(n, actor)| {
        let dice = StdRng::seed_from_u64(seed.wrapping_add(n as u64));
        be_busy(&world, *actor, &post, dice)
    });
    join_all(busy).await;

    let counts = world.read(ada, post.id).await.expect("own").counts;
    let mut reactions = ReactionCounts::new();
    for actor in &crowd {
        if let Some(kind) = world.read(*actor, post.id).await.expect("public").my.expect("my").reaction {
            *reactions.entry(kind).or_default() += 1;
        }
    }
    assert_eq!(counts.reactions, reactions);
    let mut level = world.listed(GUEST, post.id, None).await;
    let mut comments = 0;
    while let Some(comment) = level.pop() {
        let replies = world.listed(GUEST, post.id, Some(comment.id)).await;
        assert_eq!(comment.counts.replies, replies.len() as u64);
        comments += 1;
        level.extend(replies);
    }
    assert_eq!(counts.comments, comments);
}

/// Forty times something: react, comment, reply, or delete what one wrote.
async fn be_busy(world: &World, actor: Actor, post: &Post, mut dice: StdRng) {
    let mut written: Vec<Comment> = Vec::new();
    for _ in 0..40 {
        match dice.random_range(0..6) {
            0..=2 => {
                let kind = if dice.random() { ReactionKind::ALL.choose(&mut dice).copied() } else { None };
                let wish = ReactionSet { post_id: Some(post.id), comment_id: None, kind };
                world.social.reactions.set(actor, wish, T).await.expect("visible");
            }
            3 => written.push(world.comment(actor, world.remark(post.id)).await),
            4 => {
                let seen = world.listed(actor, post.id, None).await;
                if let Some(parent) = seen.choose(&mut dice) {
                    // The parent may be gone by now.
                    written.extend(world.reply(actor, parent).await.ok());
                }
            }
            _ => {
                if let Some(comment) = written.pop() {
                    // It may have gone with its parent.
                    let gone = world.social.comments.delete(actor, comment.id, T).await;
                    assert!(gone.is_ok_and(|gone| gone.removed > 0) || comment.parent_id.is_some());
                }
            }
        }
    }
}

#[tokio::test]
async fn what_races_a_deletion_happens_before_it_or_not_at_all() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    let like = ReactionSet { post_id: Some(post.id), comment_id: None, kind: Some(ReactionKind::Like) };
    let Social { posts, comments, reactions, notifications, .. } = &world.social;
    let busy = || async {
        let commenting = join_all((0..15).map(|_| comments.add(ben, world.remark(post.id), T)));
        let reacting = join_all((0..15).map(|_| reactions.set(ben, like.clone(), T)));
        let (commented, reacted) = tokio::join!(commenting, reacting);
        let refused = commented.into_iter().filter_map(Result::err);
        refused.chain(reacted.into_iter().filter_map(Result::err)).collect::<Vec<_>>()
    };
    let (before, deleted, after) = tokio::join!(busy(), posts.delete(ada, post.id, T), busy());
    deleted.expect("own");
    assert_eq!(after.len(), 30, "what was sent after the deletion comes after it");
    for refusal in before.into_iter().chain(after) {
        assert_eq!(refusal.code, Code::NotFound, "{refusal:?}");
    }
    let heard = notifications.list(ada.user, NotificationList::default()).await.expect("a page");
    assert_eq!((heard.notifications, heard.unread), (vec![], 0), "nothing is left of it");
    let profile = world.social.people.profile(ada.into(), ada.user).await.expect("own").profile;
    assert_eq!(profile.own.expect("own").counts.posts, 0);
}
