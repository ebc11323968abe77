//! Reading bit by bit, most significant first, as video headers are written.

/// A reader over the bits of a header. Every read says `None` past the end.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits of the first byte that were read.
    used: u32,
    /// Whether the bytes are an H264 NAL unit, and then how many zero bytes were read last.
    zeros: Option<u32>,
}

impl<'a> Bits<'a> {
    /// Reads plain bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, used: 0, zeros: None }
    }

    /// Reads an H264 NAL unit, passing over its emulation prevention bytes (ITU-T H.264 §7.4.1).
    pub(super) fn of_nal(bytes: &'a [u8]) -> Self {
        Self { bytes, used: 0, zeros: Some(0) }
    }

    /// One bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = *self.bytes.first()?;
        let bit = byte >> (7 - self.used) & 1;
        self.used += 1;
        if self.used == 8 {
            self.used = 0;
            self.bytes = &self.bytes[1..];
            if let Some(zeros) = &mut self.zeros {
                *zeros = if byte == 0 { *zeros + 1 } else { 0 };
                if *zeros >= 2 && self.bytes.first() == Some(&3) {
                    self.bytes = &self.bytes[1..];
                    *zeros = 0;
                }
            }
        }
        Some(bit == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub(super) fn number(&mut self, count: u32) -> Option<u32> {
        (0..count.min(32)).try_fold(0u32, |number, _| Some(number << 1 | u32::from(self.flag()?)))
    }

    /// Passes over `count` bits.
    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.flag().map(drop))
    }

    /// An unsigned Exp-Golomb number (ue(v), and AV1's uvlc), below 2^32 - 1.
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.number(zeros)?)
    }

    /// A signed Exp-Golomb number (se(v)).
    pub(super) fn signed_golomb(&mut self) -> Option<i32> {
        let number = self.golomb()?;
        let half = (number / 2) as i32;
        Some(if number % 2 == 1 { half + 1 } else { -half })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_across_bytes_and_end_with_the_bytes() {
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0000]);
        assert_eq!(bits.number(3), Some(5));
        assert_eq!(bits.golomb(), Some(5), "00110 is six less one");
        assert_eq!(bits.signed_golomb(), Some(1), "010 is the first positive number");
        assert_eq!(bits.number(6), None, "only five bits are left");
        assert_eq!(Bits::new(&[0; 16]).golomb(), None, "an endless run of zeros is no number");
    }

    #[test]
    fn the_emulation_prevention_byte_is_no_data() {
        let mut bits = Bits::of_nal(&[0, 0, 3, 1, 3]);
        assert_eq!(bits.number(32), Some(0x0000_0103));
        let mut plain = Bits::new(&[0, 0, 3, 1, 3]);
        assert_eq!(plain.number(32), Some(0x0000_0301));
    }
}
