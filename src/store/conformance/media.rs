//! Uploads hang on one post of their owner, and go with it.

use super::{
    World,
    world::{no, refusal},
};
use crate::store::{
    Actor, MediaFacts, StoreError,
    media::NewMedia,
    people::ProfileChange,
    posts::{NewPost, PostRules},
};
use communiconnect_protocol::{
    Channel, Media, MediaId, MediaKind, MediaPurpose, MediaStatus, Post, UserUpdated, event,
};
use std::collections::BTreeMap;

fn new(world: &World, owner: Actor) -> NewMedia {
    let at = world.now();
    let id = MediaId::new(at);
    let shape = Media {
        id,
        kind: MediaKind::Image,
        status: MediaStatus::Ready,
        reason: None,
        media_type: "image/png".into(),
        bytes: 70,
        width: 3,
        height: 2,
        duration_ms: None,
        thumbhash: Some("hash".into()),
        alt: Some("it's \"two\" ö".into()),
        urls: BTreeMap::from([("original".into(), format!("/media/{id}/original"))]),
    };
    NewMedia { owner: owner.user, purpose: MediaPurpose::Post, shape, at }
}

async fn uploaded(world: &World, owner: Actor) -> Media {
    let new = new(world, owner);
    world.stores.media.add(new.clone()).await.expect("noted");
    new.shape
}

fn own_and_free(facts: &MediaFacts) -> bool {
    facts.is_own && facts.post.is_none()
}

async fn posted(world: &World, by: Actor, new: NewPost) -> Result<Post, StoreError> {
    let rules = PostRules { may: super::yes(), attaches: own_and_free };
    world.stores.posts.create(by, world.op(), new, rules).await.map(|(post, _)| post)
}

pub(crate) async fn media_hang_on_one_post_in_the_order_asked(world: World) {
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let community = world.community(ada, "All", None).await.id;
    let (one, two) = (uploaded(&world, ada).await, uploaded(&world, ada).await);
    let found = world.stores.media.get(bob.into(), one.id).await.expect("read").expect("is there");
    assert_eq!((found.facts.is_own, found.facts.post, &found.shape), (false, None, &one));
    let draft = |media| NewPost { media, ..world.draft(community, "look") };
    let post = posted(&world, ada, draft(vec![two.id, one.id])).await.expect("posted");
    assert_eq!(post.media, [two.clone(), one.clone()]);
    let read = world.read_post(bob, post.id).await.expect("is there");
    assert_eq!(read.media, post.media);
    let found = world.stores.media.get(bob.into(), one.id).await.expect("read").expect("is there");
    assert_eq!(found.facts.post.map(|facts| facts.id), Some(post.id));
    world.told().await;
    // Taken, foreign, unknown, twice: nothing of the post is written, and each is named.
    let (free, foreign) = (uploaded(&world, ada).await, uploaded(&world, bob).await);
    let unknown = MediaId::new(world.now());
    for bad in [one.id, foreign.id, unknown, free.id] {
        let refused = posted(&world, ada, draft(vec![free.id, bad])).await;
        let Err(StoreError::Refused(refusal)) = refused else { panic!("{refused:?}") };
        assert!(refusal.message.contains(&bad.to_string()), "{}", refusal.message);
    }
    assert_eq!(world.told().await.publications.len(), 0);
    posted(&world, ada, draft(vec![free.id])).await.expect("it is still free");
}

pub(crate) async fn a_post_that_goes_takes_its_media(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let media = uploaded(&world, ada).await;
    let new = NewPost { media: vec![media.id], ..world.draft(community, "look") };
    let post = posted(&world, ada, new).await.expect("posted");
    assert_eq!(world.stores.media.known(vec![media.id]).await.expect("read"), [media.id]);
    world.stores.posts.delete(ada, post.id, world.now(), super::yes()).await.expect("deleted");
    assert_eq!(world.stores.media.known(vec![media.id]).await.expect("read"), []);
    assert_eq!(world.stores.media.get(ada.into(), media.id).await.expect("read"), None);
}

pub(crate) async fn a_photo_makes_way_for_the_next_and_is_told(world: World) {
    let (ada, bob) = (world.person("ada").await, world.person("bob").await);
    let (first, second) = (uploaded(&world, ada).await, uploaded(&world, ada).await);
    let foreign = uploaded(&world, bob).await;
    let edit = async |version, photo| {
        let change = ProfileChange { version, name: None, bio: Some("hello".into()), photo, at: world.now() };
        world.stores.people.edit(ada, change, own_and_free).await
    };
    let refused = edit(1, Some(Some(foreign.id))).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(edit(2, None).await, Err(StoreError::Version { present: 1 }));
    world.told().await;
    let profile = edit(1, Some(Some(first.id))).await.expect("edited");
    assert_eq!((profile.user.photo, profile.own.expect("one's own").version), (Some(first.urls), 2));
    let told = world.told().await;
    let entry = told.of(&Channel::Author(ada.user))[0];
    assert_eq!((&*entry.event, entry.actor), (event::USER_UPDATED, Some(ada.user)));
    assert_eq!(entry.data.read::<UserUpdated>().expect("an event").user.bio, "hello");
    edit(2, Some(Some(second.id))).await.expect("edited");
    let seen = world.stores.media.get(bob.into(), second.id).await.expect("read").expect("is there");
    assert!(seen.facts.is_photo && !seen.facts.is_own);
    assert_eq!(world.stores.media.known(vec![first.id, second.id]).await.expect("read"), [second.id]);
    edit(3, None).await.expect("edited");
    let kept = world.stores.people.user(ada.user).await.expect("read").expect("is there");
    assert_eq!(kept.photo, Some(second.urls));
    assert_eq!(world.stores.media.forget_unused(world.now() + 1_000, 10).await, Ok(1), "that of bob alone");
    assert_eq!(edit(4, Some(None)).await.expect("edited").user.photo, None);
    assert_eq!(world.stores.media.known(vec![second.id]).await.expect("read"), []);
}

pub(crate) async fn media_are_removed_by_a_rule_and_forgotten_unless_used(world: World) {
    let ada = world.person("ada").await;
    let community = world.community(ada, "All", None).await.id;
    let (used, free) = (uploaded(&world, ada).await, uploaded(&world, ada).await);
    let new = NewPost { media: vec![used.id], ..world.draft(community, "look") };
    posted(&world, ada, new).await.expect("posted");
    let refused = world.stores.media.remove(ada, free.id, no()).await;
    assert_eq!(refused, Err(StoreError::Refused(Box::new(refusal()))));
    let nothing = world.stores.media.remove(ada, MediaId::new(0), super::yes()).await;
    assert_eq!(nothing, Err(StoreError::NotFound("media")));
    let later = world.now() + 1_000;
    assert_eq!(world.stores.media.forget_unused(0, 10).await, Ok(0));
    assert_eq!(world.stores.media.forget_unused(later, 10).await, Ok(1));
    assert_eq!(world.stores.media.known(vec![used.id, free.id]).await.expect("read"), [used.id]);
    let again = uploaded(&world, ada).await;
    world.stores.media.remove(ada, again.id, super::yes()).await.expect("removed");
    assert_eq!(world.stores.media.known(vec![again.id]).await.expect("read"), []);
}
