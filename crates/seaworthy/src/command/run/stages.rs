//! The parts of a run, each after the other.

use seaworthy_backup::{config::JobConfig, format::SnapshotKind};
use seaworthy_core::{Context, Error, ErrorKind, Name, Result, Timestamp};
use seaworthy_tls::{Action, manage::RunOptions};

use super::{Run, TaskKind, TaskReport};
use crate::{
    Outcome, Reply, Seaworthy, SnapshotName,
    command::{BackupRequest, CertRenewRequest, CertRun, DrillRequest, SyncRequest},
    due::{self, Ran, Reason, When},
    keys::Purpose,
};

impl Run<'_> {
    /// Everything. Fails only if it cannot continue.
    pub(super) async fn all_stages(&mut self) -> Result<()> {
        self.certificates().await?;
        self.backups().await?;
        self.copies().await?;
        self.prunes().await?;
        self.drills().await
    }

    fn now(&self) -> Timestamp {
        self.cx.now()
    }

    fn jobs(&self) -> Vec<(Name, JobConfig)> {
        let jobs = self.seaworthy.config.backup.iter();
        jobs.map(|(name, config)| (name.clone(), config.clone())).collect()
    }

    async fn certificates(&mut self) -> Result<()> {
        self.cx.check("run")?;
        if self.seaworthy.config.certificate.is_empty() {
            return Ok(());
        }
        if self.result.dry_run {
            return self.certificates_due().await;
        }
        let request = CertRenewRequest::default();
        let reply = self.seaworthy.cert_renew(&request, self.cx).await;
        let (outcome, mut first) = (reply.outcome, reply.error);
        for run in reply.result.into_iter().flat_map(|result| result.certificates) {
            let name = run.name.clone();
            let reason = match (run.action, &run.error) {
                (Some(Action::Rest { until } | Action::Wait { until }), None) => {
                    self.due(When::At(until), TaskKind::Certificate, &name);
                    continue;
                }
                (Some(action), _) => Reason::Certificate { action },
                (None, _) => Reason::Failed,
            };
            self.add(TaskKind::Certificate, &name, None, reason);
            let task = run.error.clone();
            let outcome = certificate_outcome(&run);
            self.ended(outcome, None, Some(TaskReport::Certificate(Box::new(run))));
            if let (Some(task), Some(last)) = (task, self.result.tasks.last_mut()) {
                last.error = Some(task);
            }
        }
        self.outcome = self.outcome.and(outcome);
        if let Some(error) = first.take() {
            let is_cancelled = error.kind() == ErrorKind::Cancelled;
            self.error.get_or_insert(error);
            if is_cancelled {
                return Err(Error::cancelled("run"));
            }
        }
        Ok(())
    }

    /// What would be done about certificates. No authority is asked.
    async fn certificates_due(&mut self) -> Result<()> {
        let manager = self.seaworthy.certificate_manager();
        let opener = self.seaworthy.certificate_opener();
        for name in self.seaworthy.certificate_names(&[])? {
            let action = async {
                let certificate =
                    self.seaworthy.managed_certificate(&name, &opener, self.cx).await?;
                let history = manager.history(&name)?;
                manager.action(&certificate, &RunOptions::default(), &history, self.cx)
            };
            match action.await {
                Ok(Action::Rest { until } | Action::Wait { until }) => {
                    self.due(When::At(until), TaskKind::Certificate, &name);
                }
                Ok(action) => {
                    let reason = Reason::Certificate { action };
                    self.add(TaskKind::Certificate, &name, None, reason);
                }
                Err(error) => {
                    self.add(TaskKind::Certificate, &name, None, Reason::Failed);
                    self.ended(Outcome::Failed, Some(error), None);
                }
            }
        }
        Ok(())
    }

    async fn backups(&mut self) -> Result<()> {
        for (name, config) in self.jobs() {
            self.cx.check("run")?;
            let Some(schedule) = &config.schedule else { continue };
            let zone = self.seaworthy.config.time_zone();
            let when = |now, ran: &Ran| due::by_schedule(now, schedule, &zone, ran, None);
            let mut ran = self.memory.backups.get(&name).copied().unwrap_or_default();
            if let When::Now(_) = when(self.now(), &ran) {
                // A backup may have been made by hand; a sink that cannot be asked will report an
                // error soon.
                let made = self.seaworthy.newest_backup(&name, self.cx).await.ok().flatten();
                let newer = |made: &Timestamp| Some(*made) > ran.began && *made <= self.now();
                if let Some(made) = made.filter(newer) {
                    ran.begin(made);
                    ran.end(made, true);
                }
            }
            let due = self.due(when(self.now(), &ran), TaskKind::Backup, &name);
            if !self.result.dry_run {
                self.memory.backups.insert(name.clone(), ran);
            }
            let Some(reason) = due else { continue };
            self.add(TaskKind::Backup, &name, None, reason);
            if self.result.dry_run {
                continue;
            }
            self.backup(&name, ran).await?;
            if let Some(after) = self.memory.backups.get(&name).copied() {
                self.due(when(self.now(), &after), TaskKind::Backup, &name);
            }
        }
        if self.result.dry_run { Ok(()) } else { self.keep_memory() }
    }

    async fn backup(&mut self, name: &Name, before: Ran) -> Result<()> {
        let mut ran = before;
        ran.begin(self.now());
        self.memory.backups.insert(name.clone(), ran);
        self.keep_memory()?;
        let request = BackupRequest { jobs: vec![name.clone()], ..BackupRequest::default() };
        let Reply { outcome, result, error } = self.seaworthy.backup(&request, self.cx).await;
        let job = result.and_then(|result| result.jobs.into_iter().next());
        let report = job.as_ref().and_then(|job| job.report.as_ref());
        if let Some(report) = report.filter(|report| !report.replicas.is_empty()) {
            let good = report.replicas_are_good();
            let copies = self.memory.copies.entry(name.clone()).or_default();
            copies.begin(self.cx.now());
            copies.end(self.cx.now(), good);
        }
        match error.as_ref().map(Error::kind) {
            // The next run starts it again.
            Some(ErrorKind::Cancelled) => {}
            // The other process does this work, or leaves it to the next run.
            Some(ErrorKind::Locked) => {
                self.memory.backups.insert(name.clone(), before);
            }
            _ => {
                ran.end(self.now(), report.is_some_and(|report| report.is_good()));
                self.memory.backups.insert(name.clone(), ran);
            }
        }
        self.ended(outcome, error, job.map(|job| TaskReport::Backup(Box::new(job))));
        self.keep_memory()
    }

    async fn copies(&mut self) -> Result<()> {
        for (name, config) in self.jobs() {
            self.cx.check("run")?;
            if config.sinks.len() < 2 {
                continue;
            }
            let before = self.memory.copies.get(&name).copied().unwrap_or_default();
            let when = due::copies(self.now(), &before);
            let Some(reason) = self.due(when, TaskKind::Copies, &name) else { continue };
            self.add(TaskKind::Copies, &name, None, reason);
            if self.result.dry_run {
                continue;
            }
            let began = self.now();
            let request = SyncRequest { jobs: vec![name.clone()] };
            let reply = self.seaworthy.sync(&request, self.cx).await;
            if !is_retryable(reply.error.as_ref()) {
                let ran = self.memory.copies.entry(name.clone()).or_default();
                ran.begin(began);
                ran.end(self.cx.now(), reply.outcome == Outcome::Done);
            }
            let synced = reply.result.map(|result| result.synced).unwrap_or_default();
            let nothing = synced.iter().all(|synced| synced.report.copied.is_empty());
            let outcome = match reply.outcome {
                Outcome::Done if nothing => Outcome::NothingToDo,
                other => other,
            };
            self.ended(outcome, reply.error, Some(TaskReport::Copies(synced)));
            self.keep_memory()?;
        }
        Ok(())
    }

    /// For other sinks retention is applied by each backup and by each copy.
    async fn prunes(&mut self) -> Result<()> {
        for (name, config) in self.jobs() {
            for sink in &config.sinks {
                self.cx.check("run")?;
                if !self.seaworthy.is_pruned_apart(&name, sink) {
                    continue;
                }
                let backup = self.memory.backups.get(&name).copied().unwrap_or_default();
                let of_job = self.memory.prunes.get(&name);
                let before = of_job.and_then(|all| all.get(sink)).copied().unwrap_or_default();
                let when = due::prune(self.now(), &backup, &before);
                let Some(reason) = self.due(when, TaskKind::Prune, &name) else { continue };
                self.add(TaskKind::Prune, &name, Some(sink), reason);
                if self.result.dry_run {
                    continue;
                }
                let began = self.now();
                let done = self.seaworthy.prune_sink(&name, sink, false, self.cx).await;
                if !is_retryable(done.as_ref().err()) {
                    let all = self.memory.prunes.entry(name.clone()).or_default();
                    let ran = all.entry(sink.clone()).or_default();
                    ran.begin(began);
                    ran.end(self.cx.now(), done.is_ok());
                }
                match done {
                    Ok(done) => {
                        self.ended(Outcome::Done, None, Some(TaskReport::Prune(vec![done])))
                    }
                    Err(error) => self.ended(Outcome::from(&error), Some(error), None),
                }
                self.keep_memory()?;
            }
        }
        Ok(())
    }

    async fn drills(&mut self) -> Result<()> {
        for (name, config) in self.jobs() {
            self.cx.check("run")?;
            let Some(schedule) = &config.drill.schedule else { continue };
            let zone = self.seaworthy.config.time_zone();
            let before = self.memory.drills.get(&name).copied().unwrap_or_else(|| {
                // A new schedule starts at its next time: a drill is expensive.
                let mut seen = Ran::default();
                seen.begin(self.cx.now());
                seen.end(self.cx.now(), true);
                seen
            });
            let when = |now, ran: &Ran| due::by_schedule(now, schedule, &zone, ran, None);
            let due = self.due(when(self.now(), &before), TaskKind::Drill, &name);
            if !self.result.dry_run {
                self.memory.drills.insert(name.clone(), before);
                self.keep_memory()?;
            }
            let Some(reason) = due else { continue };
            self.add(TaskKind::Drill, &name, None, reason);
            if self.result.dry_run {
                continue;
            }
            let mut ran = before;
            ran.begin(self.now());
            self.memory.drills.insert(name.clone(), ran);
            self.keep_memory()?;
            let latest = SnapshotName { job: name.clone(), id: "latest".into() };
            let request = DrillRequest { snapshots: vec![latest], ..DrillRequest::default() };
            let reply = self.seaworthy.drill(&request, self.cx).await;
            if !is_retryable(reply.error.as_ref()) {
                ran.end(self.now(), reply.outcome == Outcome::Done);
                self.memory.drills.insert(name.clone(), ran);
            }
            let drilled = reply.result.map(|result| result.drilled).unwrap_or_default();
            // A missing snapshot is not an error here.
            let outcome = match reply.outcome {
                Outcome::Wrong => Outcome::Failed,
                other => other,
            };
            self.ended(outcome, reply.error, Some(TaskReport::Drill(drilled)));
            self.keep_memory()?;
            self.due(when(self.now(), &ran), TaskKind::Drill, &name);
        }
        Ok(())
    }
}

/// Whether something did not really fail: it was stopped, or another process is doing it.
fn is_retryable(error: Option<&Error>) -> bool {
    error.is_some_and(|e| matches!(e.kind(), ErrorKind::Cancelled | ErrorKind::Locked))
}

fn certificate_outcome(run: &CertRun) -> Outcome {
    let has_one = run.issued.is_some() || run.action == Some(Action::Deploy);
    match &run.error {
        None => Outcome::Done,
        Some(_) if has_one && !run.deployed => Outcome::NotDeployed,
        Some(_) => Outcome::Failed,
    }
}

impl Seaworthy {
    /// When the newest backup of `job` by this machine in its first sink began.
    async fn newest_backup(&self, job: &Name, cx: &Context) -> Result<Option<Timestamp>> {
        let sink = self.first_sink(job)?;
        let repository = self.repository(job, &sink, Purpose::List, cx).await?;
        let there = repository.list(cx).await?;
        let ours = there.iter().filter(|snapshot| {
            snapshot.kind == SnapshotKind::Backup && snapshot.host.as_ref() == Some(&self.host)
        });
        Ok(ours.map(|snapshot| snapshot.time()).max())
    }

    /// Whether retention on `sink` is a separate task, and we are allowed to apply it.
    fn is_pruned_apart(&self, job: &Name, sink: &Name) -> bool {
        let Ok(kind) = self.sink_kind(sink) else { return false };
        kind.append_only() && kind.may_prune() && matches!(self.policy(job, sink), Ok(Some(_)))
    }
}
