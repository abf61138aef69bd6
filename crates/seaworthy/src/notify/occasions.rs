//! Turns results of commands into notices.

use seaworthy_backup::BackupReport;
use seaworthy_core::{ByteSize, Context, Error, ErrorKind, Event, Name, Timestamp};

use super::{Delivery, Notice, Occasion, Subject, SubjectKind};
use crate::{Outcome, Seaworthy, command::SnapshotName, machine};

/// Which fraction of a certificate's lifetime counts as its end: with timely renewals this is never
/// reached.
const END_OF_LIFE: u64 = 6;

impl Seaworthy {
    /// A notice of `occasion` for the `kind` `name`, now and on this machine.
    pub fn notice(
        &self,
        kind: SubjectKind,
        name: &Name,
        occasion: Occasion,
        cx: &Context,
    ) -> Notice {
        let host = machine::host_name().unwrap_or_else(|| "this machine".to_owned());
        Notice::new(occasion, Subject::new(kind, name.clone()), host, cx.now())
    }

    /// Sends the event that an operation begins.
    pub(crate) fn emit_started(&self, kind: SubjectKind, name: &Name, cx: &Context) {
        let (operation, name) = (kind.word().to_owned(), name.to_string());
        cx.emit(Event::OperationStarted { operation, name });
    }

    /// Sends the event of how it ended.
    pub(crate) fn emit_ended(
        &self,
        kind: SubjectKind,
        name: &Name,
        outcome: Outcome,
        error: Option<&Error>,
        cx: &Context,
    ) {
        cx.emit(Event::OperationEnded {
            operation: kind.word().to_owned(),
            name: name.to_string(),
            outcome: outcome.name().to_owned(),
            error: error.map(Error::chain),
        });
    }

    /// Notifies about the result for a job's snapshot: success, unless there are faults or an
    /// error.
    pub(crate) async fn tell_of(
        &self,
        kind: SubjectKind,
        snapshot: &SnapshotName,
        faults: &[String],
        error: Option<&Error>,
        cx: &Context,
    ) -> Vec<Delivery> {
        let good = faults.is_empty() && error.is_none();
        let found = if faults.is_empty() { Outcome::Done } else { Outcome::Findings };
        let outcome = error.map_or(found, |error| found.and(Outcome::from(error)));
        self.emit_ended(kind, &snapshot.job, outcome, error, cx);
        if error.is_some_and(|error| is_no_news(error, snapshot)) {
            return Vec::new();
        }
        let occasion = if good { Occasion::Success } else { Occasion::Failure };
        let mut notice = self.notice(kind, &snapshot.job, occasion, cx);
        for fault in faults {
            notice = notice.line(fault);
        }
        if let Some(error) = error {
            notice = notice.because(error);
        }
        self.notify(&notice, cx).await
    }

    /// Notifies about the result for a certificate: whether a new one was `issued`, and what went
    /// wrong.
    pub(crate) async fn tell_of_certificate(
        &self,
        name: &Name,
        issued: bool,
        error: Option<&Error>,
        cx: &Context,
    ) -> Vec<Delivery> {
        let outcome = error.map_or(Outcome::Done, Outcome::from);
        self.emit_ended(SubjectKind::Certificate, name, outcome, error, cx);
        if error.is_some_and(|error| error.kind() == ErrorKind::Cancelled) {
            return Vec::new();
        }
        // Do not read a thousand certificates if no notifier wants to know.
        if self.config.notify.is_empty() {
            return Vec::new();
        }
        let manager = self.certificate_manager();
        let store = manager.store();
        let id = store.current_id(name).ok().flatten();
        let current = id.and_then(|id| store.glance(name, &id).ok().flatten());
        let validity = current.map(|glance| glance.leaf.validity());
        let ends = validity.filter(|validity| {
            let left = validity.not_after.since(cx.now()).as_secs();
            left < validity.lifetime().as_secs() / END_OF_LIFE
        });
        let occasion = match (error, ends) {
            (_, Some(_)) => Occasion::Expiring,
            (Some(_), None) => Occasion::Failure,
            (None, None) if issued => Occasion::Success,
            (None, None) => Occasion::Recovery,
        };
        let mut notice = self.notice(SubjectKind::Certificate, name, occasion, cx);
        if let Some(error) = error {
            notice = notice.because(error);
        }
        if let Some(validity) = validity {
            let days = validity.not_after.since(cx.now()).as_secs() / 86_400;
            notice = notice.fact("ends", validity.not_after).fact("days left", days);
        }
        self.notify(&notice, cx).await
    }
}

/// The notice for a run announced by `begun`; `None` if a person stopped it.
pub(crate) fn of_backup(
    begun: &Notice,
    done: &seaworthy_core::Result<BackupReport>,
    outcome: Outcome,
    now: Timestamp,
) -> Option<Notice> {
    let mut notice = begun.clone();
    notice.time = now;
    let report = match done {
        Err(error) if error.kind() == ErrorKind::Cancelled => return None,
        Err(error) => return Some(notice.turned_into(Occasion::Failure, None).because(error)),
        Ok(report) => report,
    };
    let occasion = match outcome {
        Outcome::Done => Occasion::Success,
        Outcome::Losses => Occasion::Suspect,
        _ => Occasion::Failure,
    };
    let mut notice = notice.turned_into(occasion, None);
    for suspicion in report.suspicions.iter().filter(|_| !report.accepted) {
        notice = notice.line(suspicion.to_string());
    }
    if !report.is_good() && report.verified.as_ref().is_none_or(|v| v.is_good()) {
        notice.remedy =
            Some(format!("`seaworthy backup --accept {}` takes it as right, if it is", report.job));
    }
    for finding in report.verified.iter().flat_map(|verified| verified.findings.iter().take(10)) {
        notice = notice.line(format!("damaged: {finding}"));
    }
    let unreadable: u64 = report.sources.iter().map(|source| source.summary.unreadable).sum();
    if unreadable > 0 {
        notice = notice.line(format!("{unreadable} items could not be read"));
        for loss in report.losses.iter().take(10) {
            let path = loss.path.as_path().display();
            notice = notice.line(format!("/{path}: {}", loss.why));
        }
    }
    for replica in &report.replicas {
        if let Some(error) = &replica.error {
            notice = notice.line(format!("the copy in {} is behind: {error}", replica.sink));
        }
    }
    if let Some(error) = &report.prune_error {
        notice = notice.line(format!("retention: {error}"));
    }
    let seconds = format!("{:.1} s", report.seconds);
    Some(
        notice
            .fact("snapshot", format!("{}@{}", report.job, report.id))
            .fact("data", ByteSize::new(report.plain))
            .fact("stored", ByteSize::new(report.stored))
            .fact("took", seconds),
    )
}

/// Whether only the request was invalid, or a person stopped it.
fn is_no_news(error: &Error, snapshot: &SnapshotName) -> bool {
    match Outcome::from(error) {
        Outcome::Interrupted => true,
        Outcome::Wrong => snapshot.id != "latest",
        _ => false,
    }
}
