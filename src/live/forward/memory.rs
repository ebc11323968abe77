//! What the rings of all lives may keep together: over one bound, those whom the fewest watch keep less.
//!
//! Owns the division of that bound. Looks at rings once a second or so; knows neither lives nor peers.

use std::sync::Arc;

use super::source::Encoding;

/// A ring, and how many watch its live.
pub type Watched = (Arc<Encoding>, usize);

/// What all rings keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes of payload. What a packet takes beside it comes on top, about a tenth.
    pub bytes: usize,
    /// Rings that may keep less than their own limits say.
    pub shrunk: usize,
}

/// What one ring asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Bytes that it will keep at the next look, if it is left alone.
    pub expected: usize,
    /// Bytes without which it would not even serve repeats; at most `expected`.
    pub least: usize,
    /// How many watch.
    pub viewers: usize,
}

/// Bytes that every ring may keep, whoever watches: some packets for repeats.
const LEAST: usize = 64 << 10;

/// Lets all rings together keep at most `most` bytes until the next look, a second from now: they grow meanwhile by what
/// their publishers send. Where there is room again, rings keep what their own limits say.
pub fn bound(rings: &[Watched], most: usize) -> Held {
    let claims: Vec<_> = rings.iter().map(claim).collect();
    let mut held = Held::default();
    for ((encoding, _), share) in rings.iter().zip(shares(&claims, most)) {
        let bytes = share.unwrap_or(usize::MAX);
        // The ring's writer is not kept waiting where nothing changes.
        let is_other = encoding.ring.read().allowance() != bytes;
        if is_other {
            encoding.ring.write().allow(bytes);
        }
        held.bytes += encoding.ring.read().bytes();
        held.shrunk += usize::from(share.is_some());
    }
    held
}

fn claim((encoding, viewers): &Watched) -> Claim {
    let second = encoding.bitrate() as usize / 8;
    let expected = encoding.ring.read().bytes() + second;
    Claim { expected, least: second.max(LEAST).min(expected), viewers: *viewers }
}

/// How many bytes each may keep; none where its own limits are enough. The smallest audience gives first, down to its
/// least; those with as many viewers give alike, in proportion to what they could. Where even the least of all is too
/// much, all are cut alike.
pub fn shares(claims: &[Claim], most: usize) -> Vec<Option<usize>> {
    let mut shares = vec![None; claims.len()];
    let expected: usize = claims.iter().map(|claim| claim.expected).sum();
    let mut over = expected.saturating_sub(most);
    if over == 0 {
        return shares;
    }
    let least: usize = claims.iter().map(|claim| claim.least).sum();
    if least > most {
        return claims.iter().map(|claim| Some(part_of(claim.least, most, least))).collect();
    }
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|at| claims[*at].viewers);
    for alike in order.chunk_by(|one, other| claims[*one].viewers == claims[*other].viewers) {
        let spare: usize = alike.iter().map(|at| claims[*at].expected - claims[*at].least).sum();
        let cut = over.min(spare);
        if cut > 0 {
            for at in alike {
                let Claim { expected, least, .. } = claims[*at];
                shares[*at] = Some(least + part_of(expected - least, spare - cut, spare));
            }
        }
        over -= cut;
        if over == 0 {
            break;
        }
    }
    shares
}

/// `whole * numerator / denominator`, rounded down.
fn part_of(whole: usize, numerator: usize, denominator: usize) -> usize {
    (whole as u128 * numerator as u128 / denominator.max(1) as u128) as usize
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::live::forward::codec::FrameInfo;
    use crate::live::forward::packet::Packet;
    use crate::live::forward::ring::RingLimits;
    use crate::live::media::Codec;

    /// A camera that sends 100 packets of 1,000 bytes a second, and a key frame each 20 s.
    struct Feed {
        encoding: Arc<Encoding>,
        viewers: usize,
        next: u64,
    }

    const SECOND: usize = 100 * 1_000;

    /// Lives in virtual time, looked at each second.
    struct Stage {
        now: Instant,
        feeds: Vec<Feed>,
        most: usize,
    }

    impl Stage {
        fn new(most: usize, audiences: &[usize]) -> Self {
            let mut stage = Self { now: Instant::now(), feeds: Vec::new(), most };
            for &viewers in audiences {
                stage.begin(viewers);
            }
            stage
        }

        fn begin(&mut self, viewers: usize) {
            let encoding = Arc::new(Encoding::new(Codec::Vp8, None, RingLimits::VIDEO));
            self.feeds.push(Feed { encoding, viewers, next: 0 });
        }

        fn run(&mut self, seconds: u32) -> Held {
            let mut held = Held::default();
            for _ in 0..seconds {
                for feed in &mut self.feeds {
                    feed.send(self.now);
                }
                let kept: usize = self.kept().iter().sum();
                assert!(kept <= self.most, "{kept} just before a look");
                self.now += Duration::from_secs(1);
                held = self.look();
                assert!(held.bytes <= self.most, "{held:?}");
            }
            held
        }

        fn look(&self) -> Held {
            let rings: Vec<_> = self.feeds.iter().map(|feed| (feed.encoding.clone(), feed.viewers)).collect();
            bound(&rings, self.most)
        }

        fn kept(&self) -> Vec<usize> {
            self.feeds.iter().map(|feed| feed.encoding.ring.read().bytes()).collect()
        }
    }

    impl Feed {
        fn send(&mut self, now: Instant) {
            for part in 0..100 {
                let index = self.next;
                self.next += 1;
                let frame =
                    FrameInfo { begins_key_frame: index.is_multiple_of(2_000), ..FrameInfo::default() };
                self.encoding.ring.write().push(Packet {
                    index,
                    timestamp: index * 900,
                    arrived: now + Duration::from_millis(part * 10),
                    marker: true,
                    payload: Bytes::from_static(&[0; 1_000]),
                    frame,
                    audio_level: None,
                    orientation: None,
                });
            }
            self.encoding.set_rates(SECOND as u32 * 8, 10_000);
        }
    }

    #[test]
    fn the_smallest_audiences_give_first_and_get_it_back_when_there_is_room() {
        let mut stage = Stage::new(30 * SECOND, &[0, 3, 900]);
        let held = stage.run(9);
        assert_eq!(held.shrunk, 0, "27 seconds of pictures have room");
        let held = stage.run(6);
        let kept = stage.kept();
        assert_eq!(kept[2], 15 * SECOND, "whom most watch is left alone");
        assert!(kept[0] < kept[1] && held.shrunk >= 1, "{kept:?}");
        stage.run(4);
        let kept = stage.kept();
        assert_eq!(kept[0], SECOND, "nobody watches it: a second for repeats is left");
        assert_eq!(kept[2], 19 * SECOND);
        assert!(stage.feeds[2].encoding.ring.read().newest_key_frame().is_some());

        stage.feeds.pop();
        let held = stage.run(8);
        assert_eq!(held.shrunk, 0);
        assert!(stage.kept()[0] > 5 * SECOND, "it grows again by what comes");
    }

    #[test]
    fn those_with_as_many_viewers_give_alike() {
        let mut stage = Stage::new(30 * SECOND, &[5, 5, 5, 5]);
        stage.run(15);
        let kept = stage.kept();
        let (fewest, most) = (kept.iter().min().unwrap(), kept.iter().max().unwrap());
        assert!(most - fewest <= SECOND / 50, "{kept:?}");
        assert!(kept.iter().sum::<usize>() > 25 * SECOND, "and no more than they must: {kept:?}");
    }

    #[test]
    fn a_bound_that_is_too_small_for_all_is_kept_all_the_same() {
        let claim = Claim { expected: 1_000, least: 400, viewers: 7 };
        assert_eq!(shares(&[claim; 10], 1_000), [Some(100); 10]);
        assert_eq!(shares(&[claim; 2], 2_000), [None; 2]);
        assert!(shares(&[], 0).is_empty());
    }

    proptest! {
        #[test]
        fn any_division_keeps_the_bound_and_asks_nobody_before_a_smaller_audience_has_given(
            most in 0usize..5_000,
            wished in proptest::collection::vec((0usize..1_000, 0usize..1_000, 0usize..5), 0..20),
        ) {
            let claims: Vec<_> = wished
                .into_iter()
                .map(|(one, other, viewers)| Claim { expected: one.max(other), least: one.min(other), viewers })
                .collect();
            let shares = shares(&claims, most);
            let kept = |at: usize| shares[at].unwrap_or(claims[at].expected);
            prop_assert!((0..claims.len()).map(kept).sum::<usize>() <= most);
            let least: usize = claims.iter().map(|claim| claim.least).sum();
            if least <= most {
                for (at, claim) in claims.iter().enumerate() {
                    prop_assert!(kept(at) >= claim.least && kept(at) <= claim.expected);
                    let gives = kept(at) < claim.expected;
                    let smaller = (0..claims.len()).filter(|other| claims[*other].viewers < claim.viewers);
                    for smaller in smaller.filter(|_| gives) {
                        prop_assert_eq!(kept(smaller), claims[smaller].least);
                    }
                }
            }
        }
    }
}
