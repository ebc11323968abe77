//! Reactions.

use super::*;
use communiconnect_protocol::{ReactionCounts, ReactionKind, ReactionReply, ReactionSet};

fn wish(post: &Post, kind: Option<ReactionKind>) -> ReactionSet {
    ReactionSet { post_id: Some(post.id), comment_id: None, kind }
}

async fn scene() -> (World, Actor, Actor, Post) {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    (world, ada, ben, post)
}

#[tokio::test]
async fn a_wish_is_a_state_and_counts_move_together() {
    let (world, ada, ben, post) = scene().await;
    let like = Some(ReactionKind::Like);
    let love = Some(ReactionKind::Love);
    let counts = |pairs: &[(ReactionKind, u64)]| pairs.iter().copied().collect::<ReactionCounts>();
    for (actor, kind, changed, expected) in [
        (ben, None, false, counts(&[])),
        (ben, like, true, counts(&[(ReactionKind::Like, 1)])),
        (ben, like, false, counts(&[(ReactionKind::Like, 1)])),
        (ada, like, true, counts(&[(ReactionKind::Like, 2)])),
        (ben, love, true, counts(&[(ReactionKind::Like, 1), (ReactionKind::Love, 1)])),
        (ben, None, true, counts(&[(ReactionKind::Like, 1)])),
        (ben, None, false, counts(&[(ReactionKind::Like, 1)])),
    ] {
        let reply = world.social.reactions.set(actor, wish(&post, kind), T).await.expect("visible");
        assert_eq!(reply, ReactionReply { kind, counts: expected, changed });
    }
    let seen = world.read(ada, post.id).await.expect("own");
    assert_eq!(
        (seen.my.expect("my").reaction, seen.version),
        (like, 1),
        "counts have a version of their own"
    );
}

#[tokio::test]
async fn exactly_one_thing_is_reacted_to() {
    let (world, _, ben, post) = scene().await;
    let comment = world.comment(ben, world.remark(post.id)).await;
    let neither = ReactionSet { post_id: None, comment_id: None, kind: None };
    let both = ReactionSet { comment_id: Some(comment.id), ..wish(&post, None) };
    let reactions = &world.social.reactions;
    assert_eq!(faulty(reactions.set(ben, neither, T).await), (Code::Invalid, "post_id".into()));
    assert_eq!(faulty(reactions.set(ben, both, T).await), (Code::Invalid, "comment_id".into()));
    let unknown = ReactionSet { post_id: Some(PostId::NOTHING), comment_id: None, kind: None };
    assert_eq!(refused(reactions.set(ben, unknown, T).await), Code::NotFound);
}

#[tokio::test]
async fn a_hundred_wishes_from_two_devices_end_with_a_count_that_equals_the_rows() {
    let (world, ada, ben, post) = scene().await;
    let kinds = [Some(ReactionKind::Like), None, Some(ReactionKind::Angry), None];
    let device = |first: usize| {
        let (world, post) = (&world, &post);
        async move {
            for n in 0..50 {
                world.social.reactions.set(ben, wish(post, kinds[(n + first) % 4]), T).await.expect("set");
            }
        }
    };
    tokio::join!(device(0), device(1));
    let post = world.read(ada, post.id).await.expect("own");
    let bens = world.read(ben, post.id).await.expect("public").my.expect("my").reaction;
    let rows: ReactionCounts = bens.into_iter().map(|kind| (kind, 1)).collect();
    assert_eq!(post.counts.reactions, rows);
}

#[tokio::test]
async fn too_many_in_a_minute_are_refused() {
    let world = World::with(&[("limits.reactions_per_minute", "2")]);
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    let reactions = &world.social.reactions;
    for kind in [Some(ReactionKind::Like), None] {
        reactions.set(ada, wish(&post, kind), T).await.expect("two are allowed");
    }
    let refusal = reactions.set(ada, wish(&post, None), T + 1).await.expect_err("the third");
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(59_999)));
}
