//! One reaction a person and thing; counts move with it.

use super::World;
use crate::store::{Actor, StoreError};
use communiconnect_protocol::{
    Channel, CommentCountsState, CommentId, PostCountsState, PostId, ReactionCounts, ReactionKind, event,
};
use futures_util::future::join_all;

/// Ada's post, with bob beside her.
async fn scene(world: &World) -> (Actor, Actor, PostId) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await.id;
    world.told().await;
    (ada, bob, post)
}

const LIKE: Option<ReactionKind> = Some(ReactionKind::Like);

pub(crate) async fn a_like_counts_and_tells_once(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let outcome = world.react(bob, post, LIKE).await.expect("reacted");
    assert_eq!((outcome.counts, outcome.changed), ([(ReactionKind::Like, 1)].into(), true));
    let told = world.told().await;
    assert_eq!(told.states.len(), 1);
    let state: PostCountsState = told.states[0].data.read().expect("counts");
    assert_eq!((state.counts.version, state.counts.reactions), (1, [(ReactionKind::Like, 1)].into()));
    assert_eq!(told.events(), [event::NOTIFICATION]);
    assert_eq!(told.publications[0].channel, Channel::User(ada.user));
    let my = world.read_post(bob, post).await.expect("is there").my.expect("in replies");
    assert_eq!(my.reaction, LIKE);
}

pub(crate) async fn the_same_again_changes_nothing(world: World) {
    let (_, bob, post) = scene(&world).await;
    let (first, second) = tokio::join!(world.react(bob, post, LIKE), world.react(bob, post, LIKE));
    let changed = [first.expect("reacted").changed, second.expect("reacted").changed];
    assert_eq!(changed.iter().filter(|changed| **changed).count(), 1);
    let told = world.told().await;
    assert_eq!((told.states.len(), told.publications.len()), (1, 1));
    assert!(!world.react(bob, post, LIKE).await.expect("reacted").changed);
    let told = world.told().await;
    assert_eq!((told.states.len(), told.publications.len()), (0, 0));
}

pub(crate) async fn a_change_of_kind_moves_counts_together(world: World) {
    let (_, bob, post) = scene(&world).await;
    world.react(bob, post, LIKE).await.expect("reacted");
    let outcome = world.react(bob, post, Some(ReactionKind::Love)).await.expect("reacted");
    assert_eq!((outcome.counts, outcome.changed), ([(ReactionKind::Love, 1)].into(), true));
    let told = world.told().await;
    let versions: Vec<_> = told.states.iter().map(|state| state.version).collect();
    assert_eq!((versions, told.publications.len()), (vec![1, 2], 1), "two states, one notification");
}

pub(crate) async fn taking_back_never_goes_below_zero(world: World) {
    let (_, bob, post) = scene(&world).await;
    let outcome = world.react(bob, post, None).await.expect("nothing to take back");
    assert_eq!((outcome.counts, outcome.changed), (ReactionCounts::new(), false));
    let alternating =
        (0..100).map(|number| world.react(bob, post, if number % 2 == 0 { LIKE } else { None }));
    for outcome in join_all(alternating).await {
        outcome.expect("reacted");
    }
    let now = world.read_post(bob, post).await.expect("is there");
    let mine = now.my.expect("in replies").reaction;
    assert_eq!(now.counts.reactions.values().sum::<u64>(), u64::from(mine.is_some()));
    let versions: Vec<_> = world.told().await.states.iter().map(|state| state.version).collect();
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

pub(crate) async fn crowds_are_counted_exactly(world: World) {
    let (_, _, post) = scene(&world).await;
    let mut people = Vec::new();
    for number in 0..60 {
        people.push(world.person(&format!("person{number}")).await);
    }
    let kinds = ReactionKind::ALL;
    let reacting =
        people.iter().zip(kinds.iter().cycle()).map(|(who, kind)| world.react(*who, post, Some(*kind)));
    for outcome in join_all(reacting).await {
        assert!(outcome.expect("reacted").changed);
    }
    let counts = world.read_post(people[0], post).await.expect("is there").counts;
    assert_eq!(counts.reactions, kinds.iter().map(|kind| (*kind, 10)).collect());
    assert_eq!(counts.version, 60);
}

pub(crate) async fn comments_are_reacted_to_as_well(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let comment = world.comment(bob, post, None).await.id;
    world.told().await;
    let outcome = world.react_to_comment(ada, comment, Some(ReactionKind::Haha)).await.expect("reacted");
    assert_eq!(outcome.counts, [(ReactionKind::Haha, 1)].into());
    let told = world.told().await;
    assert_eq!(told.channels_of(event::NOTIFICATION), [Channel::User(bob.user)]);
    assert_eq!(
        (&*told.states[0].event, told.states[0].key.clone()),
        (event::COMMENT_COUNTS, comment.to_string())
    );
    assert_eq!(told.states[0].channels, [Channel::Post(post)]);
    assert_eq!(told.states[0].actor, Some(bob.user), "whose comment it is, for those who have blocked him");
    let state: CommentCountsState = told.states[0].data.read().expect("counts");
    assert_eq!((state.comment_id, state.counts.version), (comment, 1));
    assert_eq!(world.read_post(ada, post).await.expect("is there").counts.reactions, ReactionCounts::new());
    let again = world.react_to_comment(ada, comment, Some(ReactionKind::Haha)).await.expect("reacted");
    assert_eq!((again.counts, again.changed), ([(ReactionKind::Haha, 1)].into(), false));
    let none = world.react_to_comment(ada, comment, None).await.expect("taken back");
    assert_eq!((none.counts, none.changed), (ReactionCounts::new(), true));
}

pub(crate) async fn what_is_gone_cannot_be_reacted_to(world: World) {
    let (ada, bob, post) = scene(&world).await;
    assert_eq!(world.react(bob, PostId::new(1), LIKE).await, Err(StoreError::NotFound("post")));
    let unknown = world.react_to_comment(bob, CommentId::new(1), LIKE).await;
    assert_eq!(unknown, Err(StoreError::NotFound("comment")));
    let deleting = world.stores.posts.delete(ada, post, world.now(), super::world::yes());
    let (deleted, reacted) = tokio::join!(deleting, world.react(bob, post, LIKE));
    deleted.expect("deleted");
    assert!(matches!(reacted, Ok(_) | Err(StoreError::NotFound("post"))), "{reacted:?}");
    assert_eq!(world.react(bob, post, LIKE).await, Err(StoreError::NotFound("post")));
}
