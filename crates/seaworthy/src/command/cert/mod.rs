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
use serde::{Deserialize, Serialize};

pub use check::{CertCheckRequest, CheckResult, Checked, Target};
pub use cleanup::{CertCleanupRequest, CleanupResult};
pub use import::{CertImportRequest, ImportResult, Imported};
pub use list::{CertListRequest, CertShowRequest, CertState, ListResult};
pub use revoke::{CertRevokeRequest, RevokeResult};

use super::{request, requests};
use crate::{
    ErrorDocument, Outcome, Reply, Seaworthy,
    notify::{Delivery, SubjectKind},
};

requests! {
    /// Commands about certificates.
    #[derive(Deserialize)]
    #[serde(tag = "command", rename_all = "kebab-case")]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    CertCommand {
        /// Get certificates that are missing or due; default: all of them
        Issue(CertIssueRequest),
        /// The same for timers: after a failure it waits before it tries again
        Renew(CertRenewRequest),
        /// List the certificates
        List(CertListRequest),
        /// Show certificates; default: all of them
        Show(CertShowRequest),
        /// Check whether certificates are good, and whether they are what visitors see
        Check(CertCheckRequest),
        /// Revoke certificates; this cannot be undone
        Revoke(CertRevokeRequest),
        /// Import certbot's certificates and accounts, and print the equivalent settings
        ImportCertbot(CertImportRequest),
        /// Remove certificates that nothing uses
        Cleanup(CertCleanupRequest),
    }
}

/// What `cert issue` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertIssueRequest {
    /// Which certificates, and how.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub options: CertOptions,
}

request!(CertIssueRequest, "cert issue", cert_issue -> CertResult);

/// What `cert renew` is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertRenewRequest {
    /// Which certificates, and how.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub options: CertOptions,
}

request!(CertRenewRequest, "cert renew", cert_renew -> CertResult);

/// Which certificates are issued or renewed, and how.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertOptions {
    /// The certificates.
    #[cfg_attr(feature = "clap", arg(value_name = "NAME"))]
    pub names: Vec<Name>,
    /// Do everything with the staging directories, and store nothing.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// Use the staging directories: browsers do not trust their certificates.
    #[cfg_attr(feature = "clap", arg(long))]
    pub staging: bool,
    /// Get a new certificate even if none is due; use the last slot of a limit.
    #[cfg_attr(feature = "clap", arg(long))]
    pub force: bool,
    /// Treat likely findings as errors.
    #[cfg_attr(feature = "clap", arg(long))]
    pub strict: bool,
    /// Ask the authority immediately, without checking first whether it can work.
    #[cfg_attr(feature = "clap", arg(long, conflicts_with = "strict"))]
    pub skip_checks: bool,
}

/// The result of `cert issue` and `cert renew`.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct CertResult {
    /// Each certificate, in the order of the file.
    pub certificates: Vec<CertRun>,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// The notifications that were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<Delivery>,
}

/// The result for one certificate.
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
    /// The findings of the checks before an authority was asked.
    pub findings: Vec<Finding>,
    /// What went wrong.
    pub error: Option<ErrorDocument>,
}

impl Seaworthy {
    /// Issues what is missing or due, without waiting after failures: for a request by a person.
    pub async fn cert_issue(&self, request: &CertIssueRequest, cx: &Context) -> Reply<CertResult> {
        self.cert_run(&request.options, true, cx).await
    }

    /// Issues what is missing or due; after a failure it waits, according to the stored history.
    pub async fn cert_renew(&self, request: &CertRenewRequest, cx: &Context) -> Reply<CertResult> {
        self.cert_run(&request.options, false, cx).await
    }

    async fn cert_run(&self, request: &CertOptions, now: bool, cx: &Context) -> Reply<CertResult> {
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
        let opener = self.certificate_opener().staging(staging);
        let mut certificates = Vec::new();
        let mut unready: Vec<(Name, Error)> = Vec::new();
        for name in &names {
            match self.managed_certificate(name, &opener, cx).await {
                Ok(certificate) => certificates.push(certificate),
                // One that cannot be started does not stop the others.
                Err(error) => unready.push((name.clone(), error)),
            }
        }
        for name in names.iter().filter(|_| !staging) {
            self.emit_started(SubjectKind::Certificate, name, cx);
        }
        let manager = self.certificate_manager();
        let reports = manager.run_all(&certificates, &options, cx).await;
        let unchanged = reports.iter().all(Report::is_unchanged) && unready.is_empty();
        let mut outcome = if unchanged { Outcome::NothingToDo } else { Outcome::Done };
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
            // The request was valid: it is the certificate that failed.
            Outcome::Wrong => Outcome::Failed,
            other => other,
        },
    }
}

/// The first error of several.
fn first<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}
