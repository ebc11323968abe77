//! What people experience who register, log in, come with a token from elsewhere, or have none: on the real store.

use super::{
    AccountError, AccountService, AuthError, AuthSettings, Authenticator, Identity, LoginRequest,
    LogoutRequest, OutsideSettings, OwnClaims, Person, RefreshRequest, RegisterRequest, Session, SetupError,
    Signer, TOKEN_SECRET, TokenError, open, testing::*,
};
use crate::store::{
    Stores,
    sql::{SqlSettings, SqlStore},
};
use communiconnect_protocol::{CloseCode, Code, ErrorBody, Role};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;
use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

const NOW: i64 = 1_700_000_000_000;
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct World {
    authenticator: Arc<Authenticator>,
    accounts: Arc<AccountService>,
    stores: Stores,
    _folder: TempDir,
}

impl World {
    async fn new(settings: AuthSettings) -> Self {
        let folder = TempDir::new().unwrap();
        let (committed, _) = mpsc::channel(100);
        let store = SqlStore::in_folder(folder.path(), SqlSettings::default(), committed).unwrap();
        let stores = Arc::new(store).stores();
        let (authenticator, accounts) = open(&settings, stores.accounts.clone()).await.unwrap();
        Self { authenticator, accounts, stores, _folder: folder }
    }

    async fn usual() -> Self {
        Self::new(AuthSettings {
            register_per_hour_address: None,
            login_per_minute: None,
            ..AuthSettings::default()
        })
        .await
    }

    async fn with_site(outside: OutsideSettings) -> Self {
        let outside = OutsideSettings { hs256_secret: Some(SITE_SECRET.into()), ..outside };
        Self::new(AuthSettings { outside, ..AuthSettings::default() }).await
    }

    async fn register(&self, username: &str) -> Result<Session, AccountError> {
        let request = RegisterRequest {
            username: username.into(),
            email: format!("{username}@example.org"),
            password: "correct horse".into(),
            name: None,
        };
        self.accounts.register(request, HOME, NOW).await
    }

    async fn login(&self, login_name: &str, password: &str) -> Result<Session, AccountError> {
        let request = LoginRequest { login_name: login_name.into(), password: password.into() };
        self.accounts.login(request, HOME, NOW).await
    }

    async fn refresh(&self, refresh_token: &str) -> Result<Session, AccountError> {
        let request = RefreshRequest { refresh_token: refresh_token.into() };
        self.accounts.refresh(request, HOME, NOW).await
    }

    async fn who(&self, token: &str, now: i64) -> Result<Person, AuthError> {
        match self.authenticator.authenticate(Some(token), now).await? {
            Identity::Person(person) => Ok(*person),
            Identity::Guest => panic!("a token makes no guest"),
        }
    }

    /// As `communiconnect token` signs it.
    async fn operators_token(&self, subject: &str, role: Option<Role>) -> String {
        let secret = self.stores.accounts.secret(TOKEN_SECRET).await.unwrap();
        Signer::new(&secret).sign(&OwnClaims {
            subject: subject.into(),
            name: None,
            role,
            login: None,
            issued_at: NOW,
            expires_at: NOW + 60_000,
        })
    }
}

fn site_token(claims: &serde_json::Value) -> String {
    sign(Algorithm::HS256, None, &EncodingKey::from_secret(SITE_SECRET.as_bytes()), claims)
}

#[tokio::test]
async fn who_registers_is_in_and_can_log_in_by_either_name() {
    let world = World::usual().await;
    let session = world.register("ann").await.unwrap();
    assert_eq!((session.user.username.as_str(), session.user.role), ("ann", Role::User));
    assert_eq!(session.expires_at, NOW + 3_600_000);
    let person = world.who(&session.access_token, NOW).await.unwrap();
    assert_eq!((&person.user, person.expires_at), (&session.user, Some(session.expires_at)));
    for name in ["ann", "ANN", "ann@example.org"] {
        let again = world.login(name, "correct horse").await.unwrap();
        let person = world.who(&again.access_token, NOW).await.unwrap();
        assert_eq!(person.user.id, session.user.id);
        assert!(person.login.is_some());
    }
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_alike() {
    let world = World::usual().await;
    world.register("ann").await.unwrap();
    for (name, password) in [("ann", "wrong horse"), ("ben", "correct horse"), ("ann", "short"), ("", "")] {
        let refused = world.login(name, password).await.unwrap_err();
        assert_eq!(refused, AccountError::WrongLogin, "{name} {password}");
        assert_eq!(ErrorBody::from(refused).code, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_that_names_the_field() {
    let world = World::usual().await;
    world.register("ann").await.unwrap();
    let refused: ErrorBody = world.register("ANN").await.unwrap_err().into();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::Conflict, Some("username")));
}

#[tokio::test]
async fn refreshing_goes_on_and_a_copied_token_ends_it_all() {
    let world = World::usual().await;
    let first = world.register("ann").await.unwrap();
    let second = world.refresh(&first.refresh_token).await.unwrap();
    assert_ne!(first.refresh_token, second.refresh_token);
    for token in [&first.access_token, &second.access_token] {
        assert_eq!(world.who(token, NOW).await.unwrap().user.id, first.user.id);
    }
    let refused = world.refresh(&first.refresh_token).await.unwrap_err();
    assert_eq!(refused, AccountError::RefreshReused);
    assert_eq!(world.refresh(&second.refresh_token).await, Err(AccountError::WrongRefresh));
    for token in [&first.access_token, &second.access_token] {
        assert_eq!(world.who(token, NOW).await, Err(AuthError::LoggedOut));
    }
}

#[tokio::test]
async fn logging_out_ends_the_access_tokens_at_once() {
    let world = World::usual().await;
    let session = world.register("ann").await.unwrap();
    let elsewhere = world.login("ann", "correct horse").await.unwrap();
    world.who(&session.access_token, NOW).await.unwrap();
    let logout = || {
        let request = LogoutRequest { refresh_token: session.refresh_token.clone() };
        world.accounts.logout(request, HOME, NOW)
    };
    assert_eq!(logout().await, Ok(true));
    assert_eq!(logout().await, Ok(false));
    let refused = world.who(&session.access_token, NOW).await.unwrap_err();
    assert_eq!((refused.close_code(), refused), (CloseCode::InvalidToken, AuthError::LoggedOut));
    world.who(&elsewhere.access_token, NOW).await.unwrap();
}

#[tokio::test]
async fn an_expired_token_asks_to_come_back_also_when_it_was_taken_before() {
    let world = World::usual().await;
    let session = world.register("ann").await.unwrap();
    world.who(&session.access_token, session.expires_at - 1).await.unwrap();
    let refused = world.who(&session.access_token, session.expires_at).await.unwrap_err();
    assert_eq!(refused.close_code(), CloseCode::TokenExpired);
    assert_eq!(ErrorBody::from(refused).code, Code::TokenExpired);
}

#[tokio::test]
async fn a_refresh_token_opens_nothing() {
    let world = World::usual().await;
    let session = world.register("ann").await.unwrap();
    let refused = world.who(&session.refresh_token, NOW).await.unwrap_err();
    assert!(matches!(refused, AuthError::Token(TokenError::Malformed(_))));
    assert_eq!(refused.close_code(), CloseCode::InvalidToken);
    assert_eq!(ErrorBody::from(refused).code, Code::Unauthenticated);
    // Nor is an access token good for refreshing.
    assert_eq!(world.refresh(&session.access_token).await, Err(AccountError::WrongRefresh));
}

#[tokio::test]
async fn guests_are_let_in_only_where_they_are_wanted() {
    let world = World::usual().await;
    assert_eq!(world.authenticator.authenticate(None, NOW).await, Ok(Identity::Guest));
    let closed = World::new(AuthSettings { guests: false, ..AuthSettings::default() }).await;
    let refused = closed.authenticator.authenticate(None, NOW).await.unwrap_err();
    assert_eq!((refused.close_code(), refused), (CloseCode::InvalidToken, AuthError::Missing));
    // A bad token makes no guest.
    for token in ["", "x", &"x".repeat(10_000)] {
        assert!(world.authenticator.authenticate(Some(token), NOW).await.is_err());
    }
}

#[tokio::test]
async fn an_operators_token_means_an_account_by_its_id_or_makes_a_person() {
    let world = World::usual().await;
    let ann = world.register("ann").await.unwrap().user;
    let token = world.operators_token(&ann.id.to_string(), Some(Role::Moderator)).await;
    let person = world.who(&token, NOW).await.unwrap();
    assert_eq!((person.user.id, person.role, person.login), (ann.id, Role::Moderator, None));
    let token = world.operators_token("tester", None).await;
    let tester = world.who(&token, NOW).await.unwrap();
    assert_eq!((tester.user.username.as_str(), tester.role), ("tester", Role::User));
    assert_eq!(world.who(&token, NOW).await.unwrap().user.id, tester.user.id);
    // From now on the account's own logins have the role too.
    let session = world.login("ann", "correct horse").await.unwrap();
    assert_eq!(world.who(&session.access_token, NOW).await.unwrap().role, Role::Moderator);
}

#[tokio::test]
async fn people_of_a_site_that_shares_a_secret_are_let_in() {
    let world = World::with_site(OutsideSettings::default()).await;
    let exp = NOW / 1_000 + 60;
    let claims = json!({"sub": 42, "exp": exp, "name": "Zoë Ann", "role": "moderator"});
    let person = world.who(&site_token(&claims), NOW).await.unwrap();
    assert_eq!((person.user.username.as_str(), person.role), ("Zoe_Ann", Role::Moderator));
    // The role follows what the site says next, silence included.
    let later = world.who(&site_token(&json!({"sub": "42", "exp": exp})), NOW).await.unwrap();
    assert_eq!((later.user.id, later.role), (person.user.id, Role::User));
}

#[tokio::test]
async fn a_site_cannot_speak_for_an_account_here() {
    let world = World::with_site(OutsideSettings::default()).await;
    let ann = world.register("ann").await.unwrap().user;
    let claims = json!({"sub": ann.id.to_string(), "exp": NOW / 1_000 + 60, "iss": "", "sid": "stolen"});
    let person = world.who(&site_token(&claims), NOW).await.unwrap();
    assert_ne!(person.user.id, ann.id);
    assert_eq!(person.login, None);
}

#[tokio::test]
async fn keys_and_algorithms_that_are_not_configured_are_refused() {
    let outside = OutsideSettings { algorithms: vec![Algorithm::ES256], ..OutsideSettings::default() };
    let world = World::with_site(outside).await;
    let claims = json!({"sub": "42", "exp": NOW / 1_000 + 60});
    let refused = |token: String| {
        let world = &world;
        async move { world.who(&token, NOW).await.unwrap_err() }
    };
    assert_eq!(refused(site_token(&claims)).await, TokenError::Algorithm("HS256".into()).into());
    let rs256 = sign(Algorithm::RS256, None, &rsa(), &claims);
    assert_eq!(refused(rs256).await, TokenError::Algorithm("RS256".into()).into());
    let es256 = sign(Algorithm::ES256, None, &ec(), &claims);
    assert_eq!(refused(es256).await, TokenError::UnknownKey.into());
    // Our own tokens are not from outside.
    let own = world.operators_token("tester", None).await;
    world.who(&own, NOW).await.unwrap();
    let usual = World::usual().await;
    assert_eq!(usual.who(&site_token(&claims), NOW).await.unwrap_err(), TokenError::Signature.into());
}

#[tokio::test]
async fn keys_come_from_files_and_useless_files_stop_the_start() {
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    let jwks = file(JWKS);
    let outside = OutsideSettings { jwks_file: Some(jwks.path().into()), ..OutsideSettings::default() };
    let world = World::new(AuthSettings { outside, ..AuthSettings::default() }).await;
    let claims = json!({"sub": "42", "exp": NOW / 1_000 + 60});
    world.who(&sign(Algorithm::EdDSA, Some("ed-1"), &ed(), &claims), NOW).await.unwrap();
    let foreign = world.who(&sign(Algorithm::EdDSA, Some("ed-2"), &ed(), &claims), NOW).await.unwrap_err();
    assert_eq!(foreign, TokenError::UnknownKey.into());

    let empty = file("");
    let setup = |outside: OutsideSettings| {
        let settings = AuthSettings { outside, ..AuthSettings::default() };
        Authenticator::new(&settings, world.stores.accounts.clone(), &[0; 32]).err().unwrap()
    };
    let usual = OutsideSettings::default;
    let useless = OutsideSettings { key_file: Some(empty.path().into()), ..usual() };
    assert!(matches!(setup(useless), SetupError::Setting { setting: "auth.key_file", .. }));
    let useless = OutsideSettings { jwks_file: Some(empty.path().into()), ..usual() };
    assert!(matches!(setup(useless), SetupError::Setting { setting: "auth.jwks_file", .. }));
    let missing = OutsideSettings { key_file: Some("/nowhere/at/all".into()), ..usual() };
    assert!(matches!(setup(missing), SetupError::File { .. }));
    for url in ["", "example.org/jwks", "file:///etc/passwd", "https://", "ftp://example.org/"] {
        let wrong = OutsideSettings { jwks_url: Some(url.into()), ..usual() };
        assert!(matches!(setup(wrong), SetupError::Setting { setting: "auth.jwks_url", .. }), "{url}");
    }
}

#[tokio::test]
async fn without_accounts_of_its_own_the_server_has_none() {
    let world = World::new(AuthSettings { embedded: false, ..AuthSettings::default() }).await;
    let refused = world.register("ann").await.unwrap_err();
    assert_eq!(ErrorBody::from(refused).code, Code::NotFound);
    assert_eq!(world.login("ann", "correct horse").await, Err(AccountError::Off));
    assert_eq!(world.refresh("x").await, Err(AccountError::Off));
}

#[tokio::test]
async fn too_many_attempts_are_told_when_to_try_again() {
    let settings = AuthSettings {
        register_per_hour_address: Some(1),
        login_per_minute: Some(2),
        ..AuthSettings::default()
    };
    let world = World::new(settings).await;
    world.register("ann").await.unwrap();
    let refused: ErrorBody = world.register("ben").await.unwrap_err().into();
    assert_eq!(refused.code, Code::RateLimited);
    assert!(refused.retry_after_ms.is_some_and(|wait| wait > 3_500_000), "{refused:?}");
    for _ in 0..2 {
        assert_eq!(world.login("ann", "wrong horse").await, Err(AccountError::WrongLogin));
    }
    assert!(matches!(world.login("ann", "correct horse").await, Err(AccountError::RateLimited { .. })));
}

#[tokio::test]
async fn who_was_let_in_is_confirmed_until_their_login_ends() {
    let world = World::usual().await;
    let session = world.register("ann").await.unwrap();
    let ann = world.authenticator.authenticate(Some(&session.access_token), NOW).await.unwrap();
    assert_eq!(world.authenticator.confirm(&ann, NOW).await, Ok(()));
    let request = LogoutRequest { refresh_token: session.refresh_token };
    assert!(world.accounts.logout(request, HOME, NOW).await.unwrap());
    assert_eq!(world.authenticator.confirm(&ann, NOW).await, Err(AuthError::LoggedOut));
    assert_eq!(world.authenticator.confirm(&Identity::Guest, NOW).await, Ok(()), "nothing to ask");
}
