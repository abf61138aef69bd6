//! Workers on blocking threads: how many, and waiting for them.

use seaworthy_core::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;

/// The largest number of threads of a run: each needs open files and memory.
pub(crate) const MAX_WORKERS: usize = 32;

/// Waits until every worker has ended, and returns the failure that is the cause: a worker that was
/// told to stop is not the cause.
#[cfg_attr(
    not(feature = "files"),
    allow(dead_code, reason = "only files have workers of this kind")
)]
pub(crate) async fn join(workers: Vec<JoinHandle<Result<()>>>) -> Result<()> {
    let mut failed: Option<Error> = None;
    for worker in workers {
        let done = worker.await.map_err(|source| {
            Error::new(ErrorKind::Internal, "worker", "a worker panicked").caused_by(source)
        });
        if let Err(error) = done.flatten() {
            let keep = failed.as_ref().is_some_and(|e| e.kind() != ErrorKind::Cancelled);
            failed = if keep { failed } else { Some(error) };
        }
    }
    failed.map_or(Ok(()), Err)
}
