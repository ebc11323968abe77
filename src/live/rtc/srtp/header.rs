//! As much of an RTP or RTCP header as protection needs.

/// Bytes of the fixed RTP header.
const RTP_FIXED: usize = 12;
/// Bytes of an RTCP packet's header and sender.
pub(super) const RTCP_FIXED: usize = 8;

/// The parts of an RTP header that protection depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RtpHeader {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    /// Bytes of the header with contributing sources and extension: they are authenticated, not encrypted.
    pub(super) len: usize,
}

impl RtpHeader {
    /// None where the bytes are no RTP packet of version 2, or end within its header.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let fixed: &[u8; RTP_FIXED] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let mut len = RTP_FIXED + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let words = packet.get(len + 2..len + 4)?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        if packet.len() < len {
            return None;
        }
        Some(Self {
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            len,
        })
    }
}

/// The sender's SSRC of a compound RTCP packet; none where the bytes are no RTCP of version 2.
pub(super) fn rtcp_sender(packet: &[u8]) -> Option<u32> {
    let fixed: &[u8; RTCP_FIXED] = packet.first_chunk()?;
    (fixed[0] >> 6 == 2).then(|| u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]))
}
