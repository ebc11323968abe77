//! How much goes through a channel: a count per class over the last seconds, with time passed in.

use communiconnect_protocol::Class;

/// Milliseconds that a rate looks back.
const WINDOW_MS: u64 = 10_000;

/// Counts of this window and the one before; the rate weighs the former by how much of it is still within reach.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    window: u64,
    counts: [u32; 3],
    before: [u32; 3],
}

/// Pushes of a channel per second by class, averaged over the last ten seconds; each counts once, however many listen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Publications.
    pub publications: f64,
    /// States.
    pub states: f64,
    /// Signals.
    pub signals: f64,
}

impl Rates {
    /// Of all classes together.
    pub fn all(&self) -> f64 {
        self.publications + self.states + self.signals
    }
}

impl Meter {
    /// Counts one push. `now` in milliseconds of a steady clock.
    pub(super) fn count(&mut self, now: u64, class: Class) {
        self.roll(now);
        let count = &mut self.counts[place(class)];
        *count = count.saturating_add(1);
    }

    /// The rates at `now`, of the same clock.
    pub(super) fn rates(&self, now: u64) -> Rates {
        let mut present = *self;
        present.roll(now);
        let weight = 1.0 - (now % WINDOW_MS) as f64 / WINDOW_MS as f64;
        let rate = |class| {
            let (before, count) = (present.before[place(class)], present.counts[place(class)]);
            (f64::from(before) * weight + f64::from(count)) * 1_000.0 / WINDOW_MS as f64
        };
        Rates { publications: rate(Class::A), states: rate(Class::B), signals: rate(Class::C) }
    }

    fn roll(&mut self, now: u64) {
        let window = now / WINDOW_MS;
        if window == self.window {
            return;
        }
        self.before = if window == self.window + 1 { self.counts } else { [0; 3] };
        self.counts = [0; 3];
        self.window = window;
    }
}

fn place(class: Class) -> usize {
    match class {
        Class::A => 0,
        Class::B => 1,
        Class::C => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_flow_has_its_rate() {
        let mut meter = Meter::default();
        for tick in 0..300 {
            meter.count(tick * 100, Class::A);
            meter.count(tick * 100, Class::C);
        }
        let rates = meter.rates(29_900);
        assert!((9.0..=11.0).contains(&rates.publications), "{rates:?}");
        assert_eq!((rates.states, rates.all()), (0.0, 2.0 * rates.publications));
    }

    #[test]
    fn a_burst_is_forgotten() {
        let mut meter = Meter::default();
        (0..100).for_each(|_| meter.count(5_000, Class::B));
        assert_eq!(meter.rates(5_000).states, 10.0);
        assert_eq!(meter.rates(15_000).states, 5.0, "half of its window is within reach");
        assert_eq!(meter.rates(20_000).states, 0.0);
        assert_eq!(meter.rates(3_600_000).all(), 0.0);
    }
}
