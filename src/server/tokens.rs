//! `token` and `check-token`: an operator's tokens, signed with the store's own secret.

use super::{settings, store};
use crate::{
    auth::{Authenticator, OwnClaims, Signer, TOKEN_SECRET},
    clock::now_ms,
    config::Config,
    store::{accounts::Accounts, sql::SqlStore},
};
use anyhow::Context;
use communiconnect_protocol::Role;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// What a token is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenWish {
    /// Whose: the id of a person of this server, or any name, whose person is made at first use.
    pub user: String,
    /// The name to show.
    pub name: Option<String>,
    /// The role; none leaves the person's.
    pub role: Option<Role>,
    /// How long it lasts.
    pub ttl: Duration,
}

/// Signs a token. Works beside a running server on the same data folder as well as before its first start.
///
/// # Errors
/// Where the store cannot be opened.
pub async fn sign_token(config: &Config, wish: TokenWish) -> anyhow::Result<String> {
    let secret = secret(&open(config)?).await?;
    let ttl_ms = i64::try_from(wish.ttl.as_millis()).context("--ttl is too long")?;
    let issued_at = now_ms();
    let expires_at = issued_at.checked_add(ttl_ms).context("--ttl is too long")?;
    let TokenWish { user: subject, name, role, .. } = wish;
    let claims = OwnClaims { subject, name, role, login: None, issued_at, expires_at };
    Ok(Signer::new(&secret).sign(&claims))
}

/// Says for whom a token would be taken; reads no person and makes none.
///
/// # Errors
/// Why it would not be taken.
pub async fn check_token(config: &Config, token: &str) -> anyhow::Result<String> {
    let store = open(config)?;
    let secret = secret(&store).await?;
    let judge = Authenticator::new(&settings::auth(config), store, &secret)?;
    let claims = judge.check(token, now_ms()).await?;
    let seconds = (claims.expires_at - now_ms()) / 1000;
    let issuer = if claims.issuer.is_empty() { "this server" } else { &claims.issuer };
    let role = claims.role.map_or("none given", Role::as_str);
    Ok(format!("ok: subject {} of {issuer}, role {role}, for {seconds} s more", claims.subject))
}

fn open(config: &Config) -> anyhow::Result<Arc<SqlStore>> {
    let folder = &config.store.data;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    // Nothing is published from here: what a token needs of the store makes no publication.
    let (committed, _nobody) = mpsc::channel(1);
    Ok(store::open(config, folder, committed)?)
}

async fn secret(store: &Arc<SqlStore>) -> anyhow::Result<[u8; 32]> {
    Ok(store.secret(TOKEN_SECRET).await?)
}
