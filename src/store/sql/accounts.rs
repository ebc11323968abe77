//! Accounts, identities, logins and secrets on SQLite.

use super::db::{self, Connection, OptionalExtension, Row, params};
use super::{
    SqlStore,
    people::tell,
    tx::Tx,
    user_row::{USER_COLUMNS, user, user_at, user_columns},
};
use crate::{
    blank::is_blank,
    store::{
        Result, StoreError,
        accounts::{Account, Accounts, Identity, NewAccount, NewLogin, NewToken, Rotation},
        username,
    },
};
use communiconnect_protocol::{Role, User, UserControl, UserId};
use rand::Rng;

/// Logins that ran out and are removed by each new one: more than one, so that they cannot pile up.
const SWEEP: i64 = 4;

#[async_trait::async_trait]
impl Accounts for SqlStore {
    async fn register(&self, account: NewAccount) -> Result<User> {
        self.write(move |tx| register(tx, &account)).await
    }

    async fn account(&self, login_name: &str) -> Result<Option<Account>> {
        // A user name has no `@`, an address always has: one name never means two accounts.
        let sql = if login_name.contains('@') {
            concat!(
                "SELECT ",
                user_columns!(),
                ", a.password FROM accounts a JOIN users u ON u.id = a.user WHERE a.email = ?1"
            )
        } else {
            concat!(
                "SELECT ",
                user_columns!(),
                ", a.password FROM users u JOIN accounts a ON a.user = u.id WHERE u.username = ?1"
            )
        };
        let login_name = login_name.to_owned();
        self.read(move |connection| {
            let account = connection
                .prepare_cached(sql)?
                .query_row([login_name], |row| {
                    Ok(Account { user: user_at(row, 0)?, password_hash: row.get(USER_COLUMNS)? })
                })
                .optional()?;
            Ok(account)
        })
        .await
    }

    async fn person(&self, identity: Identity, at: i64) -> Result<User> {
        let asked = identity.clone();
        if let Some(known) = self.read(move |connection| known(connection, &asked)).await?
            && news(&identity, &known) == News::default()
        {
            return Ok(known.user);
        }
        self.write(move |tx| person(tx, &identity, at)).await
    }

    async fn open_login(&self, login: NewLogin) -> Result<()> {
        self.write(move |tx| open_login(tx, &login)).await
    }

    async fn rotate(&self, old_hash: [u8; 32], new: NewToken, at: i64) -> Result<Rotation> {
        self.write(move |tx| rotate(tx, old_hash, new, at)).await
    }

    async fn end_login(&self, token_hash: [u8; 32], at: i64) -> Result<bool> {
        self.write(move |tx| match login_of(tx.connection(), token_hash)? {
            Some(login) if login.is_open(at) => end_login(tx, &login, at).map(|()| true),
            _ => Ok(false),
        })
        .await
    }

    async fn login_is_open(&self, login: &str, at: i64) -> Result<bool> {
        let login = login.to_owned();
        self.read(move |connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT 1 FROM logins WHERE id = ?1 AND closed_at IS NULL AND expires_at > ?2",
                )?
                .exists(params![login, at])?)
        })
        .await
    }

    async fn secret(&self, name: &str) -> Result<[u8; 32]> {
        let name = name.to_owned();
        self.write(move |tx| Ok(secret(tx.connection(), &name)?)).await
    }
}

/// A secret, made where there is none; the caller holds a writing transaction or is alone.
pub(super) fn secret(connection: &Connection, name: &str) -> db::Result<[u8; 32]> {
    connection
        .prepare_cached("INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![name, rand::rng().random::<[u8; 32]>()])?;
    connection
        .prepare_cached("SELECT value FROM secrets WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
}

fn register(tx: &mut Tx<'_>, account: &NewAccount) -> Result<User> {
    if username_is_taken(tx.connection(), &account.username)? {
        return Err(StoreError::Taken("username"));
    }
    if tx.sql("SELECT 1 FROM accounts WHERE email = ?1")?.exists([&account.email])? {
        return Err(StoreError::Taken("email"));
    }
    let user = new_user(tx, &account.username, &account.name, Role::User, account.at)?;
    tx.sql("INSERT INTO accounts (user, email, password, created_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![user.id.as_bytes(), account.email, account.password_hash, account.at])?;
    Ok(user)
}

fn username_is_taken(connection: &Connection, username: &str) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM users WHERE username = ?1")?.exists([username])?)
}

fn new_user(tx: &Tx<'_>, username: &str, name: &str, role: Role, at: i64) -> Result<User> {
    let user = User {
        id: UserId::new(at),
        username: username.to_owned(),
        name: name.to_owned(),
        photo: None,
        bio: String::new(),
        role,
        my: None,
    };
    tx.sql("INSERT INTO users (id, username, name, role, created_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![user.id.as_bytes(), user.username, user.name, role.as_str(), at])?;
    Ok(user)
}

/// The person of an identity, and what is known from issuers.
struct Known {
    user: User,
    /// The name that the issuer gave last.
    last_name: Option<String>,
    /// When the newest token was issued that spoke of them.
    vouched_at: i64,
}

fn known(connection: &Connection, identity: &Identity) -> Result<Option<Known>> {
    let own = match identity.own_user() {
        // This server's own people are not renamed by a token.
        Some(id) => connection
            .prepare_cached(concat!(
                "SELECT ",
                user_columns!(),
                ", ?2, u.vouched_at FROM users u WHERE u.id = ?1"
            ))?
            .query_row(params![id.as_bytes(), identity.name], known_at)
            .optional()?,
        None => None,
    };
    if own.is_some() {
        return Ok(own);
    }
    let found = connection
        .prepare_cached(concat!(
            "SELECT ",
            user_columns!(),
            ", i.name, u.vouched_at FROM identities i JOIN users u ON u.id = i.user
             WHERE i.issuer = ?1 AND i.subject = ?2"
        ))?
        .query_row([&identity.issuer, &identity.subject], known_at)
        .optional()?;
    Ok(found)
}

fn known_at(row: &Row<'_>) -> db::Result<Known> {
    Ok(Known {
        user: user_at(row, 0)?,
        last_name: row.get(USER_COLUMNS)?,
        vouched_at: row.get(USER_COLUMNS + 1)?,
    })
}

/// What an issuer says that the store does not know yet.
#[derive(Debug, Default, PartialEq, Eq)]
struct News<'a> {
    name: Option<&'a str>,
    role: Option<Role>,
    /// When it was said, where that is later than all before.
    at: Option<i64>,
}

/// Nothing of what was issued before the newest token that is known: an old token must not give a lost role back.
fn news<'a>(identity: &'a Identity, known: &Known) -> News<'a> {
    let is_silent = identity.name.is_none() && identity.role.is_none();
    if is_silent || identity.issued_at.unwrap_or(0) < known.vouched_at {
        return News::default();
    }
    News {
        name: identity.name.as_deref().filter(|name| Some(*name) != known.last_name.as_deref()),
        role: identity.role.filter(|role| *role != known.user.role),
        at: identity.issued_at.filter(|at| *at > known.vouched_at),
    }
}

fn person(tx: &mut Tx<'_>, identity: &Identity, at: i64) -> Result<User> {
    let Some(known) = known(tx.connection(), identity)? else {
        return first_use(tx, identity, at);
    };
    let News { name, role, at } = news(identity, &known);
    let mut user = known.user;
    if let Some(at) = at {
        tx.sql("UPDATE users SET vouched_at = ?2 WHERE id = ?1")?.execute(params![user.id.as_bytes(), at])?;
    }
    if let Some(role) = role {
        tx.sql("UPDATE users SET role = ?2 WHERE id = ?1")?
            .execute(params![user.id.as_bytes(), role.as_str()])?;
        user.role = role;
    }
    if let Some(name) = name {
        tx.sql("UPDATE users SET name = ?2, version = version + 1 WHERE id = ?1")?
            .execute(params![user.id.as_bytes(), name])?;
        tx.sql("UPDATE identities SET name = ?3 WHERE issuer = ?1 AND subject = ?2")?.execute(params![
            identity.issuer,
            identity.subject,
            name,
        ])?;
        name.clone_into(&mut user.name);
    }
    Ok(user)
}

fn first_use(tx: &mut Tx<'_>, identity: &Identity, at: i64) -> Result<User> {
    let username = free_username(tx, identity)?;
    let subject = Some(identity.subject.as_str()).filter(|subject| !is_blank(subject));
    let name = identity.name.as_deref().or(subject).unwrap_or(&username);
    let user = new_user(tx, &username, name, identity.role.unwrap_or(Role::User), at)?;
    tx.sql("UPDATE users SET vouched_at = ?2 WHERE id = ?1")?
        .execute(params![user.id.as_bytes(), identity.issued_at.unwrap_or(0)])?;
    tx.sql("INSERT INTO identities (issuer, subject, user, name, created_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![identity.issuer, identity.subject, user.id.as_bytes(), identity.name, at])?;
    Ok(user)
}

fn free_username(tx: &Tx<'_>, identity: &Identity) -> Result<String> {
    for candidate in username::candidates(&identity.subject, identity.name.as_deref()) {
        if !username_is_taken(tx.connection(), &candidate)? {
            return Ok(candidate);
        }
    }
    Err(StoreError::Internal("no free user name was found".into()))
}

fn open_login(tx: &mut Tx<'_>, login: &NewLogin) -> Result<()> {
    let at = login.at;
    tx.sql("DELETE FROM refresh_tokens WHERE login IN (SELECT no FROM logins WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)")?
        .execute([at, SWEEP])?;
    tx.sql("DELETE FROM logins WHERE no IN (SELECT no FROM logins WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)")?
        .execute([at, SWEEP])?;
    let no = tx
        .sql("INSERT INTO logins (id, user, created_at, expires_at) VALUES (?1, ?2, ?3, ?4) RETURNING no")?
        .query_row(params![login.id, login.user.as_bytes(), at, login.expires_at], |row| row.get(0))?;
    add_token(tx, no, login.token_hash)
}

fn add_token(tx: &Tx<'_>, login: i64, hash: [u8; 32]) -> Result<()> {
    tx.sql("INSERT INTO refresh_tokens (hash, login) VALUES (?1, ?2)")?.execute(params![hash, login])?;
    Ok(())
}

/// A login as a refresh token finds it.
struct FoundLogin {
    no: i64,
    id: String,
    user: UserId,
    expires_at: i64,
    closed: bool,
    replaced: bool,
}

impl FoundLogin {
    fn is_open(&self, at: i64) -> bool {
        !self.closed && self.expires_at > at
    }
}

fn login_of(connection: &Connection, hash: [u8; 32]) -> Result<Option<FoundLogin>> {
    let found = connection
        .prepare_cached(
            "SELECT l.no, l.id, l.user, l.expires_at, l.closed_at IS NOT NULL, t.replaced
             FROM refresh_tokens t JOIN logins l ON l.no = t.login WHERE t.hash = ?1",
        )?
        .query_row([hash], |row| {
            Ok(FoundLogin {
                no: row.get(0)?,
                id: row.get(1)?,
                user: UserId::from_bytes(row.get(2)?),
                expires_at: row.get(3)?,
                closed: row.get(4)?,
                replaced: row.get(5)?,
            })
        })
        .optional()?;
    Ok(found)
}

fn rotate(tx: &mut Tx<'_>, old_hash: [u8; 32], new: NewToken, at: i64) -> Result<Rotation> {
    let Some(login) = login_of(tx.connection(), old_hash)?.filter(|login| login.is_open(at)) else {
        return Ok(Rotation::Unknown);
    };
    if login.replaced {
        end_login(tx, &login, at)?;
        return Ok(Rotation::Reused);
    }
    let Some(user) = user(tx.connection(), login.user)? else { return Ok(Rotation::Unknown) };
    tx.sql("UPDATE refresh_tokens SET replaced = 1 WHERE hash = ?1")?.execute([old_hash])?;
    tx.sql("UPDATE logins SET expires_at = ?2 WHERE no = ?1")?.execute([login.no, new.expires_at])?;
    add_token(tx, login.no, new.hash)?;
    Ok(Rotation::Rotated { user, login: login.id })
}

/// Its sockets are to be closed on every node: hence the entry.
fn end_login(tx: &mut Tx<'_>, login: &FoundLogin, at: i64) -> Result<()> {
    tx.sql("UPDATE logins SET closed_at = ?2 WHERE no = ?1")?.execute([login.no, at])?;
    tell(tx, login.user, &UserControl::LoggedOut { login: login.id.clone() }, at)
}
