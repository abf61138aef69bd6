//! Can each part work here? Everything is really tried, and nothing that this creates is left
//! behind.

mod certificates;
mod disk;
mod new_folders;
mod notifiers;
mod own_files;
mod programs;
mod sinks;
mod sources;

use std::collections::HashMap;

use futures_util::future::join_all;
use seaworthy_core::{Context, Finding, FindingState, Findings};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Reply, Seaworthy, command::request};

/// The request of `doctor`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct DoctorRequest {
    /// Send each notifier a test message.
    #[cfg_attr(feature = "clap", arg(long))]
    pub notify: bool,
}

request!(DoctorRequest, "doctor", doctor -> DoctorResult);

/// The result of `doctor`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DoctorResult {
    /// One for each check, part by part.
    pub checks: Vec<Finding>,
}

impl Seaworthy {
    /// Checks each part of the file. Parts are checked in parallel. A failed check is
    /// [`Outcome::Findings`].
    pub async fn doctor(&self, request: &DoctorRequest, cx: &Context) -> Reply<DoctorResult> {
        let _new_folders = self.new_folders();
        let own = async { vec![self.look_at_own_files(), self.look_at_disks()] };
        let sinks = join_all(self.config.sink.names().map(|name| self.try_sink(name, cx)));
        let sources = self.try_sources(cx);
        let programs = self.try_programs(cx);
        let certificates = self.try_certificates(cx);
        let notifiers = self.try_notifiers(request.notify, cx);
        let (own, sinks, sources, programs, certificates, notifiers) =
            tokio::join!(own, sinks, sources, programs, certificates, notifiers);
        let parts = [own, sinks, sources, programs, certificates, notifiers];
        let parts = parts.into_iter().flatten();
        let mut checks: Vec<_> = parts.flat_map(Findings::into_vec).collect();
        group(&mut checks);
        let failed = checks.iter().any(|check| check.state == FindingState::Failed);
        let outcome = if failed { Outcome::Findings } else { Outcome::Done };
        let stopped = cx.check("doctor").err();
        Reply::new(DoctorResult { checks }, outcome).with_error(stopped)
    }
}

/// Groups the checks of one part, at the position of the first.
fn group(checks: &mut [Finding]) {
    let mut order: HashMap<String, usize> = HashMap::new();
    for check in &*checks {
        let next = order.len();
        order.entry(check.part.clone()).or_insert(next);
    }
    checks.sort_by_key(|check| order.get(&check.part).copied());
}
