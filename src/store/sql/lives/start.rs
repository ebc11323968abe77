//! Beginning a live.

use super::{
    end::{lose, stands},
    view::live,
};
use crate::store::sql::db::{OptionalExtension, params};
use crate::store::{
    Actor, CommunityFacts, Op, Result, Rule, StoreError,
    lives::{LiveView, NewLive},
    posts::{NewPost, PostRules},
    sql::{
        Tx,
        posts::{PostDraft, create},
    },
};
use communiconnect_protocol::{LiveId, LiveState, PostKind};

/// What is remembered of the operation: which live, and whether the operation began it.
type Begun = (LiveId, bool);

pub(super) fn start(
    tx: &mut Tx<'_>,
    actor: Actor,
    op: &Op,
    new: NewLive,
    rule: Rule<CommunityFacts>,
) -> Result<(LiveView, bool)> {
    let at = new.at;
    let mut is_first = false;
    let (id, changed): Begun = tx.once(actor.user, op, at, |tx| {
        is_first = true;
        if let Some(id) = running(tx, actor)? {
            match &new.in_place_of {
                // Where the rule refuses the new one, this is undone with all else.
                Some(silent) if silent.id == id && stands(tx, id, &silent.lease)? => drop(lose(tx, id, at)?),
                _ => return Ok((id, false)),
            }
        }
        begin(tx, actor, &op.id, new, rule).map(|id| (id, true))
    })?;
    if !(is_first && changed) {
        // Whoever asks again gets a key of their own; the one given before opens nothing any more.
        tx.sql("UPDATE lives SET generation = generation + 1 WHERE id = ?1 AND state != 'ended'")?
            .execute([id.as_bytes()])?;
    }
    Ok((live(tx.connection(), &actor.into(), id)?, changed))
}

fn running(tx: &Tx<'_>, actor: Actor) -> Result<Option<LiveId>> {
    let id = tx
        .sql("SELECT id FROM lives WHERE owner = ?1 AND state != 'ended'")?
        .query_row([actor.user.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(id.map(LiveId::from_bytes))
}

fn begin(
    tx: &mut Tx<'_>,
    actor: Actor,
    op: &str,
    new: NewLive,
    rule: Rule<CommunityFacts>,
) -> Result<LiveId> {
    let id = LiveId::from_bytes(tx.id(new.at));
    let post = NewPost {
        community_id: new.community_id,
        kind: PostKind::Live,
        title: Some(new.title),
        content: new.description,
        media: Vec::new(),
        visibility: new.visibility,
        anonymous: false,
        at: new.at,
    };
    let (post, _, _) =
        create(tx, actor, op, PostDraft { new: post, live_id: Some(id) }, PostRules::bare(rule))?;
    tx.sql(
        "INSERT INTO lives (id, post, owner, state, generation, created_at) VALUES (?1, ?2, ?3, ?4, 1, ?5)",
    )?
    .execute(params![
        id.as_bytes(),
        post.id.as_bytes(),
        actor.user.as_bytes(),
        LiveState::Created.as_str(),
        new.at,
    ])
    .map_err(StoreError::from)?;
    tx.sql("INSERT INTO live_counts (live, node, until) VALUES (?1, ?2, ?3)")?.execute(params![
        id.as_bytes(),
        new.lease.node,
        new.lease.until
    ])?;
    Ok(id)
}
