//! `cert`: certificates issued, renewed, deployed, and proved to be served.

mod check;
mod cleanup;
mod import;
mod list;
mod revoke;

use std::collections::HashMap;

use seaworthy_core::{Context, Error, Name, Result};
use seaworthy_tls::{
    Action,
    manage::{Finding, Issued, Report, RunOptions},
};
use serde::Serialize;

pub use check::{CheckResult, Checked, Target};
pub use cleanup::{CleanupRequest, CleanupResult};
pub use import::{ImportRequest, ImportResult, Imported};
pub use list::{CertState, ListResult};
pub use revoke::RevokeResult;

use crate::{
    ErrorDocument, Outcome, Reply, Seaworthy,
    certificates::Shared,
    notify::{Delivery, SubjectKind},
};

/// What `cert issue` and `cert renew` are asked.
#[derive(Clone, Debug, Default)]
pub struct CertRequest {
    /// The certificates; all of them when none is named.
    pub names: Vec<Name>,
    /// Do everything against the authorities' directories for trying out, and store nothing.
    pub dry_run: bool,
    /// Use those directories, and store what they issue.
    pub staging: bool,
    /// Get a new certificate whether or not one is due, and use the last slot of a limit.
    pub force: bool,
    /// Take what is only likely to fail as certain.
    pub strict: bool,
    /// Look at nothing before the authorities are asked.
    pub skip_checks: bool,
    /// Say [`Outcome::NothingToDo`] where nothing had to be done.
    pub detailed: bool,
}

/// What `cert issue` and `cert renew` did.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CertResult {
    /// Each certificate, in the order of the file.
    pub certificates: Vec<CertRun>,
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Who was told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Delivery>,
}

/// What was done about one certificate.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CertRun {
    /// The certificate.
    pub name: Name,
    /// What was due.
    pub action: Option<Action>,
    /// The certificate that was issued.
    pub issued: Option<Issued>,
    /// Whether the newest certificate is deployed.
    pub deployed: bool,
    /// What was found not to be right before an authority was asked.
    pub findings: Vec<Finding>,
    /// What went wrong.
    pub error: Option<ErrorDocument>,
}

impl Seaworthy {
    /// Issues what is missing or due, without waiting after failures: somebody asks for it.
    pub async fn cert_issue(&self, request: &CertRequest, cx: &Context) -> Reply<CertResult> {
        self.cert_run(request, true, cx).await
    }

    /// Issues what is missing or due; after a failure it waits, as the file on disk says.
    pub async fn cert_renew(&self, request: &CertRequest, cx: &Context) -> Reply<CertResult> {
        self.cert_run(request, false, cx).await
    }

    async fn cert_run(&self, request: &CertRequest, now: bool, cx: &Context) -> Reply<CertResult> {
        let names = match self.certificate_names(&request.names) {
            Ok(names) => names,
            Err(error) => return error.into(),
        };
        let mut options = RunOptions::default();
        options.now = now;
        options.force = request.force;
        options.strict = request.strict;
        options.skip_checks = request.skip_checks;
        options.dry_run = request.dry_run;
        let staging = request.staging || request.dry_run;
        let mut shared = Shared::default();
        let mut certificates = Vec::new();
        let mut unready: Vec<(Name, Error)> = Vec::new();
        for name in &names {
            match self.managed_certificate(name, staging, &mut shared, cx).await {
                Ok(certificate) => certificates.push(certificate),
                // One that cannot be begun does not stop the others.
                Err(error) => unready.push((name.clone(), error)),
            }
        }
        for name in names.iter().filter(|_| !staging) {
            self.emit_started(SubjectKind::Certificate, name, cx);
        }
        let manager = self.certificate_manager();
        let reports = manager.run_all(&certificates, &options, cx).await;
        let unchanged = reports.iter().all(Report::is_unchanged) && unready.is_empty();
        let nothing = unchanged && request.detailed;
        let mut outcome = if nothing { Outcome::NothingToDo } else { Outcome::Done };
        let mut first_error = None;
        let mut runs: Vec<CertRun> = Vec::new();
        let mut notified = Vec::new();
        if !staging {
            let issued = |report: &Report| report.issued.is_some();
            let done = reports.iter().map(|r| (&r.name, issued(r), r.error.as_ref()));
            let unready = unready.iter().map(|(name, error)| (name, false, Some(error)));
            for (name, issued, error) in done.chain(unready) {
                notified.extend(self.tell_of_certificate(name, issued, error, cx).await);
            }
        }
        for report in reports {
            outcome = outcome.and(outcome_of(&report));
            let error = report.error.as_ref().map(ErrorDocument::new);
            runs.push(CertRun {
                name: report.name,
                action: Some(report.action),
                issued: report.issued,
                deployed: report.deployed,
                findings: report.findings,
                error,
            });
            first_error = first_error.or(report.error);
        }
        for (name, error) in unready {
            outcome = outcome.and(Outcome::from(&error));
            runs.push(CertRun {
                name,
                action: None,
                issued: None,
                deployed: false,
                findings: Vec::new(),
                error: Some(ErrorDocument::new(&error)),
            });
            first_error = first_error.or(Some(error));
        }
        let places: HashMap<&Name, usize> = names.iter().zip(0..).collect();
        runs.sort_by_key(|run| places.get(&run.name).copied());
        let mut reply = Reply::new(
            CertResult { certificates: runs, dry_run: request.dry_run, notified },
            outcome,
        );
        reply.error = first_error;
        reply
    }
}

fn outcome_of(report: &Report) -> Outcome {
    match &report.error {
        None => Outcome::NothingToDo,
        Some(error) if error.kind() == seaworthy_core::ErrorKind::Cancelled => Outcome::Interrupted,
        Some(_) if report.is_issued_but_not_deployed() => Outcome::NotDeployed,
        Some(error) => match Outcome::from(error) {
            // The command line was right: it is the certificate that failed.
            Outcome::Wrong => Outcome::Failed,
            other => other,
        },
    }
}

/// The text of the first error of many, in its own words.
fn first<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}
