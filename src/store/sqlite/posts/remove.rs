//! Deleting a post with all that hangs on it.

use crate::store::{
    Actor, PostFacts, Result, Rule,
    sqlite::{
        Tx,
        events::{Happening, POST_DELETED, tell},
        facts, lives, notifications,
    },
};
use communiconnect_protocol::{Channel, CommunityId, Data, PostDeleted, PostId};
use rusqlite::params;

pub(super) fn delete(
    tx: &mut Tx<'_>,
    actor: Actor,
    id: PostId,
    at: i64,
    rule: Rule<PostFacts>,
) -> Result<()> {
    let row = facts::post(tx.connection(), &actor.into(), id)?;
    rule(&row.facts)?;
    lives::remove_of_post(tx, id, at)?;
    erase(tx, id)?;
    remove_rows(tx, id, &row.path)?;
    let placement = row.placement();
    // A moderator's deletion must reach everybody who saw the post, and a moderator is not named.
    let actor = placement.named_author().filter(|author| *author == actor.user);
    let data = Data::of(&PostDeleted { post_id: id });
    tell(tx, placement.later(), Happening { event: &POST_DELETED, data, at, actor, subject: None })?;
    Ok(())
}

/// Removes the notifications about the post and its comments, and overwrites what any log says of all of them.
fn erase(tx: &mut Tx<'_>, id: PostId) -> Result<()> {
    notifications::forget_post(tx, id)?;
    tx.erase_subject(id.as_bytes())?;
    tx.erase_channel(&Channel::Post(id))?;
    let comments: Vec<[u8; 16]> = tx
        .sql("SELECT id FROM comments WHERE post = ?1")?
        .query_map([id.as_bytes()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for comment in &comments {
        notifications::forget_comment(tx, id, comment)?;
        tx.erase_subject(comment)?;
    }
    Ok(())
}

fn remove_rows(tx: &mut Tx<'_>, id: PostId, path: &[CommunityId]) -> Result<()> {
    for sql in [
        "DELETE FROM reactions WHERE target IN (SELECT id FROM comments WHERE post = ?1)",
        "DELETE FROM comment_counts WHERE comment IN (SELECT id FROM comments WHERE post = ?1)",
        "DELETE FROM comments WHERE post = ?1",
        "DELETE FROM reactions WHERE target = ?1",
        "DELETE FROM views WHERE post = ?1",
        "DELETE FROM post_counts WHERE post = ?1",
        "UPDATE users SET posts = posts - 1 WHERE id = (SELECT author FROM posts WHERE id = ?1)",
        "DELETE FROM posts WHERE id = ?1",
    ] {
        tx.sql(sql)?.execute([id.as_bytes()])?;
    }
    let mut feed = tx.sql("DELETE FROM feed WHERE community = ?1 AND post = ?2")?;
    for community in path {
        feed.execute(params![community.as_bytes(), id.as_bytes()])?;
    }
    Ok(())
}
