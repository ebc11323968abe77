//! Proof of content: the end of every payload says which piece it is, when it left, and a checksum of all before it.

use std::time::Duration;

/// Bytes at the end of a payload.
pub const MARKER: usize = 28;

const MAGIC: u32 = 0xcc10_ad17;

/// What the end of a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Which frame, from 0.
    pub frame: u32,
    /// Which packet of the frame, from 0.
    pub part: u16,
    /// Packets of the frame.
    pub parts: u16,
    /// Whether decoding can start with this frame.
    pub key: bool,
    /// When it was sent, since the start of the run.
    pub sent: Duration,
}

impl Marker {
    /// Appends the marker to `payload`; the checksum covers it from `from` on: what lies before may be rewritten on the way.
    pub fn write(&self, payload: &mut Vec<u8>, from: usize) {
        payload.extend_from_slice(&MAGIC.to_be_bytes());
        payload.extend_from_slice(&self.frame.to_be_bytes());
        payload.extend_from_slice(&self.part.to_be_bytes());
        payload.extend_from_slice(&self.parts.to_be_bytes());
        payload.extend_from_slice(&u32::from(self.key).to_be_bytes());
        payload.extend_from_slice(&(self.sent.as_micros() as u64).to_be_bytes());
        let checksum = crc32fast::hash(&payload[from..]);
        payload.extend_from_slice(&checksum.to_be_bytes());
    }

    /// Reads the marker of a payload whose first `from` bytes may have been rewritten; none where a byte was altered.
    pub fn read(payload: &[u8], from: usize) -> Option<Self> {
        let content = payload.get(from..)?;
        let (signed, checksum) = content.split_last_chunk::<4>()?;
        if crc32fast::hash(signed) != u32::from_be_bytes(*checksum) {
            return None;
        }
        let (_, fields) = signed.split_last_chunk::<24>()?;
        let word =
            |at: usize| u32::from_be_bytes([fields[at], fields[at + 1], fields[at + 2], fields[at + 3]]);
        if word(0) != MAGIC {
            return None;
        }
        let sent = u64::from(word(16)) << 32 | u64::from(word(20));
        Some(Self {
            frame: word(4),
            part: (word(8) >> 16) as u16,
            parts: word(8) as u16,
            key: word(12) == 1,
            sent: Duration::from_micros(sent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_altered_byte_is_noticed_and_a_rewritten_head_is_not() {
        let marker =
            Marker { frame: 7, part: 1, parts: 3, key: true, sent: Duration::from_micros(123_456_789) };
        let mut payload = vec![1, 2, 3, 4, 5, 6];
        marker.write(&mut payload, 2);
        assert_eq!(payload.len(), 6 + MARKER);
        payload[0] = 99;
        assert_eq!(Marker::read(&payload, 2), Some(marker));
        payload[3] = 99;
        assert_eq!(Marker::read(&payload, 2), None);
        assert_eq!(Marker::read(&payload[..5], 2), None);
    }
}
