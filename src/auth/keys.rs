//! Keys that tokens are checked with: each bound to its one algorithm, so that none can be used as something else.

use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;

/// Keys of one set that are looked at; an issuer has two or three.
pub(super) const MAX_KEYS: usize = 64;

/// One key with the one algorithm that it is for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why a key is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    /// Not JSON with `keys`.
    #[error("this is no JWKS (RFC 7517): {0}")]
    NotJwks(String),
    /// No key of a kind that is taken.
    #[error("there is no signing key for RS256, ES256 or EdDSA in it")]
    NoKey,
    /// Nothing that is read here.
    #[error("this is neither a public RSA, P-256 or Ed25519 key in PEM nor a secret for HS256")]
    NotAKey,
}

impl Key {
    /// A shared secret for HS256.
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self { id: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) }
    }

    /// What a key file holds: one public key as PEM, or else the bytes of a shared secret, without the line end.
    pub(super) fn from_file(bytes: &[u8]) -> Result<Self, KeyError> {
        if !bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            let secret = bytes.trim_ascii();
            return if secret.is_empty() { Err(KeyError::NotAKey) } else { Ok(Self::secret(secret)) };
        }
        // A private key would read as a public one that nothing is ever signed with.
        if bytes.windows(b"PRIVATE".len()).any(|window| window == b"PRIVATE") {
            return Err(KeyError::NotAKey);
        }
        let readings = [
            (Algorithm::RS256, DecodingKey::from_rsa_pem(bytes)),
            (Algorithm::ES256, DecodingKey::from_ec_pem(bytes)),
            (Algorithm::EdDSA, DecodingKey::from_ed_pem(bytes)),
        ];
        let mut keys = readings.into_iter().filter_map(|(algorithm, key)| Some((algorithm, key.ok()?)));
        let (algorithm, key) =
            keys.find(|(algorithm, key)| fits(*algorithm, key)).ok_or(KeyError::NotAKey)?;
        Ok(Self { id: None, algorithm, key })
    }

    /// The one algorithm.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` (base64url) is this key's of `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.key, self.algorithm).unwrap_or(false)
    }
}

/// Keys of an issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JWKS (RFC 7517 §5). Keys of other kinds, for encryption or broken are passed over; shared secrets too,
    /// since what is published is none.
    pub(super) fn from_jwks(json: &[u8]) -> Result<Self, KeyError> {
        let set: Jwks = serde_json::from_slice(json).map_err(|error| KeyError::NotJwks(error.to_string()))?;
        let keys: Vec<Key> = set.keys.into_iter().take(MAX_KEYS).filter_map(public_key).collect();
        if keys.is_empty() { Err(KeyError::NoKey) } else { Ok(Self { keys }) }
    }

    /// Keys that may have signed a token: of its algorithm, and with its key id where it names one.
    pub(super) fn candidates(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| {
            key.algorithm == algorithm
                && match (id, key.id.as_deref()) {
                    (Some(wanted), Some(id)) => wanted == id,
                    (None, _) | (Some(_), None) => true,
                }
        })
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

impl IntoIterator for KeySet {
    type Item = Key;
    type IntoIter = std::vec::IntoIter<Key>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.into_iter()
    }
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

fn public_key(json: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(json).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|wanted| *wanted != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    if jwk.common.key_algorithm.is_some_and(|named| named.to_string() != format!("{algorithm:?}")) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|key| fits(algorithm, key))?;
    Some(Key { id: jwk.common.key_id, algorithm, key })
}

/// Whether the key's bytes are of a length that the algorithm can have: the verifier takes it for granted. The smallest
/// RSA modulus is that of RFC 7518 §3.3.
fn fits(algorithm: Algorithm, key: &DecodingKey) -> bool {
    const P256_POINT: usize = 65;
    const ED25519_KEY: usize = 32;
    const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
    match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => RSA_BYTES.contains(&n.len()),
        (Algorithm::RS256, DecodingKeyKind::SecretOrDer(der)) => der.len() > *RSA_BYTES.start(),
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => point.len() == P256_POINT,
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(bytes)) => bytes.len() == ED25519_KEY,
        _ => false,
    }
}
