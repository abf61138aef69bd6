//! Output of `status`.

use std::io::{self, Write};

use seaworthy::{
    Status,
    status::{
        CertificateStatus, DiskStatus, JobStatus, ServiceState, Severity, SinkStatus, SiteStatus,
        ago,
    },
};

use super::{Page, Report, count, size};
use crate::terminal::one_line;

impl Report for Status {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let name = self.host_name.as_deref().unwrap_or(&self.host);
        let worse: Vec<_> = [(Severity::Error, "error"), (Severity::Warning, "warning")]
            .into_iter()
            .filter_map(|(severity, word)| match self.count(severity) {
                0 => None,
                n => Some(count(n as u64, word)),
            })
            .collect();
        match worse.is_empty() {
            true => writeln!(out, "{}: all is well", one_line(name))?,
            false => writeln!(out, "{}: {}", one_line(name), worse.join(", "))?,
        }
        findings(self, out)?;
        section("backups", &jobs(&self.jobs, out), out)?;
        section("certificates", &certificates(&self.certificates, out), out)?;
        section("sites", &sites(&self.sites), out)?;
        section("services", &services(&self.services), out)?;
        section("disks", &disks(&self.disks), out)
    }
}

fn findings(status: &Status, out: &mut Page) -> io::Result<()> {
    if !status.findings.is_empty() {
        writeln!(out)?;
    }
    for finding in &status.findings {
        let (severity, subject) = (finding.severity.name(), one_line(&finding.subject));
        writeln!(out, "{severity:<8} {subject}: {}", one_line(&finding.message))?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "         help: {}", one_line(remedy))?;
        }
    }
    Ok(())
}

/// A table: its first row is the header. Without other rows nothing is printed.
fn section(title: &str, rows: &[Vec<String>], out: &mut Page) -> io::Result<()> {
    if rows.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str("  ");
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(one_line).to_vec()
}

fn jobs(jobs: &[JobStatus], page: &Page) -> Vec<Vec<String>> {
    let head = row([
        "job",
        "sink",
        "last good",
        "next",
        "data",
        "stored",
        "rows",
        "good",
        "drill",
        "lacks",
        "prune",
    ]);
    let rows =
        jobs.iter().flat_map(|job| job.sinks.iter().map(move |sink| job_row(job, sink, page)));
    std::iter::once(head).chain(rows).collect()
}

fn job_row(job: &JobStatus, sink: &SinkStatus, page: &Page) -> Vec<String> {
    let name = match &job.host_name {
        _ if job.ours => job.job.to_string(),
        Some(host) => format!("{} of {host}", job.job),
        None => format!("{} of {}", job.job, job.host),
    };
    if sink.error.is_some() {
        return row([&name, sink.sink.as_str(), "cannot be asked"]);
    }
    let good = sink.last_good.as_ref();
    let late = if sink.overdue { ", OVERDUE" } else { "" };
    let age = sink.age.map_or("never".to_owned(), |age| format!("{} ago{late}", ago(age)));
    let next = job.next.filter(|_| !sink.replica).map_or("-".to_owned(), |next| page.time(next));
    let dash = || "-".to_owned();
    let drill = sink.last_drill.as_ref();
    let drill = drill.map_or(dash(), |drill| format!("{}, {} ago", drill.outcome, ago(drill.age)));
    let many = |ids: &[String]| if ids.is_empty() { dash() } else { ids.len().to_string() };
    let prune = match sink.prune.len() {
        0 => dash(),
        n => format!("{n} ({})", size(sink.prune_frees)),
    };
    row([
        &name,
        sink.sink.as_str(),
        &age,
        &next,
        &good.map_or(dash(), |good| size(good.plain).to_string()),
        &good.map_or(dash(), |good| size(good.stored).to_string()),
        &good.and_then(|good| good.rows).map_or(dash(), |rows| rows.to_string()),
        &format!("{} of {}", sink.good, sink.snapshots),
        &drill,
        &many(&sink.lacks),
        &prune,
    ])
}

fn certificates(certificates: &[CertificateStatus], page: &Page) -> Vec<Vec<String>> {
    let rows = certificates.iter().map(|certificate| {
        let days = certificate.days_left.map_or("none".to_owned(), |days| count(days, "day"));
        let served = match certificate.served {
            None => "not looked at",
            Some(true) => "served",
            Some(false) => "NOT served",
        };
        let renewal = certificate.renewal.map_or("-".to_owned(), |renewal| page.time(renewal));
        let names = certificate.names.join(", ");
        row([certificate.name.as_str(), &days, served, &renewal, &names])
    });
    let head = row(["certificate", "left", "served", "renewal", "names"]);
    std::iter::once(head).chain(rows).collect()
}

fn sites(sites: &[SiteStatus]) -> Vec<Vec<String>> {
    let rows = sites.iter().map(|site| {
        let well = if site.well { "answers" } else { "DOWN" };
        let code = site.code.map_or("-".to_owned(), |code| code.to_string());
        let tls = if site.tls { "https" } else { "http" };
        let took = format!("{} ms", site.milliseconds);
        row([site.site.as_str(), &site.host, tls, well, &code, &took])
    });
    let head = row(["site", "host", "over", "state", "code", "took"]);
    std::iter::once(head).chain(rows).collect()
}

fn services(services: &[ServiceState]) -> Vec<Vec<String>> {
    let rows = services.iter().map(|service| {
        let well = service.instances.iter().filter(|instance| instance.well).count();
        let state = match (&service.error, service.well) {
            (Some(_), _) => "unknown",
            (None, true) => "well",
            (None, false) => "NOT healthy",
        };
        let instances = format!("{well} of {}", service.instances.len());
        let memory: u64 = service.instances.iter().filter_map(|instance| instance.memory).sum();
        let memory = if memory == 0 { "-".to_owned() } else { size(memory).to_string() };
        let restarts: u64 = service.instances.iter().map(|instance| instance.restarts).sum();
        row([service.service.as_str(), state, &instances, &memory, &restarts.to_string()])
    });
    let head = row(["service", "state", "instances", "memory", "restarts"]);
    std::iter::once(head).chain(rows).collect()
}

fn disks(disks: &[DiskStatus]) -> Vec<Vec<String>> {
    let rows = disks.iter().map(|disk| {
        let growth = match disk.growth {
            None => "-".to_owned(),
            Some(growth) => {
                let sign = if growth < 0 { "-" } else { "+" };
                format!("{sign}{}", size(growth.unsigned_abs()))
            }
        };
        let full = match disk.full_in_days {
            None => "-".to_owned(),
            Some(days) => format!("in {}", count(days, "day")),
        };
        let folders: Vec<_> = disk.folders.iter().map(|f| f.display().to_string()).collect();
        let (free, total) = (size(disk.free).to_string(), size(disk.total).to_string());
        let snapshots = size(disk.snapshots).to_string();
        row([&free, &total, &snapshots, &growth, &full, &folders.join(", ")])
    });
    let head = row(["free", "of", "snapshots", "in 30 days", "full", "folders"]);
    std::iter::once(head).chain(rows).collect()
}
