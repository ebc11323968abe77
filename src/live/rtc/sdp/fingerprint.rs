//! Certificate fingerprints (RFC 8122, section 5).

use sha2::{Digest, Sha256, Sha384, Sha512};

/// A hash function that a fingerprint may be made with. SHA-1 and SHA-224 are left out: RFC 8122 asks every endpoint
/// for SHA-256, so nobody needs the weaker ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// The hash of a DER certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    hash: Hash,
    digest: Vec<u8>,
}

impl Fingerprint {
    /// The SHA-256 fingerprint of a DER certificate.
    pub fn sha256(certificate: &[u8]) -> Self {
        Self { hash: Hash::Sha256, digest: Sha256::digest(certificate).to_vec() }
    }

    /// Whether a DER certificate has this fingerprint.
    pub fn matches(&self, certificate: &[u8]) -> bool {
        match self.hash {
            Hash::Sha256 => Sha256::digest(certificate)[..] == self.digest,
            Hash::Sha384 => Sha384::digest(certificate)[..] == self.digest,
            Hash::Sha512 => Sha512::digest(certificate)[..] == self.digest,
        }
    }
}
