//! The RTP header (RFC 3550 §5.1), written and read.

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The last packet of a frame.
    pub marker: bool,
    /// Which codec.
    pub payload_type: u8,
    /// Place in the stream.
    pub sequence: u16,
    /// Moment in the stream, in ticks of the codec's clock.
    pub timestamp: u32,
    /// Which stream.
    pub ssrc: u32,
}

impl Header {
    /// Appends the twelve bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0x80, u8::from(self.marker) << 7 | self.payload_type]);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
    }

    /// Reads a header, and the payload behind it without padding; none where the packet is cut.
    pub fn read(packet: &[u8]) -> Option<(Self, &[u8])> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        let mut begin = 12 + usize::from(fixed[0] & 0x0f) * 4;
        if fixed[0] & 0x10 != 0 {
            let length: &[u8; 2] = packet.get(begin + 2..)?.first_chunk()?;
            begin += 4 + usize::from(u16::from_be_bytes(*length)) * 4;
        }
        let padding = if fixed[0] & 0x20 != 0 { usize::from(*packet.last()?) } else { 0 };
        let payload = packet.get(begin..packet.len().checked_sub(padding)?)?;
        let header = Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        Some((header, payload))
    }
}

/// Lengthens 16-bit sequence numbers to 64 bits, by the shorter way round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwrapper {
    last: Option<u64>,
}

impl Unwrapper {
    /// The whole number; the first one is shifted up by one round, so that what came before it has numbers too.
    pub fn unwrap(&mut self, sequence: u16) -> u64 {
        let last = self.last.unwrap_or(0x1_0000 + u64::from(sequence));
        let step = sequence.wrapping_sub(last as u16) as i16;
        let whole = last.wrapping_add_signed(i64::from(step));
        self.last = Some(whole.max(last));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_a_cut_one_does_not() {
        let header = Header { marker: true, payload_type: 96, sequence: 7, timestamp: 9, ssrc: 3 };
        let mut packet = Vec::new();
        header.write(&mut packet);
        packet.extend_from_slice(b"payload");
        assert_eq!(Header::read(&packet), Some((header, &b"payload"[..])));
        assert_eq!(Header::read(&packet[..11]), None);
        packet[0] |= 0x20;
        *packet.last_mut().expect("not empty") = 200;
        assert_eq!(Header::read(&packet), None, "more padding than packet");
    }

    #[test]
    fn numbers_go_on_across_the_wrap_and_back() {
        let mut unwrapper = Unwrapper::default();
        let first = unwrapper.unwrap(65_535);
        assert_eq!(unwrapper.unwrap(0), first + 1);
        assert_eq!(unwrapper.unwrap(65_534), first - 1);
        assert_eq!(unwrapper.unwrap(1), first + 2);
    }
}
