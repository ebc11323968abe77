//! Embedded accounts, identities of other issuers, logins with their refresh tokens, and secrets.

use super::Result;
use communiconnect_protocol::{Role, User, UserId};

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Unique without regard to case.
    pub username: String,
    /// Unique without regard to case.
    pub email: String,
    /// The name to show.
    pub name: String,
    /// A PHC string of argon2id.
    pub password_hash: String,
    /// When.
    pub at: i64,
}

/// What a login is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The person.
    pub user: User,
    /// A PHC string of argon2id.
    pub password_hash: String,
}

/// Who a token of an issuer speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The issuer as configured; empty for this server itself.
    pub issuer: String,
    /// The subject as the issuer names it.
    pub subject: String,
    /// The name to show; the subject at first use where there is none. A new one from the issuer replaces what the
    /// person is called here; the one it gave before does not, so that one's own change stands.
    pub name: Option<String>,
    /// The role that the issuer gives; none leaves it as it is.
    pub role: Option<Role>,
    /// When the issuer said so, in milliseconds since 1970 UTC. What is older than the newest that is known of the person
    /// brings no news; none, from an issuer that does not say when, brings news only until one that says it.
    pub issued_at: Option<i64>,
}

impl Identity {
    /// Whom this server itself names by id: there the subject is the person, not a name for one.
    pub fn own_user(&self) -> Option<UserId> {
        if !self.issuer.is_empty() {
            return None;
        }
        let Ok(id) = self.subject.parse::<UserId>();
        (id != UserId::NOTHING).then_some(id)
    }
}

/// A login to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogin {
    /// A random name that access tokens carry.
    pub id: String,
    /// Whose.
    pub user: UserId,
    /// SHA-256 of the refresh token.
    pub token_hash: [u8; 32],
    /// When the refresh token runs out.
    pub expires_at: i64,
    /// When.
    pub at: i64,
}

/// What became of a refresh token that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was the present one, and is replaced.
    Rotated {
        /// Whose login.
        user: User,
        /// The login's name.
        login: String,
    },
    /// It had been replaced before: somebody copied it, so the login has been ended.
    Reused,
    /// No such token, or its login has ended or run out.
    Unknown,
}

/// Accounts, identities and logins.
#[async_trait::async_trait]
pub trait Accounts: Send + Sync {
    /// Makes an account and its person. `Taken("username")`, `Taken("email")` where somebody has it.
    async fn register(&self, account: NewAccount) -> Result<User>;
    /// The account with this username or e-mail address.
    async fn account(&self, login_name: &str) -> Result<Option<Account>>;
    /// The person of an identity, made at first use with the first free username; name and role follow the
    /// issuer's newest word.
    /// Of this server itself (no issuer) a subject that is somebody's id means that very person, whose name stays.
    async fn person(&self, identity: Identity, at: i64) -> Result<User>;
    /// Opens a login.
    async fn open_login(&self, login: NewLogin) -> Result<()>;
    /// Replaces a refresh token; ends the login where an old one is handed in again.
    async fn rotate(&self, old_hash: [u8; 32], new: NewToken, at: i64) -> Result<Rotation>;
    /// Ends the login of a refresh token and writes it into the `user:` log; whether one was open.
    async fn end_login(&self, token_hash: [u8; 32], at: i64) -> Result<bool>;
    /// Whether a login is open as of `at`.
    async fn login_is_open(&self, login: &str, at: i64) -> Result<bool>;
    /// A secret of the store, 32 random bytes made at first use.
    async fn secret(&self, name: &str) -> Result<[u8; 32]>;
}

/// The token that replaces another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// SHA-256 of the refresh token.
    pub hash: [u8; 32],
    /// When it runs out.
    pub expires_at: i64,
}
