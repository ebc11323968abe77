//! Certificate fingerprints (RFC 8122, section 5).

use std::fmt;

use sha2::{Digest, Sha256, Sha384, Sha512};

/// Fingerprints kept of one offer: one for each hash of each of a few certificates.
pub(super) const MAX_FINGERPRINTS: usize = 8;

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

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// As SDP names it.
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Bytes of its digest.
    fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
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

    /// Reads the value of `a=fingerprint`. `None` when the hash is unknown or not trusted, or the digest is not one.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (name, digits) = value.trim().split_once(' ')?;
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let digest: Vec<u8> = digits
            .trim()
            .split(':')
            .take(hash.length() + 1)
            .map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2))
            .collect::<Option<_>>()?;
        (digest.len() == hash.length()).then_some(Self { hash, digest })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ", self.hash.name())?;
        for (place, byte) in self.digest.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(out, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_matches_its_certificate_alone() {
        let ours = Fingerprint::sha256(b"a certificate");
        assert_eq!(Fingerprint::parse(&ours.to_string()), Some(ours.clone()));
        assert!(ours.matches(b"a certificate"));
        assert!(!ours.matches(b"another"));
    }

    #[test]
    fn stronger_hashes_are_taken_too() {
        let digits =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
        let long = format!("SHA-512 {}", digits(&Sha512::digest(b"x")));
        assert!(Fingerprint::parse(&long).unwrap().matches(b"x"));
        let middle = format!("sha-384 {}", digits(&Sha384::digest(b"x")));
        assert!(Fingerprint::parse(&middle).unwrap().matches(b"x"));
    }

    #[test]
    fn weak_hashes_and_wrong_digests_are_not() {
        let right = Fingerprint::sha256(b"x").to_string();
        let weak = "sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33".to_owned();
        let short = right[..right.len() - 3].to_owned();
        let long = format!("{right}:00");
        let signed = right.replace("sha-256 ", "sha-256 +");
        for text in [weak, short, long, signed, String::new(), "sha-256".into(), right.replace(':', "")] {
            assert_eq!(Fingerprint::parse(&text), None, "{text:?}");
        }
    }
}
