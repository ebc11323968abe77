//! From a token to a person.

use super::{
    AccountService, AuthError, AuthSettings, Claims, Identity, OutsideSettings, Person, SetupError, Signer,
    TOKEN_SECRET, TokenError,
    jwks::{Jwks, Url},
    jwt::{Demands, Unverified},
    keys::{Key, KeySet},
};
use crate::store::accounts::{self, Accounts};
use communiconnect_protocol::{Role, User};
use jsonwebtoken::Algorithm;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::{path::Path, sync::Arc, time::Duration};

/// How long a token that was taken is not checked again, and so how late a change of name or role elsewhere shows.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// Tokens remembered, below a kilobyte each: those who are about to reconnect.
const REMEMBERED: u64 = 10_000;

/// Bytes of a file with keys at most.
const MAX_KEY_FILE_BYTES: usize = 1 << 20;

/// Sets up identity on a store: what judges tokens, and the accounts. Makes the store's secret where there is none.
pub async fn open(
    settings: &AuthSettings,
    accounts: Arc<dyn Accounts>,
) -> Result<(Arc<Authenticator>, Arc<AccountService>), SetupError> {
    let secret = accounts.secret(TOKEN_SECRET).await?;
    let service = AccountService::start(settings, accounts.clone(), Signer::new(&secret))?;
    let authenticator = Authenticator::new(settings, accounts, &secret)?;
    Ok((Arc::new(authenticator), Arc::new(service)))
}

/// Judges tokens of this server and of the configured issuers.
pub struct Authenticator {
    guests: bool,
    leeway_ms: i64,
    own: Key,
    outside: Outside,
    accounts: Arc<dyn Accounts>,
    taken: Cache<[u8; 32], Arc<Taken>>,
}

/// A token that was taken, by the digest of its bytes.
struct Taken {
    claims: Claims,
    user: User,
}

impl Authenticator {
    /// Judges with this secret of the store. Reads the key files.
    pub fn new(
        settings: &AuthSettings,
        accounts: Arc<dyn Accounts>,
        secret: &[u8; 32],
    ) -> Result<Self, SetupError> {
        let leeway_ms = i64::try_from(settings.leeway.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            guests: settings.guests,
            leeway_ms,
            own: Key::secret(secret),
            outside: Outside::new(&settings.outside, leeway_ms)?,
            accounts,
            taken: Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build(),
        })
    }

    /// Whose token this is as of `now` (milliseconds since 1970 UTC); no token is a guest, where guests are let in.
    pub async fn authenticate(&self, token: Option<&str>, now: i64) -> Result<Identity, AuthError> {
        let Some(token) = token else {
            return if self.guests { Ok(Identity::Guest) } else { Err(AuthError::Missing) };
        };
        // Bound before it is digested.
        if token.len() > super::MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong.into());
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let taken = match self.taken.get(&digest) {
            Some(taken) if taken.claims.expires_at <= now => return Err(TokenError::Expired.into()),
            Some(taken) => taken,
            None => {
                let claims = self.check(token, now).await?;
                self.must_be_open(claims.login.as_ref(), now).await?;
                let user = self.person(&claims, now).await?;
                let taken = Arc::new(Taken { claims, user });
                self.taken.insert(digest, taken.clone());
                return Ok(identity(&taken));
            }
        };
        self.must_be_open(taken.claims.login.as_ref(), now).await?;
        Ok(identity(&taken))
    }

    /// Judges a token by itself, without looking for its person or login in the store: for `check-token`.
    pub async fn check(&self, token: &str, now: i64) -> Result<Claims, AuthError> {
        let token = Unverified::read(token)?;
        if let Some(signed) = token.is_signed_by(&self.own)? {
            return Ok(signed.own(self.leeway_ms, now)?);
        }
        self.outside.check(&token, now).await
    }

    /// Whether the login of somebody who was let in is still open; there is nothing to ask of a token without one.
    pub async fn confirm(&self, identity: &Identity, now: i64) -> Result<(), AuthError> {
        self.must_be_open(identity.person().and_then(|person| person.login.as_ref()), now).await
    }

    /// Asked every time: a login that has ended must not live on in a cache.
    async fn must_be_open(&self, login: Option<&String>, now: i64) -> Result<(), AuthError> {
        match login {
            Some(login) if !self.accounts.login_is_open(login, now).await? => Err(AuthError::LoggedOut),
            _ => Ok(()),
        }
    }

    async fn person(&self, claims: &Claims, now: i64) -> Result<User, AuthError> {
        // An account's own token says what was so when it was made; the store knows what is so. An issuer outside
        // that names no role gives none.
        let role = match (&claims.login, claims.issuer.as_str()) {
            (Some(_), _) => None,
            (None, "") => claims.role,
            (None, _) => Some(claims.role.unwrap_or(Role::User)),
        };
        let identity = accounts::Identity {
            issuer: claims.issuer.clone(),
            subject: claims.subject.clone(),
            name: claims.name.clone(),
            role,
        };
        Ok(self.accounts.person(identity, now).await?)
    }
}

fn identity(taken: &Taken) -> Identity {
    Identity::Person(Box::new(Person {
        role: taken.user.role,
        user: taken.user.clone(),
        expires_at: Some(taken.claims.expires_at),
        login: taken.claims.login.clone(),
    }))
}

/// The issuers outside that are configured.
struct Outside {
    fixed: KeySet,
    fetched: Option<Jwks>,
    algorithms: Vec<Algorithm>,
    demands: Demands,
}

impl Outside {
    fn new(settings: &OutsideSettings, leeway_ms: i64) -> Result<Self, SetupError> {
        let jwks =
            |url: &String| Ok::<_, SetupError>(Jwks::new(Box::new(Url::new(url)?), settings.jwks_cache));
        Ok(Self {
            fixed: fixed_keys(settings)?,
            fetched: settings.jwks_url.as_ref().map(jwks).transpose()?,
            algorithms: settings.algorithms.clone(),
            demands: Demands {
                names: settings.claims.clone(),
                issuer: settings.issuer.clone(),
                audience: settings.audience.clone(),
                leeway_ms,
            },
        })
    }

    async fn check(&self, token: &Unverified<'_>, now: i64) -> Result<Claims, AuthError> {
        if !self.algorithms.contains(&token.algorithm()) {
            return Err(TokenError::Algorithm(format!("{:?}", token.algorithm())).into());
        }
        let fixed = match token.signed_by(&self.fixed) {
            Ok(signed) => return Ok(signed.outside(&self.demands, now)?),
            Err(error) => error,
        };
        match &self.fetched {
            // What is published is never a shared secret, so there is nothing to ask for.
            Some(jwks) if token.algorithm() != Algorithm::HS256 => {
                let keys = jwks.keys(token.algorithm(), token.key_id(), now).await?;
                Ok(token.signed_by(&keys)?.outside(&self.demands, now)?)
            }
            // Our own key takes HS256 as well, and has said no.
            _ if token.algorithm() == Algorithm::HS256 => Err(TokenError::Signature.into()),
            _ => Err(fixed.into()),
        }
    }
}

fn fixed_keys(settings: &OutsideSettings) -> Result<KeySet, SetupError> {
    let mut keys = Vec::new();
    if let Some(secret) = &settings.hs256_secret {
        if secret.is_empty() {
            return Err(SetupError::Setting { setting: "auth.hs256_secret", reason: "is empty".into() });
        }
        if secret.len() < 32 {
            tracing::warn!("auth.hs256_secret is shorter than 32 bytes: it can be guessed (RFC 7518 §3.2)");
        }
        keys.push(Key::secret(secret.as_bytes()));
    }
    if let Some(path) = &settings.key_file {
        let key = Key::from_file(&read(path)?);
        keys.push(key.map_err(|error| unusable("auth.key_file", path, error.to_string()))?);
    }
    if let Some(path) = &settings.jwks_file {
        let set = KeySet::from_jwks(&read(path)?);
        keys.extend(set.map_err(|error| unusable("auth.jwks_file", path, error.to_string()))?);
    }
    Ok(keys.into_iter().collect())
}

fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    let bytes = std::fs::read(path).map_err(|source| SetupError::File { path: path.to_owned(), source })?;
    if bytes.len() > MAX_KEY_FILE_BYTES {
        let reason = format!("{} is larger than any file with keys", path.display());
        return Err(SetupError::Setting { setting: "auth", reason });
    }
    Ok(bytes)
}

fn unusable(setting: &'static str, path: &Path, reason: String) -> SetupError {
    SetupError::Setting { setting, reason: format!("{}: {reason}", path.display()) }
}
