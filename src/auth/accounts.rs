//! Accounts of this server itself: registering, logging in, refreshing, logging out.

use super::{
    AccountError, AuthSettings, LoginRequest, LogoutRequest, OwnClaims, RefreshRequest, RegisterRequest,
    Session, SetupError, Signer, hashing::HashPool, rates::Rates,
};
use crate::store::{
    StoreError,
    accounts::{Accounts, NewAccount, NewLogin, NewToken, Rotation},
    username,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use communiconnect_protocol::User;
use governor::clock::DefaultClock;
use rand::Rng;
use sha2::{Digest, Sha256};
use std::{net::IpAddr, ops::RangeInclusive, sync::Arc, time::Duration};
use unicode_normalization::UnicodeNormalization;

/// Characters of a password. The upper bound keeps what is hashed and sent small; longer adds nothing.
const PASSWORD_CHARS: RangeInclusive<usize> = 8..=128;

/// Characters of a name to show.
const NAME_CHARS: RangeInclusive<usize> = 1..=80;

/// Bytes of an e-mail address (RFC 5321 §4.5.3.1.3, without the angle brackets).
const EMAIL_BYTES: RangeInclusive<usize> = 3..=254;

/// Registers, logs in, refreshes and logs out. `now` is in milliseconds since 1970 UTC everywhere; `address` is whom the
/// rate limits count.
pub struct AccountService {
    on: bool,
    accounts: Arc<dyn Accounts>,
    signer: Signer,
    hashing: HashPool,
    rates: Rates<DefaultClock>,
    access_ttl_ms: i64,
    refresh_ttl_ms: i64,
}

impl AccountService {
    /// Starts the threads that hash passwords.
    pub fn start(
        settings: &AuthSettings,
        accounts: Arc<dyn Accounts>,
        signer: Signer,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            on: settings.embedded,
            accounts,
            signer,
            hashing: HashPool::start(settings.hash_threads, settings.hash_queue)?,
            rates: Rates::new(settings, &DefaultClock::default()),
            access_ttl_ms: milliseconds(settings.access_ttl),
            refresh_ttl_ms: milliseconds(settings.refresh_ttl),
        })
    }

    /// Makes an account with role `user` and logs it in. Nobody becomes moderator or admin by registering, not even the
    /// first: that takes a token of `communiconnect token --role`, and so the store's secret.
    pub async fn register(
        &self,
        request: RegisterRequest,
        address: IpAddr,
        now: i64,
    ) -> Result<Session, AccountError> {
        self.must_be_on()?;
        let wish = Wish::checked(request)?;
        self.rates.register(address)?;
        let password_hash = self.hashing.hash(wish.password).await?;
        let account = NewAccount {
            username: wish.username,
            email: wish.email,
            name: wish.name,
            password_hash,
            at: now,
        };
        let user = self.accounts.register(account).await.map_err(|error| match error {
            StoreError::Taken(field) => AccountError::Taken(field),
            other => other.into(),
        })?;
        self.open_login(user, now).await
    }

    /// Logs in. A wrong name and a wrong password take the same time and have the same answer.
    pub async fn login(
        &self,
        request: LoginRequest,
        address: IpAddr,
        now: i64,
    ) -> Result<Session, AccountError> {
        self.must_be_on()?;
        let LoginRequest { login_name, password } = request;
        if login_name.len() > *EMAIL_BYTES.end() {
            return Err(invalid("username", "is longer than any name or address"));
        }
        // What no password can be is a wrong one: the answer and the time are those of any other.
        let password = normal_password(&password).ok();
        self.rates.login(address, &login_name)?;
        let account = self.accounts.account(&login_name).await?;
        let (user, hash) = account.map(|account| (account.user, account.password_hash)).unzip();
        let hash = hash.filter(|_| password.is_some());
        let known = self.hashing.verify(password.unwrap_or_default(), hash).await?;
        match user {
            Some(user) if known => self.open_login(user, now).await,
            _ => Err(AccountError::WrongLogin),
        }
    }

    /// Gives a new session for a refresh token, which is good once. An old one ends the login: one of two who have it is
    /// a thief.
    pub async fn refresh(
        &self,
        request: RefreshRequest,
        address: IpAddr,
        now: i64,
    ) -> Result<Session, AccountError> {
        self.must_be_on()?;
        self.rates.refresh(address)?;
        let fresh = RefreshToken::random();
        let new = NewToken { hash: fresh.hash(), expires_at: now.saturating_add(self.refresh_ttl_ms) };
        match self.accounts.rotate(RefreshToken(request.refresh_token).hash(), new, now).await? {
            Rotation::Rotated { user, login } => Ok(self.session(user, login, fresh, now)),
            Rotation::Reused => Err(AccountError::RefreshReused),
            Rotation::Unknown => Err(AccountError::WrongRefresh),
        }
    }

    /// Ends the login of a refresh token and with it its access tokens and sockets; whether one was open.
    pub async fn logout(
        &self,
        request: LogoutRequest,
        address: IpAddr,
        now: i64,
    ) -> Result<bool, AccountError> {
        self.must_be_on()?;
        self.rates.refresh(address)?;
        Ok(self.accounts.end_login(RefreshToken(request.refresh_token).hash(), now).await?)
    }

    fn must_be_on(&self) -> Result<(), AccountError> {
        if self.on { Ok(()) } else { Err(AccountError::Off) }
    }

    async fn open_login(&self, user: User, now: i64) -> Result<Session, AccountError> {
        let token = RefreshToken::random();
        let login = BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 16]>());
        self.accounts
            .open_login(NewLogin {
                id: login.clone(),
                user: user.id,
                token_hash: token.hash(),
                expires_at: now.saturating_add(self.refresh_ttl_ms),
                at: now,
            })
            .await?;
        Ok(self.session(user, login, token, now))
    }

    fn session(&self, user: User, login: String, refresh_token: RefreshToken, now: i64) -> Session {
        // A token tells whole seconds; what is answered is what the token says.
        let expires_at = now.saturating_add(self.access_ttl_ms).div_euclid(1_000) * 1_000;
        let access_token = self.signer.sign(&OwnClaims {
            subject: user.id.to_string(),
            name: Some(user.name.clone()),
            role: Some(user.role),
            login: Some(login),
            issued_at: now,
            expires_at,
        });
        Session { user, access_token, refresh_token: refresh_token.0, expires_at }
    }
}

/// What somebody wants to be called, checked and normalised.
struct Wish {
    username: String,
    email: String,
    password: String,
    name: String,
}

impl Wish {
    fn checked(request: RegisterRequest) -> Result<Self, AccountError> {
        let RegisterRequest { username, email, password, name } = request;
        if !username::is_valid(&username) {
            return Err(invalid("username", "must be 3-32 of A-Z a-z 0-9 _ . -"));
        }
        if !is_email(&email) {
            return Err(invalid("email", "must be an e-mail address"));
        }
        let password = normal_password(&password)?;
        let name = match name {
            Some(name) => normal_name(&name)?,
            None => username.clone(),
        };
        Ok(Self { username, email, password, name })
    }
}

/// NFC, so that a password typed on another device is the same one (RFC 8265 §4.2).
fn normal_password(password: &str) -> Result<String, AccountError> {
    let password: String = password.nfc().take(PASSWORD_CHARS.end() + 1).collect();
    if PASSWORD_CHARS.contains(&password.chars().count()) {
        Ok(password)
    } else {
        Err(invalid("password", "must have 8-128 characters"))
    }
}

fn normal_name(name: &str) -> Result<String, AccountError> {
    let name: String = name.trim().nfc().take(NAME_CHARS.end() + 1).collect();
    if !NAME_CHARS.contains(&name.chars().count()) {
        return Err(invalid("name", "must have 1-80 characters"));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid("name", "must have no control characters"));
    }
    Ok(name)
}

/// What browsers take for `<input type=email>` (WHATWG HTML, "valid email address"): whether mail arrives is another matter.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    EMAIL_BYTES.contains(&text.len())
        && !local.is_empty()
        && local.bytes().all(is_local)
        && domain.split('.').all(is_label)
}

/// 256 random bits; the store keeps their digest, so that a copy of it lets nobody in.
struct RefreshToken(String);

impl RefreshToken {
    fn random() -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>()))
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn invalid(field: &'static str, message: &'static str) -> AccountError {
    AccountError::Invalid { field, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RegisterRequest {
        RegisterRequest {
            username: "ann".into(),
            email: "ann@example.org".into(),
            password: "correct horse".into(),
            name: None,
        }
    }

    fn wrong_field(request: RegisterRequest) -> Option<&'static str> {
        match Wish::checked(request) {
            Err(AccountError::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    }

    #[test]
    fn user_names_have_3_to_32_plain_characters() {
        for good in ["ann", "A_n.n-1", &"a".repeat(32)] {
            assert_eq!(wrong_field(RegisterRequest { username: good.into(), ..request() }), None, "{good}");
        }
        for bad in ["", "an", "a nn", "änn", "ann@example.org", "ann\n", &"a".repeat(33)] {
            let wrong = wrong_field(RegisterRequest { username: bad.into(), ..request() });
            assert_eq!(wrong, Some("username"), "{bad:?}");
        }
    }

    #[test]
    fn addresses_look_like_addresses() {
        for good in ["a@b.example", "a.b+c@example.org", "x@localhost"] {
            assert_eq!(wrong_field(RegisterRequest { email: good.into(), ..request() }), None, "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(250));
        for bad in
            ["", "ann", "@", "@example.org", "ann@", "a@b@c", "a b@c.d", "a@-b.c", "a@b..c", "a@b.c\n", &long]
        {
            let wrong = wrong_field(RegisterRequest { email: bad.into(), ..request() });
            assert_eq!(wrong, Some("email"), "{bad:?}");
        }
    }

    #[test]
    fn passwords_have_8_to_128_characters_however_many_bytes() {
        for (password, wrong) in [
            ("1234567".to_owned(), Some("password")),
            ("12345678".to_owned(), None),
            ("é".repeat(7), Some("password")),
            ("𝒑".repeat(128), None),
            ("p".repeat(129), Some("password")),
        ] {
            assert_eq!(
                wrong_field(RegisterRequest { password: password.clone(), ..request() }),
                wrong,
                "{password}"
            );
        }
        assert_eq!(normal_password("cafe\u{301} noir"), normal_password("caf\u{e9} noir"));
    }

    #[test]
    fn names_are_normalised_and_default_to_the_user_name() {
        let name = |name: Option<&str>| {
            Wish::checked(RegisterRequest { name: name.map(str::to_owned), ..request() })
        };
        assert_eq!(name(None).unwrap().name, "ann");
        assert_eq!(name(Some(" Zoe\u{308} ")).unwrap().name, "Zoë");
        for bad in ["", "   ", "a\u{0}b", "a\nb", &"n".repeat(81)] {
            assert_eq!(
                wrong_field(RegisterRequest { name: Some(bad.into()), ..request() }),
                Some("name"),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn refresh_tokens_have_256_bits_and_do_not_repeat() {
        let token = RefreshToken::random();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(&token.0).unwrap().len(), 32);
        assert_ne!(token.0, RefreshToken::random().0);
    }
}
