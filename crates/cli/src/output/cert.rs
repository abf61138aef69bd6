//! Output of `cert`.

use std::io::{self, Write};

use seaworthy::{
    command::{
        CertResult, CertRun, CheckResult, CleanupResult, ImportResult, ListResult, RevokeResult,
    },
    tls::{Action, Identifier},
};

use super::{Page, Report};
use crate::terminal::one_line;

impl Report for CertResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        if self.certificates.is_empty() {
            writeln!(out, "the file has no certificates")?;
        }
        for run in &self.certificates {
            write_run(run, self.dry_run, out)?;
            if self.dry_run {
                write_findings(run, out)?;
            }
        }
        Ok(())
    }
}

pub(super) fn write_run(run: &CertRun, dry_run: bool, out: &mut Page) -> io::Result<()> {
    let name = &run.name;
    let (issued, error) = (&run.issued, &run.error);
    match (issued, error, run.action) {
        (Some(issued), None, _) if dry_run => {
            writeln!(out, "{name}: would be issued by {}", issued.provider)
        }
        (Some(issued), None, _) => {
            writeln!(out, "{name}: issued until {} and deployed", out.time(issued.not_after))?;
            writeln!(out, "  names     {}", joined(&issued.names))?;
            writeln!(out, "  by        {}", issued.provider)?;
            writeln!(out, "  sha256    {}", issued.fingerprint)
        }
        (Some(issued), Some(error), _) => {
            writeln!(out, "{name}: issued until {}, but NOT DEPLOYED", out.time(issued.not_after))?;
            writeln!(out, "  {}", one_line(&error.message))
        }
        (None, Some(error), Some(Action::Deploy)) => {
            writeln!(out, "{name}: NOT DEPLOYED")?;
            writeln!(out, "  {}", one_line(&error.message))
        }
        (None, Some(error), _) => {
            writeln!(out, "{name}: FAILED")?;
            for line in error.message.lines() {
                writeln!(out, "  {}", line.trim())?;
            }
            match &error.remedy {
                Some(remedy) => writeln!(out, "  help: {}", one_line(remedy)),
                None => Ok(()),
            }
        }
        (None, None, Some(Action::Rest { until })) => {
            writeln!(out, "{name}: nothing to do before {}", out.time(until))
        }
        (None, None, Some(Action::Wait { until })) => {
            writeln!(out, "{name}: due, but after a failure it waits until {}", out.time(until))
        }
        (None, None, Some(Action::Deploy)) => writeln!(out, "{name}: deployed"),
        (None, None, _) => writeln!(out, "{name}: nothing done"),
    }
}

/// What to fix before the real request, and how. Certain failures are already in the error.
fn write_findings(run: &CertRun, out: &mut Page) -> io::Result<()> {
    let said =
        |message: &str| run.error.as_ref().is_some_and(|error| error.message.contains(message));
    for finding in run.findings.iter().filter(|finding| !said(&finding.message)) {
        writeln!(out, "  perhaps   {}: {}", finding.about, one_line(&finding.message))?;
        writeln!(out, "            help: {}", one_line(&finding.remedy))?;
    }
    Ok(())
}

impl Report for ListResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        if self.certificates.is_empty() {
            writeln!(out, "there are no certificates")?;
        }
        for state in &self.certificates {
            let name = &state.name;
            match state.not_after {
                Some(end) => writeln!(out, "{name}: until {}", out.time(end))?,
                None => writeln!(out, "{name}: not issued yet")?,
            }
            writeln!(out, "  names     {}", joined(&state.names))?;
            if let Some(issuer) = &state.issuer {
                writeln!(out, "  issuer    {}", one_line(issuer))?;
                writeln!(out, "  files     {}", state.live.display())?;
            }
            match state.action {
                Some(Action::Rest { until }) => writeln!(out, "  renewal   {}", out.time(until))?,
                Some(Action::Wait { until }) => {
                    writeln!(out, "  waits     until {}", out.time(until))?
                }
                Some(Action::Renew { .. }) => writeln!(out, "  renewal   due")?,
                Some(Action::Deploy) => writeln!(out, "  deploy    due")?,
                _ if !state.configured => writeln!(out, "  unused    it is not in the file")?,
                _ => {}
            }
            if let Some(error) = &state.last_error {
                writeln!(out, "  failed    {} times: {}", state.failures, one_line(error))?;
            }
        }
        Ok(())
    }
}

impl Report for CheckResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for checked in &self.checked {
            let place = match checked.address {
                Some(address) => format!("{} at {address}", checked.target),
                None => format!("{} on disk", checked.target),
            };
            match (checked.days_left, checked.findings.is_empty()) {
                (Some(days), true) => writeln!(out, "{place}: good, {days} days left")?,
                (Some(days), false) => writeln!(out, "{place}: NOT GOOD, {days} days left")?,
                (None, _) => writeln!(out, "{place}: NOT GOOD")?,
            }
            for finding in &checked.findings {
                writeln!(out, "  {}", one_line(finding))?;
            }
        }
        Ok(())
    }
}

impl Report for RevokeResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for (name, fingerprint) in &self.revoked {
            writeln!(out, "{name}: revoked {fingerprint}; `seaworthy cert renew` gets a new one")?;
        }
        Ok(())
    }
}

impl Report for ImportResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let done = if self.dry_run { "would be imported" } else { "imported" };
        for certificate in &self.certificates {
            match certificate.kept_ours {
                true => writeln!(out, "{}: there is already one, which is kept", certificate.name)?,
                false => writeln!(out, "{}: {done}", certificate.name)?,
            }
        }
        for account in &self.accounts {
            writeln!(out, "account at {account}: {done}")?;
        }
        for note in &self.notes {
            writeln!(out, "skipped: {}", one_line(note))?;
        }
        if !self.certificates.is_empty() {
            writeln!(out, "\nwrite this into seaworthy.toml, and then disable certbot's timer:\n")?;
            write!(out, "{}", self.settings)?;
        }
        Ok(())
    }
}

impl Report for CleanupResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let done = if self.dry_run { "would be removed" } else { "removed" };
        for name in &self.removed {
            writeln!(out, "{name}: {done}")?;
        }
        for (name, place) in &self.in_use {
            writeln!(out, "{name}: stays, {} names it", place.display())?;
        }
        if self.removed.is_empty() && self.in_use.is_empty() {
            writeln!(out, "there are no unused certificates")?;
        }
        Ok(())
    }
}

fn joined(names: &[Identifier]) -> String {
    names.iter().map(Identifier::to_string).collect::<Vec<_>>().join(", ")
}
