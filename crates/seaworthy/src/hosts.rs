//! Snapshots of another machine in a shared sink.

use std::collections::BTreeMap;

use seaworthy_backup::{HostId, SnapshotCache, SnapshotSummary};
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result};

use crate::{Seaworthy, keys::Purpose};

impl Seaworthy {
    /// The same, but `latest`, lists and retention use the snapshots of the machine `name` instead
    /// of this one's: its host name, or the beginning of its id. It is searched for in all sinks of
    /// `jobs` (empty for all jobs). New snapshots, such as a safety snapshot, still belong to this
    /// machine.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no snapshot of such a machine, [`ErrorKind::Ambiguous`]
    /// if several machines have that name.
    pub async fn of_host(mut self, name: &str, jobs: &[Name], cx: &Context) -> Result<Self> {
        let mut known: BTreeMap<String, (HostId, Option<String>)> = BTreeMap::new();
        for job in self.jobs(jobs)? {
            for sink in self.sinks_of(&job, None)? {
                match self.summaries(&job, &sink, cx).await {
                    Ok(summaries) => {
                        for SnapshotSummary { info, host_name, .. } in summaries {
                            let Some(host) = info.host else { continue };
                            known.entry(host.to_string()).or_insert((host, host_name));
                        }
                    }
                    // Another sink may have it.
                    Err(error) => {
                        let why = error.chain();
                        cx.emit(Event::warning(format!(
                            "sink {sink} could not be searched for machine {name}: {why}"
                        )));
                    }
                }
            }
        }
        let is_meant = |host: &HostId, called: &Option<String>| {
            let is_called = called.as_ref().is_some_and(|called| called.eq_ignore_ascii_case(name));
            is_called || (name.len() >= 4 && host.as_str().starts_with(name))
        };
        let mut meant = known.values().filter(|(host, called)| is_meant(host, called));
        let list = |hosts: &mut dyn Iterator<Item = &(HostId, Option<String>)>| {
            let shown = hosts.map(|(host, called)| match called {
                Some(called) => format!("{called} ({host})"),
                None => host.to_string(),
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        let fail = |kind, message: String, remedy: String| {
            Err(Error::new(kind, "host.find", message).remedy_is(remedy))
        };
        match (meant.next(), meant.next()) {
            (Some((host, _)), None) => {
                self.meant = Some(host.clone());
                Ok(self)
            }
            (Some(first), Some(second)) => {
                let message = format!("several machines are called {name:?}");
                let meant = list(&mut [first, second].into_iter().chain(meant));
                fail(ErrorKind::Ambiguous, message, format!("use its id: {meant}"))
            }
            (None, _) => {
                let message = format!("there is no snapshot of a machine called {name:?}");
                let remedy = match known.is_empty() {
                    true => "there are no snapshots at all".to_owned(),
                    false => format!("there are snapshots of {}", list(&mut known.values())),
                };
                fail(ErrorKind::NotFound, message, remedy)
            }
        }
    }

    async fn summaries(
        &self,
        job: &Name,
        sink: &Name,
        cx: &Context,
    ) -> Result<Vec<SnapshotSummary>> {
        let repository = self.repository(job, sink, Purpose::List, cx).await?;
        repository.overview(&mut SnapshotCache::default(), cx).await
    }

    /// The machine whose snapshots are used.
    pub(crate) fn meant_host(&self) -> &HostId {
        self.meant.as_ref().unwrap_or(&self.host)
    }
}
