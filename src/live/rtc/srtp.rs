//! SRTP and SRTCP (RFC 3711, RFC 7714): packets of one peer sealed and opened in place.
//!
//! Owns keys, roll-over counters, SRTCP indices and replay windows. Allocates nothing for a packet, and a packet that
//! does not authenticate changes nothing.

mod cipher;
mod header;
mod index;
mod open;
mod seal;
#[cfg(test)]
mod tests;

pub use open::{OpenError, Opener};
pub use seal::{SealError, Sealer};

use std::fmt;

/// Bytes to leave free behind a plain packet, so that any profile can seal it in place: a tag of 16 and an SRTCP index of 4.
pub const SEAL_ROOM: usize = 20;

/// How packets are protected (RFC 5764, RFC 7714).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`
    Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`
    CounterMode,
}

impl Profile {
    /// Bytes that an SRTP packet is longer than its plain form.
    pub fn rtp_overhead(self) -> usize {
        match self {
            Self::Gcm => 16,
            Self::CounterMode => 10,
        }
    }

    /// Bytes that an SRTCP packet is longer than its plain form.
    pub fn rtcp_overhead(self) -> usize {
        self.rtp_overhead() + 4
    }

    fn salt_len(self) -> usize {
        match self {
            Self::Gcm => 12,
            Self::CounterMode => 14,
        }
    }

    /// Bytes of keying material to export from DTLS for it (RFC 5764, section 4.2).
    pub fn material_len(self) -> usize {
        2 * (MASTER_KEY + self.salt_len())
    }
}

/// Bytes of a master key; both profiles have AES-128.
const MASTER_KEY: usize = 16;

/// A master key with its salt, padded with zeroes to 14 bytes where the profile has fewer.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    key: [u8; MASTER_KEY],
    salt: [u8; 14],
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MasterKey(..)")
    }
}

/// What a finished handshake gives: how and with which keys packets are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// Which profile.
    pub profile: Profile,
    /// Seals what this side sends.
    pub local: MasterKey,
    /// Opens what the peer sends.
    pub remote: MasterKey,
}

impl SrtpKeys {
    /// Splits exported keying material by RFC 5764, section 4.2: both keys, then both salts, the DTLS client's first.
    /// None where it is not [`Profile::material_len`] long.
    pub fn from_material(profile: Profile, material: &[u8], is_dtls_client: bool) -> Option<Self> {
        if material.len() != profile.material_len() {
            return None;
        }
        let (keys, salts) = material.split_at(2 * MASTER_KEY);
        let (client_key, server_key) = keys.split_at(MASTER_KEY);
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        let client = MasterKey::new(client_key, client_salt);
        let server = MasterKey::new(server_key, server_salt);
        let (local, remote) = if is_dtls_client { (client, server) } else { (server, client) };
        Some(Self { profile, local, remote })
    }
}

impl MasterKey {
    fn new(key: &[u8], salt: &[u8]) -> Self {
        let mut master = Self { key: [0; MASTER_KEY], salt: [0; 14] };
        master.key.copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt);
        master
    }
}
