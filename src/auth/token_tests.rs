//! Every way in which a token is not to be taken, and those in which it is.

use super::{
    error::TokenError,
    jwt::{Claims, Demands, MAX_TOKEN_BYTES, OwnClaims, Signed, Signer, Unverified},
    keys::{Key, KeyError, KeySet},
    settings::ClaimNames,
    testing::*,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use communiconnect_protocol::Role;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A second on which tokens of these tests are looked at.
const NOW_S: i64 = 1_700_000_000;
const NOW: i64 = NOW_S * 1_000;
const STORE_SECRET: [u8; 32] = [7; 32];

fn demands() -> Demands {
    Demands { names: ClaimNames::default(), issuer: None, audience: None, leeway_ms: 0 }
}

fn own(token: &str) -> Result<Option<Claims>, TokenError> {
    let signed = Unverified::read(token)?.is_signed_by(&Key::secret(&STORE_SECRET))?;
    signed.map(|signed| signed.own(0, NOW)).transpose()
}

fn site_secret() -> EncodingKey {
    EncodingKey::from_secret(SITE_SECRET.as_bytes())
}

fn site_token(claims: &Value) -> String {
    sign(Algorithm::HS256, None, &site_secret(), claims)
}

fn signed_by(keys: &KeySet, token: &str) -> Result<Signed, TokenError> {
    Unverified::read(token)?.signed_by(keys)
}

/// What the site's token says, as these demands have it.
fn from_site(claims: Value, demands: &Demands) -> Result<Claims, TokenError> {
    let keys: KeySet = [Key::secret(SITE_SECRET.as_bytes())].into_iter().collect();
    signed_by(&keys, &site_token(&claims))?.outside(demands, NOW)
}

fn good() -> Value {
    json!({"sub": "42", "exp": NOW_S + 60})
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = good();
    claims[claim] = value;
    claims
}

fn wrong_claim(outcome: Result<Claims, TokenError>) -> String {
    match outcome {
        Err(TokenError::Claim { claim, .. }) => claim,
        other => panic!("{other:?}"),
    }
}

fn own_claims() -> OwnClaims {
    OwnClaims {
        subject: "ann".into(),
        name: Some("Ann".into()),
        role: Some(Role::Moderator),
        login: Some("l1".into()),
        issued_at: NOW,
        expires_at: NOW + 5_000,
    }
}

#[test]
fn what_we_sign_we_take() {
    let claims = own(&Signer::new(&STORE_SECRET).sign(&own_claims())).unwrap().unwrap();
    let wanted = Claims {
        issuer: String::new(),
        subject: "ann".into(),
        name: Some("Ann".into()),
        role: Some(Role::Moderator),
        issued_at: Some(NOW),
        expires_at: NOW + 5_000,
        login: Some("l1".into()),
    };
    assert_eq!(claims, wanted);
}

#[test]
fn what_another_secret_signed_is_not_ours() {
    assert_eq!(own(&Signer::new(&[8; 32]).sign(&own_claims())), Ok(None));
}

#[test]
fn a_token_is_over_at_its_very_second() {
    let at = |expires_at| own(&Signer::new(&STORE_SECRET).sign(&OwnClaims { expires_at, ..own_claims() }));
    assert!(at(NOW + 1_000).is_ok());
    assert_eq!(at(NOW), Err(TokenError::Expired));
    assert_eq!(at(NOW - 1_000), Err(TokenError::Expired));
}

#[test]
fn leeway_is_given_only_where_it_is_configured() {
    let late = || with("exp", json!(NOW_S - 5));
    assert_eq!(from_site(late(), &demands()), Err(TokenError::Expired));
    let lenient = Demands { leeway_ms: 10_000, ..demands() };
    assert_eq!(from_site(late(), &lenient).unwrap().expires_at, NOW + 5_000);
}

#[test]
fn a_token_without_an_end_is_not_taken() {
    assert_eq!(wrong_claim(from_site(json!({"sub": "42"}), &demands())), "exp");
    assert_eq!(wrong_claim(from_site(with("exp", json!("soon")), &demands())), "exp");
    assert_eq!(wrong_claim(from_site(with("exp", Value::Null), &demands())), "exp");
}

#[test]
fn ends_at_the_edge_of_numbers_are_read() {
    for (exp, taken) in [
        (json!(u64::MAX), true),
        (json!(1e300), true),
        (json!(NOW_S as f64 + 0.5), true),
        (json!(-1), false),
        (json!(-1e300), false),
        (json!(i64::MIN), false),
    ] {
        let outcome = from_site(with("exp", exp.clone()), &demands());
        assert_eq!(outcome.is_ok(), taken, "{exp}");
    }
}

#[test]
fn a_token_of_the_future_waits() {
    assert_eq!(from_site(with("nbf", json!(NOW_S + 1)), &demands()), Err(TokenError::NotYet));
    assert!(from_site(with("nbf", json!(NOW_S)), &demands()).is_ok());
}

#[test]
fn the_subject_is_there_and_is_text_or_a_whole_number() {
    for sub in [
        Value::Null,
        json!(""),
        json!(1.5),
        json!(true),
        json!(["42"]),
        json!("a\nb"),
        json!("s".repeat(256)),
    ] {
        assert_eq!(wrong_claim(from_site(with("sub", sub.clone()), &demands())), "sub", "{sub}");
    }
    assert_eq!(wrong_claim(from_site(json!({"exp": NOW_S + 60}), &demands())), "sub");
    assert_eq!(from_site(with("sub", json!(42)), &demands()).unwrap().subject, "42");
}

#[test]
fn a_django_site_plugs_in_by_the_names_of_its_claims() {
    let names = ClaimNames { sub: "user_id".into(), name: "full_name".into(), role: "kind".into() };
    let claims = json!({
        "token_type": "access", "exp": NOW_S + 60, "iat": NOW_S, "jti": "x", "user_id": 42,
        "full_name": " Zoe\u{308}\u{7} ", "kind": "moderator", "sub": "not this", "sid": "no login of ours",
    });
    let taken = from_site(claims, &Demands { names, ..demands() }).unwrap();
    assert_eq!(taken.subject, "42");
    assert_eq!(taken.name.as_deref(), Some("Zoë"));
    let nothing_to_see = json!({"exp": NOW_S + 60, "sub": "42", "name": "\u{200b}\u{3164}"});
    let blank = from_site(nothing_to_see, &demands()).unwrap();
    assert_eq!(blank.name, None, "a name that shows nothing is none");
    assert_eq!(taken.role, Some(Role::Moderator));
    assert_eq!(taken.login, None);
}

#[test]
fn a_role_that_is_not_known_here_is_none() {
    assert_eq!(from_site(with("role", json!("superuser")), &demands()).unwrap().role, None);
    assert_eq!(from_site(with("role", json!(3)), &demands()).unwrap().role, None);
}

#[test]
fn tokens_for_other_uses_are_not_taken() {
    for (claim, kind) in [
        ("token_type", "refresh"),
        ("token_type", "sliding"),
        ("token_use", "id"),
        ("typ", "Refresh"),
        ("type", "refresh"),
    ] {
        let outcome = from_site(with(claim, json!(kind)), &demands());
        assert!(matches!(outcome, Err(TokenError::Kind(_))), "{claim} {kind}: {outcome:?}");
    }
    for (claim, kind) in [("token_type", "access"), ("token_type", "Bearer"), ("typ", "Bearer")] {
        assert!(from_site(with(claim, json!(kind)), &demands()).is_ok(), "{claim} {kind}");
    }
}

#[test]
fn nobody_outside_speaks_for_this_server() {
    for claims in [good(), with("iss", json!("")), with("iss", Value::Null)] {
        assert_ne!(from_site(claims, &demands()).unwrap().issuer, "");
    }
    assert_eq!(from_site(with("iss", json!("site")), &demands()).unwrap().issuer, "site");
}

#[test]
fn a_configured_issuer_must_be_named() {
    let demands = Demands { issuer: Some("site".into()), ..demands() };
    assert!(from_site(with("iss", json!("site")), &demands).is_ok());
    assert_eq!(wrong_claim(from_site(good(), &demands)), "iss");
    assert_eq!(wrong_claim(from_site(with("iss", json!("other")), &demands)), "iss");
}

#[test]
fn a_token_for_somebody_else_is_not_taken() {
    let ours = Demands { audience: Some("hub".into()), ..demands() };
    assert!(from_site(with("aud", json!("hub")), &ours).is_ok());
    assert!(from_site(with("aud", json!(["shop", "hub"])), &ours).is_ok());
    for (claims, demands) in [
        (good(), &ours),
        (with("aud", json!("shop")), &ours),
        (with("aud", json!(["shop"])), &ours),
        (with("aud", json!("shop")), &demands()),
    ] {
        assert_eq!(wrong_claim(from_site(claims.clone(), demands)), "aud", "{claims}");
    }
}

#[test]
fn what_is_no_jwt_is_malformed() {
    let dots = ".".repeat(100);
    for text in
        ["", "x", "..", "a.b", "a.b.c.d", "e30.e30.", "W10.e30.AA", "bm8.e30.AA", "=.=.=", &dots, "ü.ü.ü"]
    {
        assert!(matches!(Unverified::read(text), Err(TokenError::Malformed(_))), "{text:?}");
    }
    let claims_are_a_list =
        sign(Algorithm::HS256, None, &EncodingKey::from_secret(&STORE_SECRET), &json!([1]));
    assert!(matches!(own(&claims_are_a_list), Err(TokenError::Malformed(_))));
}

#[test]
fn a_token_may_not_be_huge() {
    let huge = site_token(&with("note", json!("n".repeat(MAX_TOKEN_BYTES))));
    assert!(matches!(Unverified::read(&huge), Err(TokenError::TooLong)));
}

fn with_header(header: &Value, signature: &str) -> String {
    let [header, claims] = [header, &good()].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{signature}")
}

#[test]
fn none_and_unknown_algorithms_are_refused() {
    for algorithm in ["none", "None", "NONE", "HS384", "RS512", "ES384", "PS256", "hs256", ""] {
        for signature in ["", "AA"] {
            let token = with_header(&json!({"alg": algorithm}), signature);
            assert_eq!(Unverified::read(&token).unwrap_err(), TokenError::Algorithm(algorithm.into()));
        }
    }
}

#[test]
fn a_header_that_demands_more_is_refused() {
    let token = with_header(&json!({"alg": "HS256", "crit": ["b64"], "b64": false}), "AA");
    assert!(matches!(Unverified::read(&token), Err(TokenError::Malformed(_))));
    let token = with_header(&json!({"alg": "HS256", "typ": "logout+jwt"}), "AA");
    assert_eq!(Unverified::read(&token).unwrap_err(), TokenError::Kind("logout+jwt".into()));
}

#[test]
fn each_changed_byte_spoils_the_signature() {
    let token = Signer::new(&STORE_SECRET).sign(&own_claims());
    let signature = token.rfind('.').unwrap();
    for at in [0, 10, token.find('.').unwrap() + 3, signature - 1, signature + 1, signature + 20] {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(!matches!(own(&changed), Ok(Some(_))), "{changed}");
    }
}

#[test]
fn a_jwks_takes_the_three_algorithms_by_key_id() {
    let keys = KeySet::from_jwks(JWKS.as_bytes()).unwrap();
    for (algorithm, id, key) in [
        (Algorithm::RS256, "rsa-1", rsa()),
        (Algorithm::ES256, "ec-1", ec()),
        (Algorithm::EdDSA, "ed-1", ed()),
    ] {
        for id in [Some(id), None] {
            let token = sign(algorithm, id, &key, &good());
            let claims = signed_by(&keys, &token).unwrap().outside(&demands(), NOW).unwrap();
            assert_eq!(claims.subject, "42", "{algorithm:?} {id:?}");
        }
        let foreign = sign(algorithm, Some("other"), &key, &good());
        assert_eq!(signed_by(&keys, &foreign).unwrap_err(), TokenError::UnknownKey, "{algorithm:?}");
        let [one, other] = ["42", "43"].map(|sub| sign(algorithm, None, &key, &with("sub", json!(sub))));
        let [(message, _), (_, signature)] = [&one, &other].map(|token| token.rsplit_once('.').unwrap());
        let swapped = format!("{message}.{signature}");
        assert_eq!(signed_by(&keys, &swapped).unwrap_err(), TokenError::Signature, "{algorithm:?}");
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    for pem in [RSA_PUBLIC, EC_PUBLIC, ED_PUBLIC] {
        let keys: KeySet = [Key::from_file(pem.as_bytes()).unwrap()].into_iter().collect();
        for secret in [pem, pem.trim()] {
            let forged = sign(Algorithm::HS256, None, &EncodingKey::from_secret(secret.as_bytes()), &good());
            assert_eq!(signed_by(&keys, &forged).unwrap_err(), TokenError::UnknownKey);
        }
    }
}

#[test]
fn key_files_hold_a_public_key_or_a_secret() {
    for (pem, algorithm, key) in [
        (RSA_PUBLIC, Algorithm::RS256, rsa()),
        (EC_PUBLIC, Algorithm::ES256, ec()),
        (ED_PUBLIC, Algorithm::EdDSA, ed()),
    ] {
        let read = Key::from_file(pem.as_bytes()).unwrap();
        assert_eq!(read.algorithm(), algorithm);
        let keys: KeySet = [read].into_iter().collect();
        assert!(signed_by(&keys, &sign(algorithm, None, &key, &good())).is_ok(), "{algorithm:?}");
    }
    let keys: KeySet = [Key::from_file(format!("{SITE_SECRET}\n").as_bytes()).unwrap()].into_iter().collect();
    assert!(signed_by(&keys, &site_token(&good())).is_ok());
    for bad in ["", " \n", ED_PRIVATE, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        assert_eq!(Key::from_file(bad.as_bytes()).unwrap_err(), KeyError::NotAKey, "{bad}");
    }
}

#[test]
fn keys_of_no_use_are_passed_over() {
    let useless = [
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        json!({"kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "RSA", "n": "AAAA", "e": "AQAB"}),
        json!({"kty": "new", "x": 7}),
        json!("text"),
    ];
    let set = |keys: &[Value]| KeySet::from_jwks(json!({"keys": keys}).to_string().as_bytes());
    assert_eq!(set(&useless).unwrap_err(), KeyError::NoKey);
    let good: Value = serde_json::from_str(JWKS).unwrap();
    let encryption_only = {
        let mut key = good["keys"][0].clone();
        key["use"] = json!("enc");
        key
    };
    assert_eq!(set(&[encryption_only]).unwrap_err(), KeyError::NoKey);
    let mixed: Vec<Value> = useless.iter().chain(good["keys"].as_array().unwrap()).cloned().collect();
    let keys = set(&mixed).unwrap();
    assert!(signed_by(&keys, &sign(Algorithm::EdDSA, Some("ed-1"), &ed(), &self::good())).is_ok());
    for bad in ["", "[]", "{}", r#"{"keys": 7}"#] {
        assert!(matches!(KeySet::from_jwks(bad.as_bytes()), Err(KeyError::NotJwks(_))), "{bad}");
    }
}
