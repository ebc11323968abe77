//! Packet indices: sixteen bits on the wire, forty-eight in the key stream (RFC 3711, section 3.3.1), and who was seen.

/// Half of the space of sequence numbers.
const HALF: u64 = 1 << 15;

/// The index that a sequence number most likely stands for, beside the highest one known: the nearest of the three
/// candidates. Never below zero, never above 48 bits: a stream may not live that long under one key.
pub(super) fn guess(highest: u64, sequence: u16) -> Option<u64> {
    let same = (highest & !0xffff) | u64::from(sequence);
    let index = if same + HALF < highest {
        same + 0x1_0000
    } else if same > highest + HALF && same >= 0x1_0000 {
        same - 0x1_0000
    } else {
        same
    };
    (index >> 48 == 0).then_some(index)
}

/// Which of the newest indices have been seen (RFC 3711, section 3.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    newest: u64,
    /// Bit `n` of the words says whether `newest - n` was seen.
    seen: [u64; WORDS],
}

const WORDS: usize = 16;

impl Window {
    /// Indices remembered: 1,024 hold 0.1 s of 100 Mbit/s, and a burst that a network turned round.
    pub(super) const SIZE: u64 = 64 * WORDS as u64;

    /// With `first` seen.
    pub(super) fn new(first: u64) -> Self {
        let mut seen = [0; WORDS];
        seen[0] = 1;
        Self { newest: first, seen }
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether the index is new to it: neither seen nor so old that it cannot tell.
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        let Some(age) = self.newest.checked_sub(index) else { return true };
        age < Self::SIZE && self.seen[(age / 64) as usize] & (1 << (age % 64)) == 0
    }

    /// Notes that a packet with the index was authentic.
    pub(super) fn note(&mut self, index: u64) {
        match self.newest.checked_sub(index) {
            Some(age) if age < Self::SIZE => self.seen[(age / 64) as usize] |= 1 << (age % 64),
            Some(_) => {}
            None => {
                self.advance(index - self.newest);
                self.newest = index;
                self.seen[0] |= 1;
            }
        }
    }

    fn advance(&mut self, by: u64) {
        if by >= Self::SIZE {
            self.seen = [0; WORDS];
            return;
        }
        let (words, bits) = ((by / 64) as usize, (by % 64) as u32);
        for place in (0..WORDS).rev() {
            let high = place.checked_sub(words).map_or(0, |from| self.seen[from] << bits);
            let low = match place.checked_sub(words + 1) {
                Some(from) if bits > 0 => self.seen[from] >> (64 - bits),
                _ => 0,
            };
            self.seen[place] = high | low;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn an_index_follows_its_sequence_number_over_the_edge_and_back() {
        assert_eq!(guess(0xffff, 0), Some(0x1_0000));
        assert_eq!(guess(0x1_0000, 0xffff), Some(0xffff));
        assert_eq!(guess(0x1_8000, 0x8001), Some(0x1_8001));
        assert_eq!(guess(10, 0xfff0), Some(0xfff0), "nothing lies before the first packet");
        assert_eq!(guess((1 << 48) - 1, 0), None, "the key's life is over");
    }

    proptest! {
        #[test]
        fn a_window_tells_what_a_set_would(steps in prop::collection::vec(0u64..3000, 1..200)) {
            let mut index = 5000u64;
            let mut window = Window::new(index);
            let mut seen = HashSet::from([index]);
            for step in steps {
                index = (window.newest() + 1500).saturating_sub(step);
                let known = window.newest().saturating_sub(index) >= Window::SIZE || seen.contains(&index);
                prop_assert_eq!(window.is_fresh(index), !known, "index {}", index);
                if !known {
                    window.note(index);
                    seen.insert(index);
                }
            }
        }

        #[test]
        fn a_guess_is_right_within_half_the_space(highest in 0x1_0000u64..1 << 40, away in -0x7fffi64..0x7fff) {
            let index = highest.checked_add_signed(away).expect("far above zero");
            prop_assert_eq!(guess(highest, index as u16), Some(index));
        }
    }
}
