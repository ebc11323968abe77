//! Writing, editing, deleting and viewing posts.

use super::*;
use crate::store::posts::Viewer;
use communiconnect_protocol::{CommentList, FeedList, PostEdit, ReactionKind, ReactionSet, SessionId};

fn edit(post: &Post, content: &str) -> PostEdit {
    PostEdit {
        post_id: post.id,
        version: post.version,
        title: None,
        content: Some(content.into()),
        kind: None,
    }
}

#[tokio::test]
async fn only_members_post() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    assert_eq!(refused(world.social.posts.create(ben, world.draft(library), T).await), Code::Forbidden);
    world.join(ben, library).await;
    world.post(ben, world.draft(library)).await;
    let membership = Membership { community_id: library, on: false, at: T };
    world.social.communities.set_member(ben, membership).await.expect("left");
    assert_eq!(refused(world.social.posts.create(ben, world.draft(library), T).await), Code::Forbidden);
    let nowhere = world.draft(CommunityId::NOTHING);
    assert_eq!(refused(world.social.posts.create(ben, nowhere, T).await), Code::NotFound);
}

#[tokio::test]
async fn a_faulty_post_names_the_field_and_leaves_nothing() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let draft = || world.draft(library);
    let six = (0..6).map(|n| n.to_string()).collect();
    for (case, body, code, field) in [
        ("blank", PostCreate { content: " \n".into(), ..draft() }, Code::Invalid, "content"),
        ("too long", PostCreate { content: "x".repeat(5_001), ..draft() }, Code::Invalid, "content"),
        ("a bell", PostCreate { content: "a\u{7}".into(), ..draft() }, Code::Invalid, "content"),
        ("long title", PostCreate { title: Some("x".repeat(201)), ..draft() }, Code::Invalid, "title"),
        ("blank title", PostCreate { title: Some(" ".into()), ..draft() }, Code::Invalid, "title"),
        ("no op", PostCreate { op: String::new(), ..draft() }, Code::Invalid, "op"),
        ("long op", PostCreate { op: "x".repeat(65), ..draft() }, Code::Invalid, "op"),
        ("unknown media", PostCreate { media_ids: vec!["m1".into()], ..draft() }, Code::Invalid, "media_ids"),
        ("six media", PostCreate { media_ids: six, ..draft() }, Code::LimitExceeded, "media_ids"),
        (
            "anonymous to followers",
            PostCreate { anonymous: true, visibility: Visibility::Followers, ..draft() },
            Code::Invalid,
            "visibility",
        ),
    ] {
        assert_eq!(faulty(world.social.posts.create(ada, body, T).await), (code, field.into()), "{case}");
    }
    let feed = FeedList { community_id: Some(library), ..FeedList::default() };
    assert_eq!(world.social.feeds.list(ada.into(), feed).await.expect("a page").posts, vec![]);
}

#[tokio::test]
async fn the_longest_post_is_kept_as_written_in_normal_form() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let draft = PostCreate {
        title: Some("e\u{301}".repeat(200)),
        content: "👍".repeat(5_000),
        ..world.draft(library)
    };
    let post = world.post(ada, draft).await;
    let read = world.read(GUEST, post.id).await.expect("public");
    assert_eq!((read.title.as_deref(), read.content), (Some("é".repeat(200).as_str()), "👍".repeat(5_000)));
}

#[tokio::test]
async fn an_op_has_one_effect_and_one_answer() {
    let world = World::with(&[("limits.posts_per_minute", "2")]);
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    world.join(ben, library).await;
    let draft = world.draft(library);
    let create = |actor, body: &PostCreate, at| world.social.posts.create(actor, body.clone(), at);

    let first = create(ada, &draft, T).await.expect("posted");
    let other = PostCreate { content: "Another".into(), ..draft.clone() };
    assert_eq!(faulty(create(ada, &other, T).await), (Code::Conflict, "op".into()));
    let remark = CommentAdd { op: draft.op.clone(), ..world.remark(first.post.id) };
    assert_eq!(refused(world.social.comments.add(ada, remark, T).await), Code::Conflict);

    create(ada, &world.draft(library), T).await.expect("the second of two a minute");
    assert_eq!(refused(create(ada, &world.draft(library), T).await), Code::RateLimited);
    assert_eq!(create(ada, &draft, T + 1).await.expect("a retry"), first);
    let theirs = create(ben, &draft, T).await.expect("another person's op is another op");
    assert_ne!(theirs.post.id, first.post.id);
}

#[tokio::test]
async fn the_51st_post_in_a_minute_is_refused() {
    let world = World::with(&[]);
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    for second in 0..50 {
        world.social.posts.create(ada, world.draft(library), T + second * 1_000).await.expect("posted");
    }
    let refusal =
        world.social.posts.create(ada, world.draft(library), T + 59_999).await.expect_err("the 51st");
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(1)));
    world.social.posts.create(ada, world.draft(library), T + MINUTE).await.expect("a minute after the first");
}

#[tokio::test]
async fn the_author_edits_within_thirty_minutes() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let moderator = world.person_as("mo", Role::Admin).await;
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    let posts = &world.social.posts;

    let edited = posts.edit(ada, edit(&post, "Better"), T + 30 * MINUTE - 1_000).await.expect("29:59").post;
    assert_eq!((edited.version, edited.content.as_str()), (post.version + 1, "Better"));
    assert_eq!(faulty(posts.edit(ada, edit(&post, "Late"), T + 1).await), (Code::Conflict, "version".into()));
    assert_eq!(
        refused(posts.edit(ada, edit(&edited, "Late"), T + 30 * MINUTE + 1_000).await),
        Code::WindowClosed
    );
    for other in [ben, moderator] {
        assert_eq!(refused(posts.edit(other, edit(&edited, "Mine"), T + 1).await), Code::Forbidden);
    }
    assert_eq!(world.read(GUEST, post.id).await.expect("public").content, "Better");
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_an_empty_title_goes() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let draft = PostCreate { title: Some("Title".into()), ..world.draft(library) };
    let post = world.post(ada, draft).await;
    let posts = &world.social.posts;
    let nothing = PostEdit { content: None, ..edit(&post, "") };
    assert_eq!(refused(posts.edit(ada, nothing.clone(), T).await), Code::Invalid);
    let body = PostEdit { title: Some(String::new()), kind: Some(PostKind::Help), ..nothing };
    let post = posts.edit(ada, body, T).await.expect("edited").post;
    assert_eq!((post.title, post.kind, post.content.as_str()), (None, PostKind::Help, "Hello"));
}

#[tokio::test]
async fn of_two_edits_at_once_one_wins() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    let (one, two) = tokio::join!(
        world.social.posts.edit(ada, edit(&post, "One"), T),
        world.social.posts.edit(ada, edit(&post, "Two"), T),
    );
    let (winner, loser) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(refused(loser), Code::Conflict);
    assert_eq!(world.read(ada, post.id).await.expect("own"), winner.expect("one wins").post);
}

#[tokio::test]
async fn a_deleted_post_is_gone_for_every_command() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    let comment = world.comment(ben, world.remark(post.id)).await;
    let Social { posts, comments, reactions, .. } = &world.social;
    assert_eq!(refused(posts.delete(ben, post.id, T).await), Code::Forbidden);
    assert!(posts.delete(ada, post.id, T).await.expect("deleted").changed);

    let like = Some(ReactionKind::Like);
    let on_post = ReactionSet { post_id: Some(post.id), comment_id: None, kind: like };
    let on_comment = ReactionSet { post_id: None, comment_id: Some(comment.id), kind: like };
    let page = CommentList { post_id: post.id, parent_id: None, cursor: None, limit: None };
    let viewer = Some(Viewer::Person(ada.user));
    for (what, code) in [
        ("get", refused(posts.get(ada.into(), post.id).await)),
        ("edit", refused(posts.edit(ada, edit(&post, "x"), T).await)),
        ("delete", refused(posts.delete(ada, post.id, T).await)),
        ("view", refused(posts.view(ada.into(), viewer, post.id, T).await)),
        ("react", refused(reactions.set(ada, on_post, T).await)),
        ("react to its comment", refused(reactions.set(ada, on_comment, T).await)),
        ("comment", refused(comments.add(ada, world.remark(post.id), T).await)),
        ("delete its comment", refused(comments.delete(ben, comment.id, T).await)),
        ("list comments", refused(comments.list(ada.into(), page).await)),
    ] {
        assert_eq!(code, Code::NotFound, "{what}");
    }
    assert_eq!(posts.counts(ada.into(), vec![post.id]).await.expect("none").states, vec![]);
}

#[tokio::test]
async fn moderators_of_the_community_and_of_the_server_delete() {
    let world = World::new();
    let (founder, ada) = (world.person("founder").await, world.person("ada").await);
    let staff = world.person_as("staff", Role::Moderator).await;
    let (library, elsewhere) = (world.community(founder, None).await, world.community(ada, None).await);
    world.join(ada, library).await;
    let posts = &world.social.posts;

    let here = world.post(ada, world.draft(library)).await;
    posts.delete(founder, here.id, T).await.expect("the founder moderates");
    let there = world.post(ada, world.draft(elsewhere)).await;
    assert_eq!(refused(posts.delete(founder, there.id, T).await), Code::Forbidden);
    posts.delete(staff, there.id, T).await.expect("staff moderates everywhere");
    let private = PostCreate { visibility: Visibility::Private, ..world.draft(library) };
    let private = world.post(ada, private).await;
    assert_eq!(refused(posts.delete(founder, private.id, T).await), Code::NotFound);
    let followers = PostCreate { visibility: Visibility::Followers, ..world.draft(library) };
    let followers = world.post(ada, followers).await;
    world.block(ada, staff).await;
    posts.delete(staff, followers.id, T).await.expect("a block is no shield against staff");
}

#[tokio::test]
async fn a_person_counts_once_per_half_hour_and_a_guest_by_session() {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await.id;
    let guest = Some(Viewer::Guest(SessionId::new(T)));
    let by = |actor: Actor| Some(Viewer::Person(actor.user));
    for (reader, viewer, at, counts) in [
        (ben.into(), by(ben), T, true),
        (ben.into(), by(ben), T + 30 * MINUTE - 1, false),
        (ben.into(), by(ben), T + 31 * MINUTE, true),
        (ada.into(), by(ada), T, true),
        (GUEST, guest, T, true),
        (GUEST, guest, T + 1, false),
        (GUEST, Some(Viewer::Guest(SessionId::new(T + 1))), T, true),
        (GUEST, None, T, false),
    ] {
        let counted = world.social.posts.view(reader, viewer, post, at).await.expect("visible").counted;
        assert_eq!(counted, counts, "{viewer:?} at {}", at - T);
    }
    assert_eq!(world.read(GUEST, post).await.expect("public").counts.views, 5);
    let unknown = world.social.posts.view(GUEST, None, PostId::NOTHING, T).await;
    assert_eq!(refused(unknown), Code::NotFound);
}

#[tokio::test]
async fn counts_of_a_hundred_posts_and_no_more() {
    let world = World::new();
    let ada = world.person("ada").await;
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await.id;
    let mut ids = vec![PostId::NOTHING; 99];
    ids.push(post);
    let states = world.social.posts.counts(GUEST, ids.clone()).await.expect("a hundred").states;
    assert_eq!(states.iter().map(|state| state.key.clone()).collect::<Vec<_>>(), vec![post.to_string()]);
    ids.push(post);
    let answer = world.social.posts.counts(GUEST, ids).await;
    assert_eq!(faulty(answer), (Code::LimitExceeded, "post_ids".into()));
}
