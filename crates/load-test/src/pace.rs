//! When each request is due.

use std::time::Duration;

/// A rate that may rise from zero at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Requests a second.
    rate: f64,
    /// How long the rate rises, in seconds.
    ramp: f64,
}

impl Pace {
    pub(crate) fn new(rate: f64, ramp: Duration) -> Self {
        Self { rate, ramp: ramp.as_secs_f64() }
    }

    /// When request `number`, counted from 0, is due after the beginning.
    pub(crate) fn due(&self, number: u64) -> Duration {
        let number = number as f64;
        // While the rate rises, rate · t² / (2 · ramp) requests were due up to t.
        let of_ramp = self.rate * self.ramp / 2.0;
        let seconds = if number < of_ramp {
            (2.0 * self.ramp * number / self.rate).sqrt()
        } else {
            self.ramp + (number - of_ramp) / self.rate
        };
        Duration::from_secs_f64(seconds.min(1e9))
    }

    /// How many requests are due before `time`.
    pub(crate) fn before(&self, time: Duration) -> u64 {
        let seconds = time.as_secs_f64();
        let of_ramp = self.rate * self.ramp / 2.0;
        let count = if seconds < self.ramp {
            self.rate * seconds * seconds / (2.0 * self.ramp)
        } else {
            of_ramp + (seconds - self.ramp) * self.rate
        };
        let mut count = count.ceil() as u64;
        // `due` itself decides where floating point is inexact.
        while count > 0 && self.due(count - 1) >= time {
            count -= 1;
        }
        while self.due(count) < time {
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_evenly_and_rise_with_a_ramp() {
        let pace = Pace::new(100.0, Duration::ZERO);
        assert_eq!(pace.due(0), Duration::ZERO);
        assert_eq!(pace.due(250), Duration::from_millis(2500));
        assert_eq!(pace.before(Duration::from_secs(2)), 200);
        let pace = Pace::new(100.0, Duration::from_secs(2));
        // Half as many as without a ramp while it lasts, and a quarter of those in its first half.
        assert_eq!(pace.before(Duration::from_secs(2)), 100);
        assert_eq!(pace.before(Duration::from_secs(1)), 25);
        assert_eq!(pace.before(Duration::from_secs(3)), 200);
        for number in 1..400 {
            assert!(pace.due(number) > pace.due(number - 1), "{number}");
            assert_eq!(pace.before(pace.due(number)), number);
        }
    }
}
