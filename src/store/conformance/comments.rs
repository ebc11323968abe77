//! Comments are told in the post's channel, counted with it, and go with their replies.

use super::{
    World,
    world::{GUEST, no, op, refusal, rules, yes},
};
use crate::store::{
    Actor, StoreError,
    comments::{CommentChange, CommentQuery},
};
use communiconnect_protocol::{
    Channel, Comment, CommentDeleted, CommentEvent, CommentId, MyComment, PostCountsState, PostId,
    ReactionKind, event,
};

/// Ada's post, with bob beside her.
async fn scene(world: &World) -> (Actor, Actor, PostId) {
    let ada = world.person("ada").await;
    let bob = world.person("bob").await;
    let community = world.community(ada, "All", None).await.id;
    let post = world.post(ada, community).await.id;
    world.told().await;
    (ada, bob, post)
}

pub(crate) async fn a_comment_is_told_and_counted(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let new = world.remark(post, None, "well said");
    let (comment, position) =
        world.stores.comments.add(bob, op("mine"), new, rules(yes())).await.expect("added");
    assert_eq!((position.channel, position.position.offset), (Channel::Post(post), 1));
    assert_eq!(comment.my, Some(MyComment { author: true, reaction: None }));
    assert_eq!((comment.depth, comment.parent_id), (0, None));

    let told = world.told().await;
    let entries = told.of(&Channel::Post(post));
    assert_eq!(entries.len(), 1);
    assert_eq!((&*entries[0].event, entries[0].actor), (event::COMMENT_ADDED, Some(bob.user)));
    let body: CommentEvent = entries[0].data.read().expect("an event");
    let public = Comment { my: None, ..comment.clone() };
    assert_eq!(body, CommentEvent { comment: public, op: Some("mine".into()) });
    let state: PostCountsState = told.states[0].data.read().expect("counts");
    assert_eq!((state.post_id, state.counts.comments, state.counts.version), (post, 1, 1));
    assert_eq!((&*told.states[0].event, told.states[0].version), (event::POST_COUNTS, 1));
    assert_eq!(told.states[0].key, post.to_string());

    let seen = world.stores.comments.get(ada.into(), comment.id).await.expect("read").expect("is there");
    assert_eq!(seen.comment, Comment { my: Some(MyComment::default()), ..comment });
    assert_eq!((seen.facts.author, seen.facts.post.author), (bob.user, ada.user));
}

pub(crate) async fn replies_nest_and_count(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let root = world.comment(bob, post, None).await;
    let reply = world.comment(ada, post, Some(root.id)).await;
    let deeper = world.comment(bob, post, Some(reply.id)).await;
    assert_eq!([root.depth, reply.depth, deeper.depth], [0, 1, 2]);
    let mut seen = None;
    let rule = Box::new(|facts: &crate::store::comments::NewCommentFacts| {
        assert_eq!(facts.parent.as_ref().map(|parent| parent.depth), Some(2));
        Err(refusal())
    });
    let new = world.remark(post, Some(deeper.id), "deeper still");
    seen.replace(world.stores.comments.add(ada, world.op(), new, rules(rule)).await);
    assert_eq!(seen, Some(Err(refusal().into())));
    assert_eq!(world.read_post(ada, post).await.expect("is there").counts.comments, 3);
    let counts = world.stores.comments.counts(ada.into(), post, 10).await.expect("counts");
    let replies: Vec<_> =
        counts.iter().map(|(facts, counts)| (facts.id, counts.replies, counts.version)).collect();
    assert_eq!(replies, [(reply.id, 1, 1), (root.id, 1, 1)]);
}

pub(crate) async fn a_parent_must_be_there(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let add = |post, parent| {
        world.stores.comments.add(bob, world.op(), world.remark(post, parent, "?"), rules(yes()))
    };
    assert_eq!(add(PostId::new(1), None).await, Err(StoreError::NotFound("post")));
    assert_eq!(add(post, Some(CommentId::new(1))).await, Err(StoreError::NotFound("comment")));
    let community = world.community(ada, "Other", None).await.id;
    let other = world.post(ada, community).await.id;
    let foreign = world.comment(ada, other, None).await.id;
    assert_eq!(add(post, Some(foreign)).await, Err(StoreError::NotFound("comment")));
    assert_eq!(world.read_post(ada, post).await.expect("is there").counts.version, 0);
}

pub(crate) async fn comments_are_listed_in_the_order_they_were_told(world: World) {
    let (ada, _, post) = scene(&world).await;
    let adding = (0..40).map(|number| {
        // Each sender's clock differs a little.
        let mut new = world.remark(post, None, &number.to_string());
        new.at += (number * 7) % 5;
        world.stores.comments.add(ada, world.op(), new, rules(yes()))
    });
    for outcome in futures_util::future::join_all(adding).await {
        outcome.expect("added");
    }
    let told = world.told().await;
    let order: Vec<CommentId> = told
        .of(&Channel::Post(post))
        .into_iter()
        .map(|publication| publication.data.read::<CommentEvent>().expect("an event").comment.id)
        .collect();
    let mut listed = Vec::new();
    loop {
        let query = CommentQuery { post_id: post, parent_id: None, after: listed.last().copied(), limit: 15 };
        let page = world.stores.comments.list(GUEST, query).await.expect("a page");
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|view| view.comment.id));
    }
    assert_eq!((listed.len(), listed), (40, order));
}

pub(crate) async fn an_edit_keeps_the_place(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let comment = world.comment(bob, post, None).await;
    world.told().await;
    world.pass(3);
    let change = CommentChange { comment_id: comment.id, content: "better said".into(), at: world.now() };
    let refused = world.stores.comments.edit(ada, change.clone(), no()).await;
    assert_eq!(refused, Err(refusal().into()));
    let edited = world.stores.comments.edit(bob, change.clone(), yes()).await.expect("edited");
    assert_eq!((edited.content.as_str(), edited.edited_at), ("better said", Some(world.now())));
    let told = world.told().await;
    assert_eq!(told.channels_of(event::COMMENT_EDITED), [Channel::Post(post)]);
    let body: CommentEvent = told.publications[0].data.read().expect("an event");
    assert_eq!(body, CommentEvent { comment: Comment { my: None, ..edited }, op: None });
    let lost = CommentChange { comment_id: CommentId::new(1), ..change };
    let unknown = world.stores.comments.edit(bob, lost, yes()).await;
    assert_eq!(unknown, Err(StoreError::NotFound("comment")));
}

pub(crate) async fn a_removed_comment_takes_its_replies(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let root = world.comment(bob, post, None).await.id;
    let middle = world.comment(ada, post, Some(root)).await.id;
    let leaf = world.comment(bob, post, Some(middle)).await.id;
    let sibling = world.comment(bob, post, Some(root)).await.id;
    world.react_to_comment(ada, leaf, Some(ReactionKind::Sad)).await.expect("reacted");
    world.told().await;
    let removed = world.stores.comments.delete(ada, middle, world.now(), yes()).await;
    assert_eq!(removed, Ok(2));
    let told = world.told().await;
    assert_eq!(told.events(), [event::COMMENT_DELETED], "one publication");
    let body: CommentDeleted = told.publications[0].data.read().expect("an event");
    assert_eq!(body, CommentDeleted { comment_id: middle, removed: 2 });
    assert_eq!(world.read_post(ada, post).await.expect("is there").counts.comments, 2);
    let counts = world.stores.comments.counts(ada.into(), post, 10).await.expect("counts");
    let replies: Vec<_> = counts.iter().map(|(facts, counts)| (facts.id, counts.replies)).collect();
    assert_eq!(replies, [(root, 1)]);
    for (id, there) in [(root, true), (middle, false), (leaf, false), (sibling, true)] {
        let found = world.stores.comments.get(GUEST, id).await.expect("read");
        assert_eq!(found.is_some(), there);
    }
    let again = world.stores.comments.delete(ada, middle, world.now(), yes()).await;
    assert_eq!(again, Err(StoreError::NotFound("comment")));
    assert_eq!(world.stores.comments.delete(ada, root, world.now(), yes()).await, Ok(2));
}

pub(crate) async fn an_anonymous_comment_names_nobody(world: World) {
    let (ada, bob, post) = scene(&world).await;
    world.block(ada, bob).await;
    world.told().await;
    let mut new = world.remark(post, None, "who am I");
    new.anonymous = true;
    let (comment, _) = world.stores.comments.add(bob, world.op(), new, rules(yes())).await.expect("added");
    assert_eq!((&comment.author, comment.anonymous), (&None, true));
    let told = world.told().await;
    assert_eq!(told.events(), [event::COMMENT_ADDED, event::NOTIFICATION], "a block would tell whose it is");
    for publication in &told.publications {
        assert_eq!(publication.actor, None);
        let text = format!("{:?}", publication.data);
        assert!(!text.contains("bob") && !text.contains(&bob.user.to_string()), "{text}");
        assert!(!text.contains("\"op\""), "{text}");
    }
    let own = world.stores.comments.get(bob.into(), comment.id).await.expect("read").expect("is there");
    assert_eq!((own.comment.author, own.comment.my.map(|my| my.author)), (None, Some(true)));
}

pub(crate) async fn a_post_that_goes_takes_its_comments(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let root = world.comment(bob, post, None).await.id;
    let adding = (0..20).map(|_| {
        world.stores.comments.add(bob, world.op(), world.remark(post, Some(root), "+"), rules(yes()))
    });
    let (outcomes, deleted) = tokio::join!(
        futures_util::future::join_all(adding),
        world.stores.posts.delete(ada, post, world.now(), yes()),
    );
    deleted.expect("deleted");
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(_) | Err(StoreError::NotFound("post"))), "{outcome:?}");
    }
    let query = CommentQuery { post_id: post, parent_id: Some(root), after: None, limit: 100 };
    assert_eq!(world.stores.comments.list(GUEST, query).await, Ok(Vec::new()), "no orphan");
}

pub(crate) async fn a_retry_adds_no_second_comment(world: World) {
    let (ada, bob, post) = scene(&world).await;
    let add = || world.stores.comments.add(bob, op("same"), world.remark(post, None, "once"), rules(yes()));
    let first = add().await.expect("added");
    assert_eq!(add().await, Ok(first));
    assert_eq!(world.read_post(ada, post).await.expect("is there").counts.comments, 1);
}
