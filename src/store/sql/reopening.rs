//! When a database that could not be reached is tried again.
//!
//! All connections of a node share this: after an outage the first that gets through lets the others follow at once, and while
//! it lasts they do not ask a server that has just answered nobody. Pure: the time goes in.

use std::time::{Duration, Instant};

/// The first pause after a failed attempt; it doubles up to the longest. In between everything is refused at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the last attempts say; none has failed in the beginning.
#[derive(Debug, Default)]
pub(super) struct Reopening {
    failure: Option<Failure>,
    succeeded: Option<Instant>,
}

#[derive(Debug)]
struct Failure {
    at: Instant,
    pause: Duration,
    cause: String,
}

impl Reopening {
    /// Why nobody is to try now, if so.
    pub(super) fn refusal(&self, now: Instant) -> Option<String> {
        let failure = self.failure.as_ref()?;
        (now.saturating_duration_since(failure.at) < failure.pause).then(|| failure.cause.clone())
    }

    /// An attempt that began then has failed now.
    pub(super) fn failed(&mut self, begun: Instant, now: Instant, cause: String) {
        if self.succeeded.is_some_and(|at| begun < at) {
            // It waited in the outage for an answer, and another has found out since that the outage is over.
            return;
        }
        let pause = match &self.failure {
            // It ran beside the last one and says nothing new.
            Some(last) if begun < last.at => last.pause,
            Some(last) => (last.pause * 2).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.failure = Some(Failure { at: now, pause, cause });
    }

    /// An attempt has brought a connection.
    pub(super) fn succeeded(&mut self, now: Instant) {
        *self = Self { failure: None, succeeded: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn pauses_double_up_to_the_longest_and_end_with_the_first_success() {
        let (mut reopening, mut now) = (Reopening::default(), Instant::now());
        assert_eq!(reopening.refusal(now), None);
        for pause in [100, 200, 400, 800, 1_600, 2_000, 2_000].map(Duration::from_millis) {
            reopening.failed(now, now + MOMENT, "nobody answers".into());
            now += MOMENT;
            assert_eq!(reopening.refusal(now + pause - MOMENT), Some("nobody answers".into()));
            assert_eq!(reopening.refusal(now + pause), None);
            now += pause;
        }
        reopening.succeeded(now);
        assert_eq!(reopening.refusal(now), None);
        reopening.failed(now - MOMENT, now, "late".into());
        assert_eq!(reopening.refusal(now), None, "it began before the outage was over");
        reopening.failed(now, now, "again".into());
        assert!(reopening.refusal(now + FIRST_PAUSE - MOMENT).is_some());
        assert_eq!(reopening.refusal(now + FIRST_PAUSE), None, "it begins with the first pause");
    }

    #[test]
    fn attempts_side_by_side_count_as_one() {
        let (mut reopening, begun) = (Reopening::default(), Instant::now());
        for place in 1..=5 {
            reopening.failed(begun, begun + MOMENT * place, "nobody answers".into());
        }
        let last = begun + MOMENT * 5;
        assert!(reopening.refusal(last + FIRST_PAUSE - MOMENT).is_some());
        assert_eq!(reopening.refusal(last + FIRST_PAUSE), None);
    }
}
