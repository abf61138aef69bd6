//! nginx's workers, as the kernel shows them: which of them still use earlier files.

use std::{collections::BTreeSet, fs};

use super::NginxInstaller;

/// A child of nginx's main process.
struct Worker {
    id: String,
    /// Its process title, such as `nginx: worker process is shutting down`.
    title: String,
}

impl Worker {
    /// It accepts no new connections.
    fn is_leaving(&self) -> bool {
        self.title.contains("shutting down")
    }
}

impl NginxInstaller {
    /// Records the current workers: after a reload these are the old ones.
    pub(super) fn remember_workers(&self) {
        let ids = self.workers().into_iter().map(|worker| worker.id).collect();
        *self.old() = ids;
    }

    /// Whether a worker from before the reload may still accept new connections.
    pub(super) fn old_workers_accept(&self) -> bool {
        let old = self.old();
        self.workers().iter().any(|worker| old.contains(&worker.id) && !worker.is_leaving())
    }

    /// Whether a worker from before the reload, or from any earlier one, still serves requests.
    pub(super) fn old_workers_answer(&self) -> bool {
        let old = self.old();
        self.workers().iter().any(|worker| old.contains(&worker.id) || worker.is_leaving())
    }

    fn old(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.old_workers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether the main process exists.
    pub fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// The process id of the main process, if it belongs to nginx.
    pub(super) fn process(&self) -> Option<String> {
        let main = fs::read_to_string(&self.pid).ok()?.trim().to_owned();
        // The process id may have been reused.
        let title = fs::read_to_string(format!("/proc/{main}/cmdline")).ok()?;
        (!main.is_empty() && title.contains("nginx")).then_some(main)
    }

    /// The children of the main process; empty if it cannot be found, since another nginx.conf may
    /// write the process id elsewhere.
    fn workers(&self) -> Vec<Worker> {
        let main = fs::read_to_string(&self.pid).unwrap_or_default();
        let children = format!("/proc/{0}/task/{0}/children", main.trim());
        let children = fs::read_to_string(children).unwrap_or_default();
        let workers = children.split_whitespace().filter_map(|id| {
            // One that has just ended has no title.
            let title = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
            (!title.is_empty()).then(|| Worker { id: id.to_owned(), title })
        });
        workers.collect()
    }
}
