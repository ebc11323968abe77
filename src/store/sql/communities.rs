//! Communities and members on SQLite.

use super::{
    SqlStore, Tx,
    columns::{count, optional_word, path},
    events::{COMMUNITY_CREATED, Happening, tell},
    facts::{self, reader_key},
};
use crate::store::sql::db::{self, Connection, OptionalExtension, Row, params};
use crate::{
    publication::State,
    store::{
        Actor, CommunityFacts, Op, Reader, Result, Rule, StoreError,
        communities::{Communities, CommunityQuery, Membership, NewCommunity},
    },
};
use communiconnect_protocol::{
    Channel, Community, CommunityCountsState, CommunityEvent, CommunityId, CommunityRole, Data, MyCommunity,
    event,
};

#[async_trait::async_trait]
impl Communities for SqlStore {
    async fn create(
        &self,
        actor: Actor,
        op: Op,
        new: NewCommunity,
        rule: Rule<CommunityFacts>,
    ) -> Result<Community> {
        self.write(move |tx| tx.once(actor.user, &op, new.at, |tx| create(tx, actor, &new, rule))).await
    }

    async fn get(&self, reader: Reader, id: CommunityId) -> Result<Option<Community>> {
        self.read(move |connection| community(connection, &reader, id)).await
    }

    async fn list(&self, reader: Reader, query: CommunityQuery) -> Result<(Vec<Community>, bool)> {
        self.read(move |connection| list(connection, &reader, &query)).await
    }

    async fn set_member(&self, actor: Actor, membership: Membership) -> Result<bool> {
        self.write(move |tx| set_member(tx, &actor, membership)).await
    }

    async fn counts(&self, id: CommunityId) -> Result<Option<CommunityCountsState>> {
        self.read(move |connection| counts(connection, id)).await
    }

    async fn facts(&self, reader: Reader, id: CommunityId) -> Result<Option<CommunityFacts>> {
        self.read(move |connection| match facts::community(connection, &reader, id) {
            Ok((facts, _)) => Ok(Some(facts)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }
}

fn create(
    tx: &mut Tx<'_>,
    actor: Actor,
    new: &NewCommunity,
    rule: Rule<CommunityFacts>,
) -> Result<Community> {
    let mut path = Vec::new();
    if let Some(parent) = new.parent_id {
        let (facts, around) = facts::community(tx.connection(), &actor.into(), parent)?;
        rule(&facts)?;
        path = around;
    }
    let parent = new.parent_id.unwrap_or(CommunityId::NOTHING);
    let id = CommunityId::from_bytes(tx.id(new.at));
    path.insert(0, id);
    let path: Vec<u8> = path.iter().flat_map(CommunityId::as_bytes).copied().collect();
    tx.sql("INSERT INTO communities (id, parent, path, created_at, name) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id.as_bytes(), parent.as_bytes(), path, new.at, new.name])?;
    tx.sql("INSERT INTO community_counts (community, members) VALUES (?1, 1)")?.execute([id.as_bytes()])?;
    tx.sql("INSERT INTO members (community, user, role, at) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        id.as_bytes(),
        actor.user.as_bytes(),
        CommunityRole::Moderator.as_str(),
        new.at
    ])?;
    let created = community(tx.connection(), &actor.into(), id)?.ok_or(StoreError::NotFound("community"))?;
    announce(tx, &created)?;
    Ok(created)
}

/// Nobody is named as its maker, so no block hides it from anybody.
fn announce(tx: &mut Tx<'_>, created: &Community) -> Result<()> {
    let community = Community { my: None, ..created.clone() };
    let happening = Happening {
        event: &COMMUNITY_CREATED,
        at: community.created_at,
        data: Data::of(&CommunityEvent { community }),
        actor: None,
        subject: None,
    };
    tell(tx, vec![Channel::Communities], happening)?;
    Ok(())
}

fn set_member(tx: &mut Tx<'_>, actor: &Actor, membership: Membership) -> Result<bool> {
    let id = membership.community_id;
    let (facts, _) = facts::community(tx.connection(), &(*actor).into(), id)?;
    if facts.role.is_some() == membership.on {
        return Ok(false);
    }
    if membership.on {
        tx.sql("INSERT INTO members (community, user, role, at) VALUES (?1, ?2, ?3, ?4)")?.execute(
            params![id.as_bytes(), actor.user.as_bytes(), CommunityRole::Member.as_str(), membership.at],
        )?;
    } else {
        tx.sql("DELETE FROM members WHERE community = ?1 AND user = ?2")?
            .execute(params![id.as_bytes(), actor.user.as_bytes()])?;
    }
    let by = if membership.on { 1 } else { -1 };
    let counts = tx
        .sql(
            "UPDATE community_counts SET members = members + ?2, version = version + 1 WHERE community = ?1
             RETURNING members, version",
        )?
        .query_row(params![id.as_bytes(), by], |row| counts_at(row, id))?;
    tx.state(State {
        channels: vec![Channel::Feed(id)],
        event: event::COMMUNITY_COUNTS.into(),
        key: id.to_string(),
        version: counts.version,
        data: Data::of(&counts),
        actor: None,
    });
    Ok(true)
}

fn counts(connection: &Connection, id: CommunityId) -> Result<Option<CommunityCountsState>> {
    let counts = connection
        .prepare_cached("SELECT members, version FROM community_counts WHERE community = ?1")?
        .query_row([id.as_bytes()], |row| counts_at(row, id))
        .optional()?;
    Ok(counts)
}

fn counts_at(row: &Row<'_>, community_id: CommunityId) -> db::Result<CommunityCountsState> {
    Ok(CommunityCountsState { community_id, version: count(row, 1)?, members: count(row, 0)? })
}

/// Columns that [`community_at`] reads, for reader `?2`.
macro_rules! community_columns {
    () => {
        "c.id, c.parent, c.created_at, c.name,
         (SELECT members FROM community_counts WHERE community = c.id),
         (SELECT role FROM members WHERE community = c.id AND user = ?2)"
    };
}

fn community(connection: &Connection, reader: &Reader, id: CommunityId) -> Result<Option<Community>> {
    let found = connection
        .prepare_cached(concat!(
            "SELECT ",
            community_columns!(),
            ", c.path FROM communities c WHERE c.id = ?1"
        ))?
        .query_row(params![id.as_bytes(), reader_key(reader)], |row| Ok((community_at(row)?, path(row, 6)?)))
        .optional()?;
    let Some((mut community, path)) = found else { return Ok(None) };
    community.path = names(connection, &path)?;
    Ok(Some(community))
}

fn list(connection: &Connection, reader: &Reader, query: &CommunityQuery) -> Result<(Vec<Community>, bool)> {
    let around = match query.parent_id {
        Some(parent) => names(connection, &facts::community(connection, reader, parent)?.1)?,
        None => Vec::new(),
    };
    let parent = query.parent_id.unwrap_or(CommunityId::NOTHING);
    let after = query.after.unwrap_or(CommunityId::NOTHING);
    let mut communities: Vec<Community> = connection
        .prepare_cached(concat!(
            "SELECT ",
            community_columns!(),
            " FROM communities c WHERE c.parent = ?1 AND c.id > ?3 ORDER BY c.id LIMIT ?4"
        ))?
        .query_map(
            params![parent.as_bytes(), reader_key(reader), after.as_bytes(), query.limit as i64 + 1],
            community_at,
        )?;
    let more = communities.len() > query.limit;
    communities.truncate(query.limit);
    for community in &mut communities {
        community.path = around.iter().chain([&community.name]).cloned().collect();
    }
    Ok((communities, more))
}

/// A community whose path is still to be filled in.
fn community_at(row: &Row<'_>) -> db::Result<Community> {
    let parent = CommunityId::from_bytes(row.get(1)?);
    let role = optional_word(row, 5, CommunityRole::from_word)?;
    Ok(Community {
        id: CommunityId::from_bytes(row.get(0)?),
        name: row.get(3)?,
        parent_id: (parent != CommunityId::NOTHING).then_some(parent),
        path: Vec::new(),
        members: count(row, 4)?,
        created_at: row.get(2)?,
        my: Some(MyCommunity { member: role.is_some(), role }),
    })
}

/// Names from the outermost community inwards.
fn names(connection: &Connection, path: &[CommunityId]) -> Result<Vec<String>> {
    let mut name = connection.prepare_cached("SELECT name FROM communities WHERE id = ?1")?;
    path.iter().rev().map(|id| Ok(name.query_row([id.as_bytes()], |row| row.get(0))?)).collect()
}
