//! Accounts, identities, logins and secrets.

use super::World;
use crate::{
    publication::Audience,
    store::{
        StoreError,
        accounts::{Identity, NewAccount, NewLogin, NewToken, Rotation},
        conformance::world::{Bounds, Told},
    },
};
use communiconnect_protocol::{Channel, Role, User, UserControl, UserId};

const DAY: i64 = 24 * 60 * 60 * 1_000;

pub(crate) async fn an_account_is_found_by_either_name(world: World) {
    let user = world.stores.accounts.register(account(&world, "Ann", "Ann@Example.org")).await.expect("made");
    assert_eq!((user.username.as_str(), user.name.as_str(), user.role), ("Ann", "Ann the first", Role::User));
    for name in ["Ann", "ann", "ann@example.org", "ANN@EXAMPLE.ORG"] {
        let found = world.stores.accounts.account(name).await.expect("read").expect("an account");
        assert_eq!((&found.user, found.password_hash.as_str()), (&user, "a hash"), "{name}");
    }
    for name in ["", "an", "ann@example", "ann'--", "%"] {
        assert_eq!(world.stores.accounts.account(name).await, Ok(None), "{name}");
    }
}

pub(crate) async fn names_and_addresses_are_taken_whatever_their_case(world: World) {
    world.stores.accounts.register(account(&world, "ann", "ann@example.org")).await.expect("made");
    for (name, email, taken) in [("ANN", "new@example.org", "username"), ("ben", "ANN@example.org", "email")]
    {
        let again = world.stores.accounts.register(account(&world, name, email)).await;
        assert_eq!(again, Err(StoreError::Taken(taken)));
    }
    // What was refused left nothing.
    world.stores.accounts.register(account(&world, "ben", "new@example.org")).await.expect("still free");
}

pub(crate) async fn of_many_who_want_one_name_one_gets_it(world: World) {
    let tries = (0..8).map(|number| {
        world.stores.accounts.register(account(&world, "ann", &format!("ann{number}@example.org")))
    });
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(StoreError::Taken("username"))).count(), 7);
}

pub(crate) async fn a_person_is_made_at_first_use_and_known_again(world: World) {
    let ann = identity("site", "ann");
    let first = person(&world, ann.clone()).await;
    assert_eq!((first.username.as_str(), first.name.as_str(), first.role), ("ann", "ann", Role::User));
    assert_eq!(person(&world, ann.clone()).await, first);
    let many = (0..8).map(|_| person(&world, identity("site", "bob")));
    let ids: Vec<UserId> =
        futures_util::future::join_all(many).await.into_iter().map(|user| user.id).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && *id != first.id), "{ids:?}");
    assert_eq!(world.stores.people.user(first.id).await, Ok(Some(first)));
}

pub(crate) async fn one_subject_of_two_issuers_is_two_people(world: World) {
    let [one, other, own] = ["site", "shop", ""].map(|issuer| identity(issuer, "ann"));
    let (one, other, own) =
        (person(&world, one).await, person(&world, other).await, person(&world, own).await);
    assert_eq!([&one, &other, &own].map(|user| user.username.as_str()), ["ann", "ann2", "ann3"]);
    assert!(one.id != other.id && other.id != own.id && own.id != one.id);
}

pub(crate) async fn a_name_that_is_taken_gets_a_number(world: World) {
    world.person("Ann").await;
    assert_eq!(person(&world, identity("site", "ann")).await.username, "ann2");
    let named = Identity { name: Some("Zoë Ann".into()), ..identity("site", "42") };
    let user = person(&world, named).await;
    assert_eq!((user.username.as_str(), user.name.as_str()), ("Zoe_Ann", "Zoë Ann"));
    let nothing_to_see = person(&world, identity("site", "\u{200b}")).await;
    assert_eq!(nothing_to_see.name, nothing_to_see.username);
}

pub(crate) async fn name_and_role_follow_the_issuer(world: World) {
    let says =
        |name: Option<&str>, role| Identity { name: name.map(str::to_owned), role, ..identity("site", "7") };
    let first = person(&world, says(Some("Ann"), Some(Role::User))).await;
    let risen = person(&world, says(Some("Ann B."), Some(Role::Moderator))).await;
    assert_eq!(risen, User { name: "Ann B.".into(), role: Role::Moderator, ..first.clone() });
    // Who says nothing changes nothing.
    assert_eq!(person(&world, says(None, None)).await, risen);
    let fallen = person(&world, says(None, Some(Role::User))).await;
    assert_eq!(fallen, User { name: "Ann B.".into(), ..first });
}

pub(crate) async fn an_older_token_brings_no_news(world: World) {
    let says = |name: &str, role, issued_at| Identity {
        name: Some(name.into()),
        role: Some(role),
        issued_at,
        ..identity("site", "7")
    };
    person(&world, says("Ann", Role::Moderator, Some(1_000))).await;
    let fallen = person(&world, says("Anna", Role::User, Some(2_000))).await;
    assert_eq!((fallen.name.as_str(), fallen.role), ("Anna", Role::User));
    assert_eq!(
        person(&world, says("Ann", Role::Moderator, Some(1_000))).await,
        fallen,
        "the old token again"
    );
    assert_eq!(person(&world, says("Ann", Role::Moderator, None)).await, fallen, "a token without a time");
    // What says nothing new is the newest word all the same.
    person(&world, says("Anna", Role::User, Some(3_000))).await;
    assert_eq!(person(&world, says("Ann", Role::Moderator, Some(2_500))).await, fallen);
    let world = world.reopened(Bounds::default()).await;
    assert_eq!(person(&world, says("Ann", Role::Moderator, Some(1_000))).await, fallen, "after a restart");
    let risen = person(&world, says("Anna", Role::Moderator, Some(3_000))).await;
    assert_eq!(risen.role, Role::Moderator, "the same second");
}

pub(crate) async fn an_id_of_ours_means_that_very_person_and_only_from_us(world: World) {
    let ann = world.person("ann").await;
    let says = |issuer: &str, role| Identity {
        name: Some("Mallory".into()),
        role,
        ..identity(issuer, &ann.user.to_string())
    };
    let user = person(&world, says("", Some(Role::Admin))).await;
    assert_eq!((user.id, user.name.as_str(), user.role), (ann.user, "ann", Role::Admin));
    assert_eq!(person(&world, says("", None)).await.role, Role::Admin);
    let other = person(&world, says("site", None)).await;
    assert_ne!(other.id, ann.user);
    assert_eq!(other.role, Role::User);
}

pub(crate) async fn a_refresh_token_is_good_once(world: World) {
    let (user, _) = logged_in(&world, "ann", 1).await;
    let outcome = rotate(&world, 1, 2).await;
    assert_eq!(outcome, Rotation::Rotated { user: user.clone(), login: "login-ann".into() });
    assert_eq!(rotate(&world, 2, 3).await, Rotation::Rotated { user, login: "login-ann".into() });
    assert_eq!(rotate(&world, 99, 100).await, Rotation::Unknown);
    assert!(is_open(&world, "login-ann").await);
}

pub(crate) async fn an_old_refresh_token_ends_its_login_and_no_other(world: World) {
    let (ann, channel) = logged_in(&world, "ann", 1).await;
    open_login(&world, ann.id, "elsewhere", 50).await;
    rotate(&world, 1, 2).await;
    world.told().await;
    assert_eq!(rotate(&world, 1, 3).await, Rotation::Reused);
    assert_eq!(ended(&world.told().await, &channel), ["login-ann"]);
    assert!(!is_open(&world, "login-ann").await);
    for token in [1, 2, 3] {
        assert_eq!(rotate(&world, token, 4).await, Rotation::Unknown, "{token}");
    }
    assert!(is_open(&world, "elsewhere").await);
    assert!(matches!(rotate(&world, 50, 51).await, Rotation::Rotated { .. }));
}

pub(crate) async fn of_two_who_use_a_token_at_once_one_wins_and_the_login_ends(world: World) {
    logged_in(&world, "ann", 1).await;
    let (one, other) = tokio::join!(rotate(&world, 1, 2), rotate(&world, 1, 3));
    let won = [&one, &other].iter().filter(|outcome| matches!(outcome, Rotation::Rotated { .. })).count();
    let lost = [&one, &other].iter().filter(|outcome| **outcome == &Rotation::Reused).count();
    assert_eq!((won, lost), (1, 1));
    assert!(!is_open(&world, "login-ann").await);
}

pub(crate) async fn logging_out_is_told_once(world: World) {
    let (_, channel) = logged_in(&world, "ann", 1).await;
    rotate(&world, 1, 2).await;
    world.told().await;
    let out = || world.stores.accounts.end_login(hash(2), world.now());
    assert_eq!(out().await, Ok(true));
    assert_eq!(ended(&world.told().await, &channel), ["login-ann"]);
    assert_eq!(out().await, Ok(false));
    assert_eq!(world.stores.accounts.end_login(hash(99), world.now()).await, Ok(false));
    assert!(world.told().await.publications.is_empty());
    assert!(!is_open(&world, "login-ann").await);
    assert_eq!(rotate(&world, 2, 3).await, Rotation::Unknown);
}

pub(crate) async fn a_login_runs_out_unless_it_is_refreshed(world: World) {
    logged_in(&world, "ann", 1).await;
    world.pass(DAY - 1);
    assert!(is_open(&world, "login-ann").await);
    assert!(matches!(rotate(&world, 1, 2).await, Rotation::Rotated { .. }));
    world.pass(DAY - 1);
    assert!(is_open(&world, "login-ann").await);
    world.pass(1);
    assert!(!is_open(&world, "login-ann").await);
    assert_eq!(rotate(&world, 2, 3).await, Rotation::Unknown);
    // What ran out is swept as others log in, and never found again.
    logged_in(&world, "ben", 10).await;
    assert_eq!(rotate(&world, 1, 3).await, Rotation::Unknown);
    assert!(is_open(&world, "login-ben").await);
}

pub(crate) async fn a_secret_is_made_once_and_kept(world: World) {
    let secret = world.stores.accounts.secret("tokens").await.expect("made");
    assert_eq!(world.stores.accounts.secret("tokens").await, Ok(secret));
    assert_ne!(world.stores.accounts.secret("other").await, Ok(secret));
    assert_ne!(secret, [0; 32]);
    let world = world.reopened(super::Bounds::default()).await;
    assert_eq!(world.stores.accounts.secret("tokens").await, Ok(secret));
}

fn account(world: &World, username: &str, email: &str) -> NewAccount {
    NewAccount {
        username: username.into(),
        email: email.into(),
        name: format!("{username} the first"),
        password_hash: "a hash".into(),
        at: world.now(),
    }
}

fn identity(issuer: &str, subject: &str) -> Identity {
    Identity { issuer: issuer.into(), subject: subject.into(), name: None, role: None, issued_at: None }
}

async fn person(world: &World, identity: Identity) -> User {
    world.stores.accounts.person(identity, world.now()).await.expect("a person")
}

/// An account whose login `login-<name>` has this refresh token, and the person's own channel.
async fn logged_in(world: &World, name: &str, token: u8) -> (User, Channel) {
    let new = account(world, name, &format!("{name}@example.org"));
    let user = world.stores.accounts.register(new).await.expect("a free name");
    open_login(world, user.id, &format!("login-{name}"), token).await;
    let channel = Channel::User(user.id);
    (user, channel)
}

async fn open_login(world: &World, user: UserId, id: &str, token: u8) {
    let at = world.now();
    let login = NewLogin { id: id.into(), user, token_hash: hash(token), expires_at: at + DAY, at };
    world.stores.accounts.open_login(login).await.expect("opened");
}

async fn rotate(world: &World, old: u8, new: u8) -> Rotation {
    let at = world.now();
    let new = NewToken { hash: hash(new), expires_at: at + DAY };
    world.stores.accounts.rotate(hash(old), new, at).await.expect("answered")
}

async fn is_open(world: &World, login: &str) -> bool {
    world.stores.accounts.login_is_open(login, world.now()).await.expect("answered")
}

fn hash(token: u8) -> [u8; 32] {
    [token; 32]
}

/// Logins that the server was told of as ended.
fn ended(told: &Told, channel: &Channel) -> Vec<String> {
    let entries = told.of(channel).into_iter();
    entries
        .filter(|entry| entry.audience == Audience::Server)
        .filter_map(|entry| match entry.data.read().expect("a control") {
            UserControl::LoggedOut { login } => Some(login),
            _ => None,
        })
        .collect()
}
