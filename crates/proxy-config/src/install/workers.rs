//! nginx's workers, as the kernel shows them: which of them still work with earlier files.

use std::{collections::BTreeSet, fs};

use super::NginxInstaller;

/// A child of nginx's main process.
struct Worker {
    id: String,
    /// What it says of itself, such as `nginx: worker process is shutting down`.
    title: String,
}

impl Worker {
    /// It takes no new connections.
    fn is_leaving(&self) -> bool {
        self.title.contains("shutting down")
    }
}

impl NginxInstaller {
    /// Remembers who is at work now: after a reload these are the old ones.
    pub(super) fn remember_workers(&self) {
        let ids = self.workers().into_iter().map(|worker| worker.id).collect();
        *self.old() = ids;
    }

    /// Whether a worker from before the reload may still take new connections.
    pub(super) fn old_workers_accept(&self) -> bool {
        let old = self.old();
        self.workers().iter().any(|worker| old.contains(&worker.id) && !worker.is_leaving())
    }

    /// Whether a worker from before the reload, or from any earlier one, still answers requests.
    pub(super) fn old_workers_answer(&self) -> bool {
        let old = self.old();
        self.workers().iter().any(|worker| old.contains(&worker.id) || worker.is_leaving())
    }

    fn old(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.old_workers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether the main process is there.
    pub fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// The number of the main process, where it is nginx's.
    pub(super) fn process(&self) -> Option<String> {
        let main = fs::read_to_string(&self.pid).ok()?.trim().to_owned();
        // A number alone may be another's by now.
        let title = fs::read_to_string(format!("/proc/{main}/cmdline")).ok()?;
        (!main.is_empty() && title.contains("nginx")).then_some(main)
    }

    /// The children of the main process; none where it cannot be found, since another nginx.conf
    /// may keep its number elsewhere.
    fn workers(&self) -> Vec<Worker> {
        let main = fs::read_to_string(&self.pid).unwrap_or_default();
        let children = format!("/proc/{0}/task/{0}/children", main.trim());
        let children = fs::read_to_string(children).unwrap_or_default();
        let workers = children.split_whitespace().filter_map(|id| {
            // One that has ended meanwhile has no title.
            let title = fs::read_to_string(format!("/proc/{id}/cmdline")).ok()?;
            (!title.is_empty()).then(|| Worker { id: id.to_owned(), title })
        });
        workers.collect()
    }
}
