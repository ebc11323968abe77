//! Stream keys: what lets an encoder in.
//!
//! Pure. The key of one live is made from the server's secret, the live and a generation, so that nothing of it is kept and
//! raising the generation kills it. A lasting key is random and kept as a hash alone.

use crate::store::live_keys::{KeyHash, LastEnd};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use communiconnect_protocol::{LiveId, LiveReason, StreamKey};
use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::{Digest, Sha256};

/// Before the key of one live.
const OF_LIVE: &str = "live_";
/// Before a lasting key.
const LASTING: &str = "key_";
/// Bytes of a key's code: 192 bits cannot be guessed.
const CODE: usize = 24;

/// What an encoder shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The key of a live, genuine or not.
    OfLive(LiveId),
    /// A lasting one, by its hash.
    Lasting(KeyHash),
}

/// Makes and checks the keys of lives.
pub struct KeyMint {
    secret: [u8; 32],
}

impl KeyMint {
    /// On the store's secret, which all its nodes share.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The key of a live in this generation.
    pub fn key(&self, live: LiveId, generation: u64) -> StreamKey {
        let code = self.code(live, generation).finalize().into_bytes();
        let mut bytes = live.as_bytes().to_vec();
        bytes.extend_from_slice(&code[..CODE]);
        StreamKey(format!("{OF_LIVE}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Whether the key opens the live in this generation. Takes the same time whatever is wrong with it.
    pub fn opens(&self, key: &str, live: LiveId, generation: u64) -> bool {
        let Some((shown, code)) = of_live(key) else { return false };
        shown == live && self.code(live, generation).verify_truncated_left(&code).is_ok()
    }

    fn code(&self, live: LiveId, generation: u64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(b"stream key");
        mac.update(live.as_bytes());
        mac.update(&generation.to_be_bytes());
        mac
    }
}

/// A new lasting key, with the hash to keep.
pub fn lasting_key() -> (StreamKey, KeyHash) {
    let random: [u8; 32] = rand::rng().random();
    let key = format!("{LASTING}{}", URL_SAFE_NO_PAD.encode(random));
    let hash = Sha256::digest(&key).into();
    (StreamKey(key), hash)
}

/// What a text that came as a key is; none for text that never was one.
pub fn shown(key: &str) -> Option<Shown> {
    if key.starts_with(LASTING) {
        return Some(Shown::Lasting(Sha256::digest(key).into()));
    }
    of_live(key).map(|(live, _)| Shown::OfLive(live))
}

fn of_live(key: &str) -> Option<(LiveId, [u8; CODE])> {
    let mut bytes = [0; 16 + CODE];
    let length = URL_SAFE_NO_PAD.decode_slice(key.strip_prefix(OF_LIVE)?, &mut bytes).ok()?;
    if length != bytes.len() {
        return None;
    }
    let (live, code) = bytes.split_first_chunk::<16>()?;
    Some((LiveId::from_bytes(*live), code.try_into().ok()?))
}

/// How long a lasting key opens nothing: an encoder reconnects by itself and would begin a new live behind the back of whoever
/// has just ended the last one. Not where its user had pressed Stop before.
const KEY_RESTS_MS: i64 = 60_000;

/// For how many milliseconds yet a lasting key starts no new live, given how the person's last one ended.
pub fn key_rests(last: &LastEnd, now_ms: i64) -> Option<u64> {
    let is_wanted = matches!(last.reason, LiveReason::Stopped | LiveReason::Banned | LiveReason::Limit);
    let left = last.at.saturating_add(KEY_RESTS_MS).saturating_sub(now_ms).min(KEY_RESTS_MS);
    let left = u64::try_from(left).unwrap_or(0);
    (is_wanted && !last.encoder_left && left > 0).then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_its_own_live_in_its_own_generation() {
        let (mint, live, other) = (KeyMint::new([7; 32]), LiveId::new(1_000), LiveId::new(2_000));
        let key = mint.key(live, 1).0;
        assert_eq!(key, mint.key(live, 1).0, "made again, it is the same");
        assert!(mint.opens(&key, live, 1));
        assert!(!mint.opens(&key, live, 2) && !mint.opens(&key, other, 1));
        assert!(!KeyMint::new([8; 32]).opens(&key, live, 1), "another server's");
        assert_eq!(shown(&key), Some(Shown::OfLive(live)));
        for place in 0..key.len() {
            let mut forged = key.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert!(!mint.opens(&forged, live, 1), "{forged}");
        }
    }

    #[test]
    fn lasting_keys_differ_and_are_known_by_their_hash() {
        let ((one, hash), (other, _)) = (lasting_key(), lasting_key());
        assert_ne!(one, other);
        assert_eq!(shown(&one.0), Some(Shown::Lasting(hash)));
        assert!(one.0.len() < 64);
    }

    #[test]
    fn a_lasting_key_rests_after_a_stop_unless_its_encoder_had_left() {
        let last = LastEnd { reason: LiveReason::Stopped, at: 1_000_000, encoder_left: false };
        assert_eq!(key_rests(&last, 1_000_000), Some(60_000));
        assert_eq!(key_rests(&last, 1_059_999), Some(1));
        assert_eq!(key_rests(&last, 1_060_000), None);
        assert_eq!(
            key_rests(&last, 900_000),
            Some(60_000),
            "a clock that went back locks nobody out for long"
        );
        assert_eq!(key_rests(&LastEnd { encoder_left: true, ..last }, 1_000_000), None);
        for reason in [LiveReason::Timeout, LiveReason::NoMedia, LiveReason::Lost] {
            assert_eq!(key_rests(&LastEnd { reason, ..last }, 1_000_000), None, "{reason:?}");
        }
    }

    #[test]
    fn other_text_is_no_key() {
        for text in ["", "live_", "live_AAAA", "Bearer", "live_🙂", &format!("live_{}", "A".repeat(1_000))]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
