//! Accounts of this server itself: registering, logging in, refreshing, logging out.

use super::{
    AccountError, AuthSettings, Fault, LoginRequest, LogoutRequest, OwnClaims, RefreshRequest,
    RegisterRequest, Session, SetupError, Signer,
    hashing::HashPool,
    rates::Rates,
    registration::{EMAIL_BYTES, Wish, normal_password},
};
use crate::store::{
    StoreError,
    accounts::{Accounts, NewAccount, NewLogin, NewToken, Rotation},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use communiconnect_protocol::User;
use governor::clock::DefaultClock;
use rand::Rng;
use sha2::{Digest, Sha256};
use std::{net::IpAddr, sync::Arc, time::Duration};

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
            let message = "is longer than any name or address";
            return Err(Fault { field: "username", message }.into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_tokens_have_256_bits_and_do_not_repeat() {
        let token = RefreshToken::random();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(&token.0).unwrap().len(), 32);
        assert_ne!(token.0, RefreshToken::random().0);
    }
}
