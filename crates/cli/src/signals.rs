//! Ctrl-C: once stops cleanly, twice stops immediately.

use seaworthy::{Outcome, core::Cancel};
use tokio::signal::unix::{SignalKind, signal};

use crate::terminal::Terminal;

/// Triggers `cancel` on the first SIGINT, SIGTERM or SIGHUP, and ends the program on the second.
pub(crate) fn watch(cancel: Cancel, terminal: Terminal) {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    for kind in kinds {
        let cancel = cancel.clone();
        let Ok(mut signals) = signal(kind) else { continue };
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if cancel.is_triggered() {
                    std::process::exit(Outcome::Interrupted.exit_code().into());
                }
                cancel.trigger();
                terminal.line("interrupted: stopping cleanly; press again to stop immediately");
            }
        });
    }
}
