//! People, follows and blocks on SQLite.

use super::{
    SqlStore,
    events::{self, Happening, USER_UPDATED},
    media, notifications,
    tx::{Draft, Tx},
    user_row::user,
};
use crate::store::sql::db::{Connection, params};
use crate::{
    publication::Audience,
    store::{
        Actor, HeardFacts, Judge, MediaFacts, PairFacts, Reader, Relation, Result, Rule, StoreError,
        people::{People, ProfileChange, Target},
    },
};
use communiconnect_protocol::{
    Channel, Data, ErrorBody, MyUser, OwnProfile, Profile, ProfileCounts, User, UserControl, UserId,
    UserUpdated,
};
use std::sync::Arc;

/// How a reader stands to a person, whether or not that person exists.
pub(super) fn relation(connection: &Connection, reader: Option<UserId>, person: UserId) -> Result<Relation> {
    let Some(reader) = reader else { return Ok(Relation::default()) };
    if reader == person {
        return Ok(Relation { is_self: true, ..Relation::default() });
    }
    let relation = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM follows WHERE follower = ?1 AND author = ?2),
                    EXISTS (SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = ?2)
                    OR EXISTS (SELECT 1 FROM blocks WHERE blocker = ?2 AND blocked = ?1)",
        )?
        .query_row([reader.as_bytes(), person.as_bytes()], |row| {
            Ok(Relation { is_self: false, follows: row.get(0)?, blocked: row.get(1)? })
        })?;
    Ok(relation)
}

#[async_trait::async_trait]
impl People for SqlStore {
    async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.read(move |connection| user(connection, id)).await
    }

    async fn users(&self, ids: Vec<UserId>) -> Result<Vec<User>> {
        self.read(move |connection| {
            ids.into_iter().filter_map(|id| user(connection, id).transpose()).collect()
        })
        .await
    }

    async fn profile(&self, reader: Reader, id: UserId) -> Result<Option<(Profile, Relation)>> {
        self.read(move |connection| {
            let Some(mut user) = user(connection, id)? else { return Ok(None) };
            let relation = relation(connection, reader.user, id)?;
            let own = if relation.is_self { Some(own_profile(connection, id)?) } else { None };
            if let Some(me) = reader.user {
                user.my = Some(MyUser { following: relation.follows, blocked: blocks(connection, me, id)? });
            }
            Ok(Some((Profile { user, own }, relation)))
        })
        .await
    }

    async fn relation(&self, reader: Reader, id: UserId) -> Result<Option<Relation>> {
        self.read(move |connection| {
            if !exists(connection, id)? {
                return Ok(None);
            }
            relation(connection, reader.user, id).map(Some)
        })
        .await
    }

    async fn set_follow(
        &self,
        actor: Actor,
        target: Target,
        rule: Rule<PairFacts>,
        hears: Judge<HeardFacts>,
    ) -> Result<bool> {
        self.write(move |tx| {
            must_exist(tx.connection(), target.user)?;
            let relation = relation(tx.connection(), Some(actor.user), target.user)?;
            rule(&PairFacts { relation })?;
            if target.on {
                return follow(tx, actor.user, target);
            }
            let changed = unfollow(tx, actor.user, target)?;
            if changed {
                notifications::forget_unheard(tx, actor.user, target.user, hears)?;
            }
            Ok(changed)
        })
        .await
    }

    async fn set_block(&self, actor: Actor, target: Target, hears: Judge<HeardFacts>) -> Result<bool> {
        self.write(move |tx| {
            must_exist(tx.connection(), target.user)?;
            if actor.user == target.user {
                return Err(ErrorBody::invalid("user_id", "one cannot block oneself").into());
            }
            if target.on { block(tx, actor.user, target, hears) } else { unblock(tx, actor.user, target) }
        })
        .await
    }

    async fn edit(
        &self,
        actor: Actor,
        change: ProfileChange,
        photographs: Judge<MediaFacts>,
    ) -> Result<Profile> {
        self.write(move |tx| edit(tx, actor, change, photographs)).await
    }

    async fn blocked_with(&self, id: UserId) -> Result<Vec<UserId>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT blocked FROM blocks WHERE blocker = ?1 UNION SELECT blocker FROM blocks WHERE blocked = ?1",
            )?;
            let others = statement.query_map([id.as_bytes()], |row| row.get(0).map(UserId::from_bytes))?;
            Ok(others)
        })
        .await
    }
}

fn edit(
    tx: &mut Tx<'_>,
    actor: Actor,
    change: ProfileChange,
    photographs: Judge<MediaFacts>,
) -> Result<Profile> {
    let ProfileChange { version, name, bio, photo, at } = change;
    let id = actor.user;
    must_exist(tx.connection(), id)?;
    let present = own_profile(tx.connection(), id)?.version;
    if present != version {
        return Err(StoreError::Version { present });
    }
    let urls = match photo {
        Some(Some(media)) => Some(Some(media::photograph(tx, actor, media, photographs)?)),
        Some(None) => {
            media::no_photo(tx, id)?;
            Some(None)
        }
        None => None,
    };
    tx.sql(
        "UPDATE users SET version = version + 1, name = coalesce(?2, name), bio = coalesce(?3, bio),
             photo = CASE WHEN ?4 THEN ?5 ELSE photo END
         WHERE id = ?1",
    )?
    .execute(params![id.as_bytes(), name, bio, urls.is_some(), urls.flatten()])?;
    let user = user(tx.connection(), id)?.ok_or(StoreError::NotFound("user"))?;
    let data = Data::of(&UserUpdated { user: user.clone(), version: version + 1 });
    let happening = Happening { event: &USER_UPDATED, data, at, actor: Some(id), subject: None };
    events::tell(tx, vec![Channel::Author(id)], happening)?;
    let own = own_profile(tx.connection(), id)?;
    Ok(Profile {
        user: User { my: Some(MyUser { following: false, blocked: false }), ..user },
        own: Some(own),
    })
}

fn exists(connection: &Connection, id: UserId) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM users WHERE id = ?1")?.exists([id.as_bytes()])?)
}

fn must_exist(connection: &Connection, id: UserId) -> Result<()> {
    if exists(connection, id)? { Ok(()) } else { Err(StoreError::NotFound("user")) }
}

fn blocks(connection: &Connection, blocker: UserId, blocked: UserId) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = ?2")?
        .exists([blocker.as_bytes(), blocked.as_bytes()])?)
}

/// The part that a profile shows to its owner alone.
fn own_profile(connection: &Connection, id: UserId) -> Result<OwnProfile> {
    let own = connection
        .prepare_cached(
            "SELECT coalesce(a.email, ''), u.version, u.created_at, u.posts, u.followers, u.following
             FROM users u LEFT JOIN accounts a ON a.user = u.id WHERE u.id = ?1",
        )?
        .query_row([id.as_bytes()], |row| {
            Ok(OwnProfile {
                email: row.get(0)?,
                version: row.get::<i64>(1)? as u64,
                created_at: row.get(2)?,
                counts: ProfileCounts {
                    posts: row.get::<i64>(3)? as u64,
                    followers: row.get::<i64>(4)? as u64,
                    following: row.get::<i64>(5)? as u64,
                },
            })
        })?;
    Ok(own)
}

fn follow(tx: &mut Tx<'_>, follower: UserId, target: Target) -> Result<bool> {
    let author = target.user;
    let changed = tx
        .sql("INSERT INTO follows (follower, author) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([follower.as_bytes(), author.as_bytes()])?;
    if changed == 0 {
        return Ok(false);
    }
    count_follow(tx, follower, author, 1)?;
    notifications::told_follow(tx, follower, author, target.at)?;
    Ok(true)
}

/// The former follower's sockets must leave `author:`, on every node: hence the entry.
fn unfollow(tx: &mut Tx<'_>, follower: UserId, target: Target) -> Result<bool> {
    let author = target.user;
    let changed = tx
        .sql("DELETE FROM follows WHERE follower = ?1 AND author = ?2")?
        .execute([follower.as_bytes(), author.as_bytes()])?;
    if changed == 0 {
        return Ok(false);
    }
    count_follow(tx, follower, author, -1)?;
    tell(tx, follower, &UserControl::Unfollowed { author }, target.at)?;
    Ok(true)
}

fn count_follow(tx: &Tx<'_>, follower: UserId, author: UserId, by: i64) -> Result<()> {
    tx.sql("UPDATE users SET following = following + ?2 WHERE id = ?1")?
        .execute(params![follower.as_bytes(), by])?;
    tx.sql("UPDATE users SET followers = followers + ?2 WHERE id = ?1")?
        .execute(params![author.as_bytes(), by])?;
    Ok(())
}

fn block(tx: &mut Tx<'_>, blocker: UserId, target: Target, hears: Judge<HeardFacts>) -> Result<bool> {
    let other = target.user;
    let changed = tx
        .sql("INSERT INTO blocks (blocker, blocked) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([blocker.as_bytes(), other.as_bytes()])?;
    if changed == 0 {
        return Ok(false);
    }
    unfollow(tx, blocker, target)?;
    unfollow(tx, other, Target { user: blocker, ..target })?;
    notifications::forget_unheard(tx, blocker, other, hears)?;
    notifications::forget_unheard(tx, other, blocker, hears)?;
    tell_pair(tx, blocker, target)?;
    Ok(true)
}

fn unblock(tx: &mut Tx<'_>, blocker: UserId, target: Target) -> Result<bool> {
    let other = target.user;
    let changed = tx
        .sql("DELETE FROM blocks WHERE blocker = ?1 AND blocked = ?2")?
        .execute([blocker.as_bytes(), other.as_bytes()])?;
    if changed == 0 {
        return Ok(false);
    }
    tell_pair(tx, blocker, target)?;
    Ok(true)
}

/// Tells both that they are blocked from each other or no longer, unless the other's own block keeps it as it was.
fn tell_pair(tx: &mut Tx<'_>, actor: UserId, target: Target) -> Result<()> {
    let Target { user: other, on, at } = target;
    if blocks(tx.connection(), other, actor)? {
        return Ok(());
    }
    tell(tx, actor, &UserControl::Blocked { other, on }, at)?;
    tell(tx, other, &UserControl::Blocked { other: actor, on }, at)
}

/// Writes an entry that only the server itself acts on into a person's own log.
pub(super) fn tell(tx: &mut Tx<'_>, person: UserId, control: &UserControl, at: i64) -> Result<()> {
    tx.publish(Draft {
        channel: Channel::User(person),
        event: &Arc::from(CONTROL),
        data: Data::of(control),
        at,
        actor: None,
        audience: Audience::Server,
        subject: None,
        named: None,
    })?;
    Ok(())
}

/// The event name of entries that speak to the server; no client ever sees it.
const CONTROL: &str = "control";
