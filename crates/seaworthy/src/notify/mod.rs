//! Notifications about what happened.
//!
//! The result of a command becomes a [`Notice`]: that a backup failed, works again, is suspect;
//! that a certificate expires soon. The file says who gets which notices. A notice is sent once:
//! while something stays wrong, it is repeated after a day at the earliest, and the recovery is
//! sent, too. What was sent is recorded in the state folder.
//!
//! A notification never makes anything fail, and takes no longer than the file allows: a failed
//! delivery becomes a warning. Implement [`Notifier`] for other services.

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

/// Sends notices.
///
/// A retryable error is tried again, with growing pauses; dropping the future cancels the message.
/// No error may show a secret, such as the address of a webhook.
#[async_trait]
pub trait Notifier: Debug + Send + Sync + 'static {
    /// Sends it, once.
    async fn send(&self, notice: &Notice) -> Result<()>;
}
