//! Telling somebody what happened.
//!
//! Whatever a command does becomes a [`Notice`]: that a backup failed, works again, is suspect; that
//! a certificate is soon to end. The file says who is told of what. A notice is told once: while
//! something stays wrong, it is repeated after a day at the soonest, and when it is over that is told
//! too. What was told is remembered in the folder for state.
//!
//! Telling never makes anything fail, and takes no longer than the file allows: who cannot be told
//! becomes a warning. [`Notifier`] is the seam for others.

mod deliver;
mod heard;
pub(crate) mod kinds;
mod memory;
mod notice;
mod occasions;
mod open;

use std::fmt::Debug;

use async_trait::async_trait;
use seaworthy_core::Result;

pub(crate) use deliver::beside;
pub use deliver::{Delivery, DeliveryState};
pub(crate) use heard::Heard;
pub use notice::{Fact, Notice, Occasion, Subject, SubjectKind};
pub(crate) use occasions::of_backup;

/// Somebody who can be told.
///
/// A retryable error is tried again, with growing pauses; dropping the future gives the message up.
/// No error may show a secret, such as the address of a webhook.
#[async_trait]
pub trait Notifier: Debug + Send + Sync + 'static {
    /// Tells it, once.
    async fn send(&self, notice: &Notice) -> Result<()>;
}
