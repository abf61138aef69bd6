//! Retries: refused nonces, and polling.

use std::time::{Duration, Instant, SystemTime};

use seaworthy_core::{Error, ErrorKind, Result};

/// How often a request is sent again after a refused nonce. Each of these attempts is three of the
/// library's: if nine of ten nonces are refused, one in 10^13 requests fails.
pub(super) const NONCE_TRIES: u32 = 100;

/// Repeats a request of the library as long as only its nonce is refused: then the authority has
/// done nothing.
macro_rules! past_nonces {
    ($call:expr) => {{
        let mut tries = 0;
        loop {
            match $call.await {
                Err(e)
                    if $crate::acme::error::is_bad_nonce(&e)
                        && tries < $crate::acme::poll::NONCE_TRIES =>
                {
                    tries += 1;
                }
                other => break other,
            }
        }
    }};
}
pub(super) use past_nonces;

/// The pauses between polls.
pub(super) struct Pauses {
    next: Duration,
    until: Instant,
}

impl Pauses {
    /// Continues for `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { next: Duration::from_millis(20), until: Instant::now() + patience }
    }

    /// Waits until `at`, or a little longer than the last time.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] once the time is up.
    pub(super) async fn pause(&mut self, at: Option<SystemTime>, what: &str) -> Result<()> {
        let asked = at.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
        let pause = asked.map_or(self.next, |asked| asked.max(Duration::from_millis(20)));
        if Instant::now() + pause > self.until {
            let message = format!("the authority did not finish in time: {what}");
            return Err(Error::new(ErrorKind::TimedOut, "acme.poll", message)
                .remedy_is("the next run continues where this one stopped"));
        }
        self.next = (self.next * 2).min(Duration::from_secs(5));
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
