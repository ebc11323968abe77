//! Comments and replies.

use super::*;
use communiconnect_protocol::{CommentEdit, CommentList, ReactionKind, ReactionSet};

struct Scene {
    world: World,
    ada: Actor,
    ben: Actor,
    post: Post,
}

/// A public post of Ada's; Ben may comment on it without being a member.
async fn scene() -> Scene {
    let world = World::new();
    let (ada, ben) = (world.person("ada").await, world.person("ben").await);
    let library = world.community(ada, None).await;
    let post = world.post(ada, world.draft(library)).await;
    Scene { world, ada, ben, post }
}

fn ids(comments: &[Comment]) -> Vec<CommentId> {
    comments.iter().map(|comment| comment.id).collect()
}

#[tokio::test]
async fn replies_nest_three_deep() {
    let Scene { world, ada, ben, post } = scene().await;
    let mut last = world.comment(ben, world.remark(post.id)).await;
    for depth in 1..=3 {
        last = world.reply(ada, &last).await.expect("room below");
        assert_eq!(last.depth, depth);
    }
    let answer = world.reply(ben, &last).await;
    assert_eq!(faulty(answer), (Code::LimitExceeded, "parent_id".into()));
    assert_eq!(world.read(GUEST, post.id).await.expect("public").counts.comments, 4);
}

#[tokio::test]
async fn a_parent_of_another_post_or_a_deleted_one_is_not_there() {
    let Scene { world, ada, ben, post } = scene().await;
    let elsewhere = world.post(ada, world.draft(post.community_id)).await;
    let foreign = world.comment(ben, world.remark(elsewhere.id)).await;
    let astray = CommentAdd { parent_id: Some(foreign.id), ..world.remark(post.id) };
    assert_eq!(refused(world.social.comments.add(ben, astray, T).await), Code::NotFound);
    world.social.comments.delete(ben, foreign.id, T).await.expect("deleted");
    assert_eq!(refused(world.reply(ben, &foreign).await), Code::NotFound);
    let page = CommentList { post_id: post.id, parent_id: Some(foreign.id), cursor: None, limit: None };
    assert_eq!(refused(world.social.comments.list(ben.into(), page).await), Code::NotFound);
}

#[tokio::test]
async fn faulty_comments_name_the_field() {
    let Scene { world, ben, post, .. } = scene().await;
    let comments = &world.social.comments;
    let kept = world.comment(ben, CommentAdd { content: "x".repeat(2_000), ..world.remark(post.id) }).await;
    for content in [String::new(), "\u{200b}\n".into(), "x".repeat(2_001), "a\0".into()] {
        let remark = CommentAdd { content: content.clone(), ..world.remark(post.id) };
        assert_eq!(faulty(comments.add(ben, remark, T).await), (Code::Invalid, "content".into()));
        let edit = CommentEdit { comment_id: kept.id, content };
        assert_eq!(faulty(comments.edit(ben, edit, T).await), (Code::Invalid, "content".into()));
    }
    assert_eq!(ids(&world.listed(GUEST, post.id, None).await), vec![kept.id]);
}

#[tokio::test]
async fn only_its_author_edits_a_comment_at_any_time() {
    let Scene { world, ada, ben, post } = scene().await;
    let comment = world.comment(ben, world.remark(post.id)).await;
    let edit = CommentEdit { comment_id: comment.id, content: "e\u{301}".into() };
    let refusal = world.social.comments.edit(ada, edit.clone(), T).await;
    assert_eq!(refused(refusal), Code::Forbidden, "not even the post's author and moderator");
    let edited = world.social.comments.edit(ben, edit, T + 1_000 * MINUTE).await.expect("own").comment;
    assert_eq!((edited.content.as_str(), edited.edited_at), ("é", Some(T + 1_000 * MINUTE)));
}

#[tokio::test]
async fn deleting_a_comment_takes_its_replies_along() {
    let Scene { world, ada, ben, post } = scene().await;
    let (carl, staff) = (world.person("carl").await, world.person_as("staff", Role::Moderator).await);
    let root = world.comment(ben, world.remark(post.id)).await;
    let reply = world.reply(carl, &root).await.expect("a reply");
    world.reply(ben, &reply).await.expect("a reply to it");
    let stays = world.comment(carl, world.remark(post.id)).await;
    let comments = &world.social.comments;
    assert_eq!(refused(comments.delete(carl, root.id, T).await), Code::Forbidden);
    assert_eq!(comments.delete(ben, root.id, T).await.expect("own").removed, 3);
    assert_eq!(refused(comments.delete(ben, root.id, T).await), Code::NotFound);
    assert_eq!(refused(comments.delete(carl, reply.id, T).await), Code::NotFound);
    assert_eq!(ids(&world.listed(GUEST, post.id, None).await), vec![stays.id]);
    assert_eq!(world.read(GUEST, post.id).await.expect("public").counts.comments, 1);

    comments.delete(ada, stays.id, T).await.expect("Ada founded the community and moderates it");
    let last = world.comment(ben, world.remark(post.id)).await;
    comments.delete(staff, last.id, T).await.expect("staff moderates everywhere");
}

#[tokio::test]
async fn a_block_hides_named_comments_both_ways_and_never_anonymous_ones() {
    let Scene { world, ada, ben, post } = scene().await;
    let carl = world.person("carl").await;
    let named = world.comment(ben, world.remark(post.id)).await;
    let unnamed = world.comment(ben, CommentAdd { anonymous: true, ..world.remark(post.id) }).await;
    let carls = world.comment(carl, world.remark(post.id)).await;
    world.block(carl, ben).await;

    assert_eq!(ids(&world.listed(carl, post.id, None).await), vec![unnamed.id, carls.id]);
    assert_eq!(ids(&world.listed(ben, post.id, None).await), vec![named.id, unnamed.id]);
    assert_eq!(ids(&world.listed(ada, post.id, None).await), vec![named.id, unnamed.id, carls.id]);
    let like = |id| ReactionSet { post_id: None, comment_id: Some(id), kind: Some(ReactionKind::Like) };
    assert_eq!(refused(world.reply(carl, &named).await), Code::NotFound);
    assert_eq!(refused(world.social.reactions.set(ben, like(carls.id), T).await), Code::NotFound);
    world.reply(carl, &unnamed).await.expect("a refusal would name the author");
    world.social.reactions.set(carl, like(unnamed.id), T).await.expect("likewise");
    let page = CommentList { post_id: post.id, parent_id: Some(named.id), cursor: None, limit: None };
    assert_eq!(refused(world.social.comments.list(carl.into(), page).await), Code::NotFound);
}

#[tokio::test]
async fn an_anonymous_comment_names_nobody_to_others() {
    let Scene { world, ada, ben, post } = scene().await;
    let remark = CommentAdd { anonymous: true, op: "secret-op".into(), ..world.remark(post.id) };
    let comment = world.comment(ben, remark).await;
    for reader in [ada.into(), ben.into(), GUEST] {
        let seen = world.listed(reader, post.id, None).await.remove(0);
        assert_eq!(seen.author, None);
        assert_eq!(seen.my.map(|my| my.author).unwrap_or_default(), reader == ben.into());
    }
    let entries = world.told_about(comment.id);
    assert!(!entries.is_empty(), "it was told");
    for entry in entries {
        let text = format!("{entry:?}");
        assert!(!text.contains("secret-op") && !text.contains(&ben.user.to_string()), "{text}");
        assert_eq!(entry.actor, None, "{text}");
    }
}

#[tokio::test]
async fn two_hundred_comments_at_once_are_all_listed_in_one_order() {
    let Scene { world, ada, ben, post } = scene().await;
    let adding = (0..200).map(|_| world.comment(ben, world.remark(post.id)));
    futures_util::future::join_all(adding).await;
    let one = page_through(&world, ada.into(), post.id, 7).await;
    let two = page_through(&world, GUEST, post.id, 100).await;
    assert_eq!((one.len(), &one), (200, &two));
    assert!(one.is_sorted(), "oldest first");
    assert_eq!(world.read(GUEST, post.id).await.expect("public").counts.comments, 200);
}

#[tokio::test]
async fn pages_pass_over_what_is_hidden_and_refuse_foreign_cursors() {
    let Scene { world, ada, ben, post } = scene().await;
    let carl = world.person("carl").await;
    let mut visible = Vec::new();
    for n in 0..60 {
        let author = if n % 3 == 0 { ada } else { ben };
        let comment = world.comment(author, world.remark(post.id)).await;
        if n % 3 == 0 {
            visible.push(comment.id);
        }
    }
    world.block(ben, carl).await;
    assert_eq!(page_through(&world, carl.into(), post.id, 4).await, visible);
    for cursor in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAA", &post.id.to_string()] {
        let body =
            CommentList { post_id: post.id, parent_id: None, cursor: Some(cursor.into()), limit: None };
        let answer = world.social.comments.list(carl.into(), body).await;
        assert_eq!(faulty(answer), (Code::Invalid, "cursor".into()), "{cursor}");
    }
}

async fn page_through(world: &World, reader: Reader, post_id: PostId, limit: u32) -> Vec<CommentId> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let body = CommentList { post_id, parent_id: None, cursor, limit: Some(limit) };
        let page = world.social.comments.list(reader, body).await.expect("a page");
        assert!(page.comments.len() <= limit as usize);
        found.extend(ids(&page.comments));
        cursor = page.cursor;
        if cursor.is_none() {
            return found;
        }
    }
}
