//! The publisher's clock against the server's: one offset for all its streams.
//!
//! A publisher's reports say which time on its own clock a timestamp is (RFC 3550 §6.4.1). The first of them fixes the offset to
//! the server's clock; from then on sound and picture lie to each other as the publisher says, whatever the network does.

use std::time::{Duration, Instant};

/// The offset of a publisher session.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionClock {
    anchor: Option<(u64, Instant)>,
}

impl SessionClock {
    /// The server's time for the NTP time of a report that arrived at `now`. A clock that was set while the session runs is
    /// followed from its next report on.
    pub fn time_of(&mut self, now: Instant, ntp: u64) -> Instant {
        if let Some((anchor, at)) = self.anchor {
            let apart = duration(anchor.abs_diff(ntp));
            let time = if ntp >= anchor { at.checked_add(apart) } else { at.checked_sub(apart) };
            if let Some(time) = time
                && time.saturating_duration_since(now).max(now.saturating_duration_since(time)) <= MOST_DRIFT
            {
                return time;
            }
        }
        self.anchor = Some((ntp, now));
        now
    }
}

/// A difference of NTP times (32.32 fixed point).
fn duration(ntp: u64) -> Duration {
    Duration::new(ntp >> 32, ((u128::from(ntp & 0xffff_ffff) * 1_000_000_000) >> 32) as u32)
}

/// Reports may come late and clocks drift by seconds in half a day; what is further off was set anew.
const MOST_DRIFT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_offset_holds_for_all_reports_until_the_clock_is_set() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let second = 1u64 << 32;
        let mut clock = SessionClock::default();
        assert_eq!(clock.time_of(at(40), 100 * second), at(40));
        assert_eq!(clock.time_of(at(1_900), 101 * second), at(1_040), "a late report changes nothing");
        assert_eq!(clock.time_of(at(1_900), 99 * second + second / 2), start - Duration::from_millis(460));
        assert_eq!(clock.time_of(at(3_000), 9_000 * second), at(3_000), "the clock was set");
        assert_eq!(clock.time_of(at(4_000), 9_001 * second), at(4_000));
        assert_eq!(clock.time_of(at(4_000), u64::MAX), at(4_000));
    }
}
