//! What a long operation gets besides its input: cancellation, progress and the clock.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{Clock, Error, Event, Progress, Result, SystemClock, Timestamp};

/// Cancellation, progress and the clock of one operation. Cloning is cheap and shares all three.
///
/// ```
/// use seaworthy_core::Context;
/// let cx = Context::new();
/// assert!(cx.check("example").is_ok());
/// cx.cancel().trigger();
/// assert!(cx.check("example").is_err());
/// ```
#[derive(Clone)]
pub struct Context {
    cancel: Cancel,
    progress: Arc<dyn Progress>,
    clock: Arc<dyn Clock>,
}

impl Context {
    /// A context without progress reports, on the machine's clock.
    pub fn new() -> Self {
        Self {
            cancel: Cancel::default(),
            progress: Arc::new(crate::progress::Ignored),
            clock: Arc::new(SystemClock),
        }
    }

    /// Reports progress to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Stops when `cancel` is triggered.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// The handle that stops this operation.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// The current time by this context's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where progress is reported.
    pub fn progress(&self) -> &Arc<dyn Progress> {
        &self.progress
    }

    /// Reports progress.
    pub fn emit(&self, event: Event) {
        self.progress.event(&event);
    }

    /// Fails with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) once cancelled. Blocking
    /// work calls this between its steps.
    pub fn check(&self, operation: &'static str) -> Result<()> {
        if self.cancel.is_triggered() { Err(Error::cancelled(operation)) } else { Ok(()) }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("cancelled", &self.cancel.is_triggered()).finish()
    }
}

/// Stops an operation from anywhere. Cloning shares the trigger.
#[derive(Clone, Debug, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// A trigger that has not been pulled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the operation to stop. Further calls have no effect.
    pub fn trigger(&self) {
        self.0.cancel();
    }

    /// Whether it was asked to stop.
    pub fn is_triggered(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is asked to stop.
    pub async fn triggered(&self) {
        self.0.cancelled().await;
    }
}
