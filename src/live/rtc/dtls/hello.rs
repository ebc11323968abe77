//! The client's first message, put together from its pieces to see which SRTP profiles it offers.
//!
//! The library takes the first of the client's profiles that it knows, and browsers put the slower one first. So the whole
//! message is read before: where it offers GCM, nothing else is agreed to. It may come in fragments, in any order.

use super::PROFILES;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;

/// Datagrams that a first message may come in.
const PIECES: usize = 16;

/// The longest first message; Chromium's with a post-quantum key share has 1.5 KiB.
const LONGEST: usize = 8 * 1024;

const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const USE_SRTP: u16 = 14;
const AEAD_AES_128_GCM: u16 = 7;

/// What has come of it.
#[derive(Default)]
pub(super) struct Hello {
    datagrams: Vec<Vec<u8>>,
    body: Vec<u8>,
    /// Ranges of `body` that have come.
    parts: Vec<(usize, usize)>,
}

/// What to agree to, and the datagrams to begin with.
type Complete = (&'static [SrtpProtectionProfile], Vec<Vec<u8>>);

impl Hello {
    /// Takes a datagram. Once the message is complete, or cannot be understood, answers all of them.
    pub(super) fn take(&mut self, datagram: &[u8]) -> Option<Complete> {
        self.datagrams.push(datagram.to_vec());
        let profiles = match self.read(datagram) {
            Some(()) if !self.is_complete() && self.datagrams.len() < PIECES => return None,
            Some(()) if self.is_complete() && offers_gcm(&self.body).unwrap_or(false) => &PROFILES[..1],
            _ => &PROFILES[..],
        };
        Some((profiles, std::mem::take(&mut self.datagrams)))
    }

    /// Notes the fragments in a datagram; none where it is not a piece of a first message.
    fn read(&mut self, mut datagram: &[u8]) -> Option<()> {
        while !datagram.is_empty() {
            let header = datagram.get(..RECORD_HEADER)?;
            let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
            let mut record = datagram.get(RECORD_HEADER..RECORD_HEADER + len)?;
            if header[0] != HANDSHAKE {
                return None;
            }
            while !record.is_empty() {
                let message = record.get(..MESSAGE_HEADER)?;
                let (total, offset, len) = (u24(&message[1..]), u24(&message[6..]), u24(&message[9..]));
                let fragment = record.get(MESSAGE_HEADER..MESSAGE_HEADER + len)?;
                if message[0] != CLIENT_HELLO || total > LONGEST || offset + len > total {
                    return None;
                }
                if self.body.is_empty() {
                    self.body.resize(total, 0);
                }
                self.body.get_mut(offset..offset + len)?.copy_from_slice(fragment);
                self.parts.push((offset, offset + len));
                record = &record[MESSAGE_HEADER + len..];
            }
            datagram = &datagram[RECORD_HEADER + len..];
        }
        Some(())
    }

    fn is_complete(&self) -> bool {
        let mut parts = self.parts.clone();
        parts.sort_unstable();
        let reached =
            parts.iter().try_fold(0, |reached, &(from, to)| (from <= reached).then_some(reached.max(to)));
        !self.body.is_empty() && reached == Some(self.body.len())
    }
}

/// Whether a ClientHello's `use_srtp` (RFC 5764, section 4.1.1) names the profile.
fn offers_gcm(hello: &[u8]) -> Option<bool> {
    // Version and random, then session, cookie, ciphers and compressions, each with its length before it.
    let mut rest = hello.get(34..)?;
    for width in [1, 1, 2, 1] {
        (_, rest) = counted(rest, width)?;
    }
    let (mut extensions, _) = counted(rest, 2)?;
    while !extensions.is_empty() {
        let kind = u16::from_be_bytes([*extensions.first()?, *extensions.get(1)?]);
        let (body, after) = counted(&extensions[2..], 2)?;
        if kind == USE_SRTP {
            let (profiles, _) = counted(body, 2)?;
            return Some(profiles.chunks_exact(2).any(|two| two == AEAD_AES_128_GCM.to_be_bytes()));
        }
        extensions = after;
    }
    None
}

/// Splits off what is behind a length of `width` bytes.
fn counted(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let len = bytes.get(..width)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
    bytes[width..].split_at_checked(len)
}

fn u24(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
}
