//! Deleting a post with all that hangs on it.

use crate::store::sql::db::params;
use crate::store::{
    Actor, PostFacts, Result, Rule,
    sql::{
        Tx,
        days::DayRow,
        events::{Happening, POST_DELETED, tell},
        facts,
        leftovers::{self, Rest},
        lives, media, notifications,
    },
};
use communiconnect_protocol::{CommunityId, Data, PostDeleted, PostId};

/// The post is gone with this transaction, and so, for every reader, is what hangs on it.
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
    notifications::forget_post(tx, id)?;
    media::forget_post(tx, id)?;
    tx.erase_subject(id.as_bytes())?;
    remove_rows(tx, id, &row.path)?;
    tx.day(DayRow::Gone(id));
    for rest in [Rest::Comments, Rest::Reactions, Rest::Shares, Rest::ExternalShares, Rest::Views] {
        leftovers::leave(tx, rest, id.as_bytes(), id.as_bytes())?;
    }
    leftovers::sweep_of(tx, id.as_bytes())?;
    let placement = row.placement();
    // A moderator's deletion must reach everybody who saw the post, and a moderator is not named.
    let actor = placement.named_author().filter(|author| *author == actor.user);
    let data = Data::of(&PostDeleted { post_id: id });
    tell(tx, placement.later(), Happening { event: &POST_DELETED, data, at, actor, subject: None })?;
    Ok(())
}

fn remove_rows(tx: &mut Tx<'_>, id: PostId, path: &[CommunityId]) -> Result<()> {
    for sql in [
        "DELETE FROM post_counts WHERE post = ?1",
        "DELETE FROM post_days WHERE post = ?1",
        "DELETE FROM external_share_counts WHERE post = ?1",
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
