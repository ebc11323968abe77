//! The few control packets that this client says and hears (RFC 3550 §6.4, RFC 4585 §6.2).

/// Seconds between 1900 and 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// A sender report, so that a relay can keep audio and video together.
pub fn sender_report(ssrc: u32, unix: std::time::Duration, timestamp: u32) -> Vec<u8> {
    let seconds = (unix.as_secs() + NTP_EPOCH) as u32;
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    let mut out = vec![0x80, 200, 0, 6];
    for word in [ssrc, seconds, fraction as u32, timestamp, 0, 0] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out
}

/// What a receiver reports of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    /// Who reports.
    pub reporter: u32,
    /// Of which stream.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all.
    pub lost: u32,
    /// Highest sequence number, lengthened.
    pub highest: u32,
}

impl Reception {
    /// The receiver report.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0x81, 201, 0, 7];
        let lost = u32::from(self.fraction_lost) << 24 | (self.lost & 0x00ff_ffff);
        for word in [self.reporter, self.ssrc, lost, self.highest, 0, 0, 0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out
    }
}

/// A request for packets that are missing.
pub fn nack(reporter: u32, ssrc: u32, missing: &[u16]) -> Vec<u8> {
    let mut pairs: Vec<(u16, u16)> = Vec::new();
    for &sequence in missing {
        match pairs.last_mut() {
            Some((base, mask)) if (1..=16).contains(&sequence.wrapping_sub(*base)) => {
                *mask |= 1 << (sequence.wrapping_sub(*base) - 1);
            }
            _ => pairs.push((sequence, 0)),
        }
    }
    let mut out = vec![0x81, 205];
    out.extend_from_slice(&(2 + pairs.len() as u16).to_be_bytes());
    out.extend_from_slice(&reporter.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
    for (base, mask) in pairs {
        out.extend_from_slice(&base.to_be_bytes());
        out.extend_from_slice(&mask.to_be_bytes());
    }
    out
}

/// Sequence numbers that a compound packet asks again for, and whether it asks for a key frame.
pub fn wishes(compound: &[u8]) -> (Vec<u16>, bool) {
    let (mut again, mut key_frame, mut rest) = (Vec::new(), false, compound);
    while let Some(&[first, kind, high, low]) = rest.first_chunk() {
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let Some(packet) = rest.get(..length) else { break };
        match (kind, first & 0x1f) {
            (205, 1) => {
                for pair in packet.get(12..).unwrap_or_default().chunks_exact(4) {
                    let base = u16::from_be_bytes([pair[0], pair[1]]);
                    let mask = u16::from_be_bytes([pair[2], pair[3]]);
                    again.push(base);
                    again.extend(
                        (0..16).filter(|bit| mask >> bit & 1 == 1).map(|bit| base.wrapping_add(bit + 1)),
                    );
                }
            }
            (206, 1 | 4) => key_frame = true,
            _ => {}
        }
        rest = &rest[length..];
    }
    (again, key_frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_understood() {
        let missing = [10, 11, 26, 27, 65_535, 3];
        let mut compound = nack(1, 2, &missing);
        compound.extend_from_slice(&[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(wishes(&compound), (missing.to_vec(), true));
        assert_eq!(wishes(&compound[..7]), (Vec::new(), false), "cut");
    }
}
