//! Asking again: refused nonces, and what is not ready yet.

use std::time::{Duration, Instant, SystemTime};

use seaworthy_core::{Error, ErrorKind, Result};

/// How often one request is sent again for a nonce that was refused. Each of these tries is three
/// of the library's: with nine of ten refused, one in 10^13 requests fails.
pub(super) const NONCE_TRIES: u32 = 100;

/// Runs a request of the library again for as long as only its nonce is refused: the authority has
/// then done nothing.
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

/// The pauses between looks at something that gets ready.
pub(super) struct Pauses {
    next: Duration,
    until: Instant,
}

impl Pauses {
    /// Goes on for `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { next: Duration::from_millis(20), until: Instant::now() + patience }
    }

    /// Waits until `at`, or a little longer than the last time.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] once patience has ended.
    pub(super) async fn pause(&mut self, at: Option<SystemTime>, what: &str) -> Result<()> {
        let asked = at.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
        let pause = asked.map_or(self.next, |asked| asked.max(Duration::from_millis(20)));
        if Instant::now() + pause > self.until {
            let message = format!("the authority is not done in time: {what}");
            return Err(Error::new(ErrorKind::TimedOut, "acme.poll", message)
                .remedy_is("the next run goes on where this one stopped"));
        }
        self.next = (self.next * 2).min(Duration::from_secs(5));
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
