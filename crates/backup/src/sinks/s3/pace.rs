//! A limit in bytes per second, shared by all requests of a sink.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use seaworthy_core::ByteRate;
use tokio::time::Instant;

/// How far a sender may fall behind the limit and still catch up.
const SLACK: Duration = Duration::from_millis(250);

/// Hands out times at which bytes may be sent.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    /// When everything handed out so far has been sent.
    busy_until: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(rate: ByteRate) -> Self {
        Self { bytes_per_second: rate.bytes_per_second().max(1), busy_until: Mutex::new(None) }
    }

    /// How many bytes should pass at once: a twentieth of a second's.
    pub(super) fn step(&self) -> usize {
        usize::try_from(self.bytes_per_second / 20).unwrap_or(usize::MAX).clamp(1 << 10, 64 << 10)
    }

    /// Counts `bytes` that are sent now, and returns when the next ones may be sent.
    pub(super) fn passed(&self, bytes: usize) -> Instant {
        let now = Instant::now();
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let from = busy_until.map_or(now, |until| until.max(now.checked_sub(SLACK).unwrap_or(now)));
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        *busy_until.insert(from + takes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_at_the_rate_whoever_sends_them() {
        let pace = Pace::new(ByteRate::new(1000));
        let start = Instant::now();
        let last = (0..10).map(|_| pace.passed(500)).last().unwrap();
        assert!(last - start >= Duration::from_secs(5), "{:?}", last - start);
        // Unused allowance is not saved up.
        let idle = Pace::new(ByteRate::new(1_000_000));
        idle.passed(1);
        std::thread::sleep(SLACK * 2);
        assert!(idle.passed(1_000_000) - Instant::now() >= Duration::from_secs(1) - SLACK * 2);
    }

    #[test]
    fn steps_are_small_at_small_rates() {
        assert_eq!(Pace::new(ByteRate::new(100)).step(), 1 << 10);
        assert_eq!(Pace::new(ByteRate::new(100_000)).step(), 5_000);
        assert_eq!(Pace::new(ByteRate::new(1 << 30)).step(), 64 << 10);
    }
}
