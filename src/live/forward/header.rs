//! Writing the header of an outgoing RTP packet (RFC 3550 5.1) with a viewer's extension ids (RFC 8285, one-byte form).
//!
//! Owns the layout. What the fields hold is decided elsewhere; the same fields always give the same bytes, which is
//! what lets a packet be repeated byte for byte.

use crate::live::media::ExtensionIds;

/// Longest header written here: the fixed part, the extension's own header, and every extension with a MID of 16 bytes.
pub const MAX_HEADER: usize = 12 + 4 + 28;

/// Longest value of a one-byte extension (RFC 8285 4.2).
const MAX_VALUE: usize = 16;

/// The fields of one outgoing packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Payload type, 7 bits.
    pub payload_type: u8,
    /// Last packet of a frame.
    pub marker: bool,
    /// Whether padding follows the payload (its last byte says how much).
    pub padding: bool,
    /// Sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// Loudness as the publisher measured it (RFC 6464), passed on where the viewer knows the extension.
    pub audio_level: Option<u8>,
    /// Rotation of the camera (3GPP TS 26.114), passed on where the viewer knows the extension.
    pub orientation: Option<u8>,
    /// Present where this packet is counted for transport-wide congestion control.
    pub stamp: Option<Stamp>,
}

/// What changes each time that bytes leave, never part of a packet that may be repeated byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number for transport-wide congestion control.
    pub transport_sequence: u16,
    /// Send time in seconds as 6.18 fixed point.
    pub abs_send_time: u32,
}

/// Writes headers for one track of one viewer.
#[derive(Clone, Debug)]
pub struct HeaderWriter {
    ids: ExtensionIds,
    mid: Box<[u8]>,
}

impl HeaderWriter {
    /// Headers with these extension ids. A `mid` that does not fit a one-byte extension is left out: the SSRC is in the
    /// answer as well.
    pub fn new(ids: ExtensionIds, mid: &str) -> Self {
        let fits = (1..=MAX_VALUE).contains(&mid.len());
        let mid = if fits && ids.mid.is_some() { mid.as_bytes().into() } else { Box::default() };
        Self { ids, mid }
    }

    /// Writes the header into `buffer` and returns it.
    pub fn write<'a>(&self, fields: &Fields, buffer: &'a mut [u8; MAX_HEADER]) -> &'a [u8] {
        buffer[0] = 0x80 | u8::from(fields.padding) << 5;
        buffer[1] = fields.payload_type & 0x7f | u8::from(fields.marker) << 7;
        buffer[2..4].copy_from_slice(&fields.sequence.to_be_bytes());
        buffer[4..8].copy_from_slice(&fields.timestamp.to_be_bytes());
        buffer[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());

        let mut end = 16;
        if let Some(id) = self.ids.mid.filter(|_| !self.mid.is_empty()) {
            end = put(buffer, end, id, &self.mid);
        }
        if let Some(stamp) = fields.stamp {
            if let Some(id) = self.ids.abs_send_time {
                end = put(buffer, end, id, &stamp.abs_send_time.to_be_bytes()[1..]);
            }
            if let Some(id) = self.ids.transport_cc {
                end = put(buffer, end, id, &stamp.transport_sequence.to_be_bytes());
            }
        }
        if let (Some(id), Some(level)) = (self.ids.audio_level, fields.audio_level) {
            end = put(buffer, end, id, &[level]);
        }
        if let (Some(id), Some(orientation)) = (self.ids.video_orientation, fields.orientation) {
            end = put(buffer, end, id, &[orientation]);
        }
        if end == 16 {
            return &buffer[..12];
        }
        while end % 4 != 0 {
            buffer[end] = 0;
            end += 1;
        }
        buffer[0] |= 0x10;
        buffer[12..14].copy_from_slice(&[0xbe, 0xde]);
        let words = u16::try_from((end - 16) / 4).expect("the header is at most 44 bytes long");
        buffer[14..16].copy_from_slice(&words.to_be_bytes());
        &buffer[..end]
    }
}

/// Appends one element and returns where the next begins.
fn put(buffer: &mut [u8; MAX_HEADER], at: usize, id: u8, value: &[u8]) -> usize {
    let length = u8::try_from(value.len() - 1).expect("a one-byte extension holds 1-16 bytes");
    buffer[at] = id << 4 | length;
    buffer[at + 1..at + 1 + value.len()].copy_from_slice(value);
    at + 1 + value.len()
}

#[cfg(test)]
mod tests {
    use rtc_rtp::packet::Packet;
    use rtc_shared::marshal::Unmarshal;

    use super::*;

    fn all() -> ExtensionIds {
        ExtensionIds {
            mid: Some(1),
            rid: None,
            repaired_rid: None,
            abs_send_time: Some(3),
            transport_cc: Some(4),
            audio_level: Some(5),
            playout_delay: None,
            video_orientation: Some(14),
        }
    }

    fn fields() -> Fields {
        Fields {
            payload_type: 96,
            marker: true,
            sequence: 0xfffe,
            timestamp: 0x8000_0001,
            ssrc: 7,
            audio_level: Some(0x85),
            orientation: Some(1),
            stamp: Some(Stamp { transport_sequence: 0x1234, abs_send_time: 0x00ab_cdef }),
            ..Fields::default()
        }
    }

    #[test]
    fn another_implementation_reads_what_is_written() {
        let mut buffer = [0xff; MAX_HEADER];
        let writer = HeaderWriter::new(all(), "a-mid-of-16-byte");
        let bytes = writer.write(&fields(), &mut buffer).to_vec();
        assert_eq!(bytes.len(), MAX_HEADER, "the longest there is");

        let header = Packet::unmarshal(&mut bytes::Bytes::from(bytes)).unwrap().header;
        assert_eq!((header.payload_type, header.marker, header.sequence_number), (96, true, 0xfffe));
        assert_eq!((header.timestamp, header.ssrc), (0x8000_0001, 7));
        assert_eq!(header.get_extension(1).unwrap(), b"a-mid-of-16-byte"[..]);
        assert_eq!(header.get_extension(3).unwrap(), [0xab, 0xcd, 0xef][..]);
        assert_eq!(header.get_extension(4).unwrap(), [0x12, 0x34][..]);
        assert_eq!(header.get_extension(5).unwrap(), [0x85][..]);
        assert_eq!(header.get_extension(14).unwrap(), [1][..]);
    }

    #[test]
    fn without_extensions_the_header_is_bare() {
        let mut buffer = [0; MAX_HEADER];
        assert_eq!(HeaderWriter::new(ExtensionIds::default(), "0").write(&fields(), &mut buffer).len(), 12);
        let unstamped = Fields { stamp: None, audio_level: None, orientation: None, ..fields() };
        let ids = ExtensionIds { mid: None, ..all() };
        assert_eq!(HeaderWriter::new(ids, "0").write(&unstamped, &mut buffer).len(), 12);
    }

    #[test]
    fn a_mid_that_does_not_fit_is_left_out() {
        let mut buffer = [0; MAX_HEADER];
        let plain = Fields { stamp: None, audio_level: None, orientation: None, ..fields() };
        for mid in ["", "seventeen-letters"] {
            assert_eq!(HeaderWriter::new(all(), mid).write(&plain, &mut buffer).len(), 12, "{mid:?}");
        }
    }
}
