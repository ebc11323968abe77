//! Editing a post.

use super::view::view;
use crate::store::sql::db::params;
use crate::store::{
    Actor, PostFacts, Result, Rule, StoreError,
    posts::PostChange,
    sql::{
        Tx,
        events::{Happening, POST_EDITED, tell},
        facts,
    },
};
use communiconnect_protocol::{CommunityId, Data, Post, PostEvent, PostKind};

pub(super) fn edit(tx: &mut Tx<'_>, actor: Actor, change: PostChange, rule: Rule<PostFacts>) -> Result<Post> {
    let reader = actor.into();
    let row = facts::post(tx.connection(), &reader, change.post_id)?;
    rule(&row.facts)?;
    if row.facts.version != change.version {
        return Err(StoreError::Version { present: row.facts.version });
    }
    let id = change.post_id.as_bytes();
    tx.sql(
        "UPDATE posts SET version = version + 1, edited_at = ?2, kind = coalesce(?3, kind),
             title = CASE WHEN ?4 THEN ?5 ELSE title END, content = coalesce(?6, content)
         WHERE id = ?1",
    )?
    .execute(params![
        id,
        change.at,
        change.kind.map(PostKind::as_str),
        change.title.is_some(),
        change.title.flatten(),
        change.content,
    ])?;
    if let Some(kind) = change.kind {
        let mut feed =
            tx.sql("UPDATE feed SET kind = ?3 WHERE community = ?1 AND post = ?2 AND kind != ?3")?;
        for community in row.path.iter().map(CommunityId::as_bytes) {
            feed.execute(params![community, id, kind.as_str()])?;
        }
    }
    let post = view(tx.connection(), &reader, change.post_id)?.ok_or(StoreError::NotFound("post"))?.post;
    let placement = row.placement();
    let event = PostEvent { post: Post { my: None, ..post.clone() }, op: None };
    let happening = Happening {
        event: &POST_EDITED,
        data: Data::of(&event),
        at: change.at,
        actor: placement.named_author(),
        subject: Some(*id),
    };
    tell(tx, placement.later(), happening)?;
    Ok(post)
}
