//! People, follows and blocks.

use super::World;
use crate::{
    publication::Audience,
    store::{
        Actor, PairFacts, Reader, Relation, StoreError,
        conformance::world::{GUEST, all_ears, yes},
        people::Target,
    },
};
use communiconnect_protocol::{
    Channel, Code, ErrorBody, MyUser, Profile, ProfileCounts, UserControl, UserId,
};
use std::sync::{Arc, Mutex};

pub(crate) async fn people_come_in_the_order_asked(world: World) {
    let (ann, ben) = pair(&world).await;
    let ids = vec![ben.user, UserId::NOTHING, ann.user, ben.user];
    let users = world.stores.people.users(ids).await.expect("read");
    let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
    assert_eq!(names, ["ben", "ann", "ben"]);
    assert_eq!(world.stores.people.user(UserId::NOTHING).await, Ok(None));
}

pub(crate) async fn a_profile_shows_its_own_part_to_its_owner_alone(world: World) {
    let (ann, ben) = pair(&world).await;
    world.follow(ben, ann).await;
    let (own, relation) = profile(&world, ann.into(), ann.user).await;
    assert!(relation.is_self);
    assert_eq!(
        own.user.my,
        Some(MyUser { following: false, blocked: false }),
        "nobody follows or blocks themselves"
    );
    let part = own.own.expect("the own part");
    assert_eq!((part.email.as_str(), part.version, part.created_at), ("ann@example.org", 1, world.now()));
    assert_eq!(part.counts, ProfileCounts { posts: 0, followers: 1, following: 0 });
    let (seen, relation) = profile(&world, ben.into(), ann.user).await;
    assert_eq!((seen.own, relation.follows), (None, true));
    assert_eq!(seen.user.my, Some(MyUser { following: true, blocked: false }));
    let (seen, relation) = profile(&world, GUEST, ann.user).await;
    assert_eq!((seen.own, seen.user.my, relation), (None, None, Relation::default()));
    assert_eq!(world.stores.people.profile(GUEST, UserId::NOTHING).await, Ok(None));
    assert_eq!(world.stores.people.relation(GUEST, UserId::NOTHING).await, Ok(None));
}

pub(crate) async fn following_counts_once_and_unfollowing_is_told_to_the_server(world: World) {
    let (ann, ben) = pair(&world).await;
    assert_eq!(set_follow(&world, ben, ann, true).await, Ok(true));
    assert_eq!(set_follow(&world, ben, ann, true).await, Ok(false));
    assert_eq!((counts(&world, ann).await.followers, counts(&world, ben).await.following), (1, 1));
    world.told().await;
    assert_eq!(set_follow(&world, ben, ann, false).await, Ok(true));
    assert_eq!(controls(&world, ben).await, [UserControl::Unfollowed { author: ann.user }]);
    assert_eq!(set_follow(&world, ben, ann, false).await, Ok(false));
    assert_eq!((counts(&world, ann).await.followers, counts(&world, ben).await.following), (0, 0));
    assert!(world.told().await.publications.is_empty());
}

pub(crate) async fn a_rule_judges_how_the_two_stand(world: World) {
    let (ann, ben) = pair(&world).await;
    world.block(ann, ben).await;
    let seen = Arc::new(Mutex::new(None));
    let noted = seen.clone();
    let rule = Box::new(move |facts: &PairFacts| {
        *noted.lock().expect("no panic") = Some(facts.relation);
        Err(ErrorBody::new(Code::Forbidden, "no"))
    });
    let target = Target { user: ann.user, on: true, at: world.now() };
    let refused = world.stores.people.set_follow(ben, target, rule, all_ears).await;
    assert_eq!(refused, Err(ErrorBody::new(Code::Forbidden, "no").into()));
    assert_eq!(*seen.lock().expect("no panic"), Some(Relation { blocked: true, ..Relation::default() }));
    assert_eq!(counts(&world, ann).await, ProfileCounts::default());
    let nobody = Target { user: UserId::NOTHING, ..target };
    assert_eq!(
        world.stores.people.set_follow(ben, nobody, yes(), all_ears).await,
        Err(StoreError::NotFound("user"))
    );
    assert_eq!(world.stores.people.set_block(ben, nobody, all_ears).await, Err(StoreError::NotFound("user")));
}

pub(crate) async fn a_block_takes_the_follows_of_both_with_it(world: World) {
    let (ann, ben) = pair(&world).await;
    let cat = world.person("cat").await;
    for (who, whom) in [(ann, ben), (ben, ann), (cat, ann)] {
        world.follow(who, whom).await;
    }
    world.told().await;
    assert_eq!(set_block(&world, ann, ben, true).await, Ok(true));
    let told = world.told().await;
    let of = |who: Actor| controls_of(&told, who);
    let unfollowed = |author: Actor| UserControl::Unfollowed { author: author.user };
    let blocked = |other: Actor| UserControl::Blocked { other: other.user, on: true };
    assert_eq!(of(ann), [unfollowed(ben), blocked(ben)]);
    assert_eq!(of(ben), [unfollowed(ann), blocked(ann)]);
    assert_eq!(counts(&world, ann).await, ProfileCounts { posts: 0, followers: 1, following: 0 });
    assert_eq!(counts(&world, ben).await, ProfileCounts::default());
    for (reader, other) in [(ann, ben), (ben, ann)] {
        let relation = world.stores.people.relation(reader.into(), other.user).await.expect("read");
        assert_eq!(relation, Some(Relation { is_self: false, follows: false, blocked: true }));
        assert_eq!(world.stores.people.blocked_with(reader.user).await, Ok(vec![other.user]));
    }
    // Only the one who blocks is told that they do.
    assert!(profile(&world, ann.into(), ben.user).await.0.user.my.expect("my").blocked);
    assert!(!profile(&world, ben.into(), ann.user).await.0.user.my.expect("my").blocked);
    assert_eq!(world.stores.people.blocked_with(cat.user).await, Ok(vec![]));
}

pub(crate) async fn a_pair_stays_blocked_until_both_have_let_go(world: World) {
    let (ann, ben) = pair(&world).await;
    assert_eq!(set_block(&world, ann, ben, true).await, Ok(true));
    assert_eq!(set_block(&world, ann, ben, true).await, Ok(false));
    world.told().await;
    assert_eq!(set_block(&world, ben, ann, true).await, Ok(true));
    assert_eq!(set_block(&world, ann, ben, false).await, Ok(true));
    assert!(world.told().await.publications.is_empty(), "the pair stood as before");
    assert_eq!(world.stores.people.blocked_with(ann.user).await, Ok(vec![ben.user]));
    assert_eq!(set_block(&world, ben, ann, false).await, Ok(true));
    let told = world.told().await;
    let free = |other: Actor| [UserControl::Blocked { other: other.user, on: false }];
    assert_eq!((controls_of(&told, ann), controls_of(&told, ben)), (free(ben).into(), free(ann).into()));
    assert_eq!(world.stores.people.blocked_with(ann.user).await, Ok(vec![]));
    assert_eq!(set_block(&world, ben, ann, false).await, Ok(false));
}

pub(crate) async fn nobody_blocks_themselves(world: World) {
    let (ann, _) = pair(&world).await;
    assert!(matches!(set_block(&world, ann, ann, true).await, Err(StoreError::Refused(_))));
    assert_eq!(world.stores.people.blocked_with(ann.user).await, Ok(vec![]));
}

pub(crate) async fn crossing_follows_are_counted_exactly(world: World) {
    let (ann, ben) = pair(&world).await;
    let wishes = (0..40).map(|turn| {
        set_follow(
            &world,
            if turn % 2 == 0 { ann } else { ben },
            if turn % 2 == 0 { ben } else { ann },
            turn % 3 != 0,
        )
    });
    let changes = futures_util::future::join_all(wishes).await;
    assert!(changes.iter().all(Result::is_ok));
    for (who, whom) in [(ann, ben), (ben, ann)] {
        let follows =
            world.stores.people.relation(who.into(), whom.user).await.expect("read").expect("there").follows;
        assert_eq!(counts(&world, who).await.following, u64::from(follows));
        assert_eq!(counts(&world, whom).await.followers, u64::from(follows));
    }
}

async fn pair(world: &World) -> (Actor, Actor) {
    (world.person("ann").await, world.person("ben").await)
}

async fn profile(world: &World, reader: Reader, id: UserId) -> (Profile, Relation) {
    world.stores.people.profile(reader, id).await.expect("read").expect("a person")
}

async fn counts(world: &World, who: Actor) -> ProfileCounts {
    profile(world, who.into(), who.user).await.0.own.expect("the own part").counts
}

async fn set_follow(world: &World, who: Actor, whom: Actor, on: bool) -> crate::store::Result<bool> {
    let target = Target { user: whom.user, on, at: world.now() };
    world.stores.people.set_follow(who, target, yes(), all_ears).await
}

async fn set_block(world: &World, who: Actor, whom: Actor, on: bool) -> crate::store::Result<bool> {
    let target = Target { user: whom.user, on, at: world.now() };
    world.stores.people.set_block(who, target, all_ears).await
}

async fn controls(world: &World, who: Actor) -> Vec<UserControl> {
    controls_of(&world.told().await, who)
}

/// What the server was told about a person, in order.
fn controls_of(told: &super::world::Told, who: Actor) -> Vec<UserControl> {
    let entries = told.of(&Channel::User(who.user)).into_iter();
    entries
        .filter(|entry| entry.audience == Audience::Server)
        .map(|entry| entry.data.read().expect("a control"))
        .collect()
}
