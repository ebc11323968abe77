//! Which protocol a datagram is of, by its first byte (RFC 7983), and for RTP its second (RFC 5761).
//!
//! Pure, and says nothing of whose it is: `ice` knows by user name, the shard by address.

/// What a datagram on the one port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// STUN: a check of a peer's address.
    Stun,
    /// DTLS: a handshake, or a goodbye.
    Dtls,
    /// SRTP: media.
    Rtp,
    /// SRTCP: reports and requests.
    Rtcp,
}

/// The shortest datagram that any of them can be: an RTCP header with its sender.
const SHORTEST: usize = 8;

/// What a datagram is; none for what is dropped (ZRTP, TURN channels, QUIC, garbage).
pub fn packet(datagram: &[u8]) -> Option<Packet> {
    if datagram.len() < SHORTEST {
        return None;
    }
    match datagram[0] {
        0..=3 => Some(Packet::Stun),
        20..=63 => Some(Packet::Dtls),
        // RFC 5761, section 4: payload types 64-95 are RTCP's 192-223 without their highest bit.
        128..=191 if (192..=223).contains(&datagram[1]) => Some(Packet::Rtcp),
        128..=191 => Some(Packet::Rtp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_protocol() {
        let first = |byte: u8| packet(&[byte, 96, 0, 0, 0, 0, 0, 0]);
        for byte in 0..=255u8 {
            let expected = match byte {
                0..=3 => Some(Packet::Stun),
                20..=63 => Some(Packet::Dtls),
                128..=191 => Some(Packet::Rtp),
                _ => None,
            };
            assert_eq!(first(byte), expected, "{byte}");
        }
    }

    #[test]
    fn a_marked_payload_is_no_report() {
        assert_eq!(packet(&[0x80, 200, 0, 0, 0, 0, 0, 0]), Some(Packet::Rtcp));
        assert_eq!(packet(&[0x80, 207, 0, 0, 0, 0, 0, 0]), Some(Packet::Rtcp));
        assert_eq!(packet(&[0x80, 0x80 | 96, 0, 0, 0, 0, 0, 0]), Some(Packet::Rtp), "marker and type 96");
        assert_eq!(packet(&[0x80, 0x80 | 111, 0, 0, 0, 0, 0, 0]), Some(Packet::Rtp), "marker and type 111");
    }

    #[test]
    fn what_is_too_short_is_nothing() {
        assert_eq!(packet(&[]), None);
        assert_eq!(packet(&[0x80; 7]), None);
    }
}
