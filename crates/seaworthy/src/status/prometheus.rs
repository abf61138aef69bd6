//! The document as metrics, in the text format of Prometheus.

use std::fmt::Write;

use seaworthy_core::Timestamp;

use super::{DiskStatus, JobStatus, Severity, SinkStatus, Status};

/// Labels and a value.
type Sample = (Vec<(&'static str, String)>, f64);

impl Status {
    /// The document as metrics: `text/plain; version=0.0.4`, for the textfile collector of the node
    /// exporter or any other way to Prometheus.
    pub fn prometheus(&self) -> String {
        let mut text = Text(String::new());
        self.overall(&mut text);
        self.backups(&mut text);
        self.checks(&mut text);
        self.web(&mut text);
        self.disks(&mut text);
        text.0
    }

    fn overall(&self, text: &mut Text) {
        let name = self.host_name.clone().unwrap_or_default();
        let labels = vec![("version", self.version.clone()), ("host_name", name)];
        text.gauge("seaworthy_info", "The program that made these metrics.", [(labels, 1.0)]);
        let help = "When this was determined.";
        text.gauge("seaworthy_status_timestamp_seconds", help, [(vec![], unix(self.time))]);
        let severities = [Severity::Error, Severity::Warning, Severity::Notice];
        let counts = severities.map(|severity| {
            (vec![("severity", severity.name().to_owned())], self.count(severity) as f64)
        });
        text.gauge("seaworthy_findings", "The number of findings.", counts);
        let mut findings: Vec<Sample> = Vec::new();
        for finding in &self.findings {
            let labels = vec![
                ("severity", finding.severity.name().to_owned()),
                ("rule", finding.rule.clone()),
                ("subject", finding.subject.clone()),
            ];
            // Two of the same kind about the same subject are one metric.
            match findings.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, count)) => *count += 1.0,
                None => findings.push((labels, 1.0)),
            }
        }
        text.gauge("seaworthy_finding", "Each finding.", findings);
    }

    fn backups(&self, text: &mut Text) {
        let of_jobs = |value: fn(&JobStatus) -> Option<f64>| {
            self.jobs.iter().filter_map(move |job| {
                let labels = vec![("backup", job.job.to_string()), ("machine", job.host.clone())];
                Some((labels, value(job)?))
            })
        };
        text.gauge(
            "seaworthy_backup_due_timestamp_seconds",
            "Since when a good backup should have begun, by the schedule.",
            of_jobs(|job| job.due.map(unix)),
        );
        text.gauge(
            "seaworthy_backup_next_timestamp_seconds",
            "When the job is due next, by the schedule.",
            of_jobs(|job| job.next.map(unix)),
        );
        text.gauge(
            "seaworthy_sink_up",
            "Whether the sink can be listed.",
            self.of_sinks(|sink| Some(flag(sink.error.is_none()))),
        );
        let asked = |value: fn(&SinkStatus) -> Option<f64>| {
            self.of_sinks(move |sink| value(sink).filter(|_| sink.error.is_none()))
        };
        text.gauge(
            "seaworthy_backup_last_good_timestamp_seconds",
            "When the newest good backup began.",
            asked(|sink| sink.last_good.as_ref().map(|good| unix(good.time))),
        );
        text.gauge(
            "seaworthy_backup_overdue",
            "Whether a new backup is overdue.",
            asked(|sink| Some(flag(sink.overdue))),
        );
        text.gauge(
            "seaworthy_backup_data_bytes",
            "The data of the newest good backup, before compression.",
            asked(|sink| sink.last_good.as_ref().map(|good| good.plain as f64)),
        );
        text.gauge(
            "seaworthy_backup_stored_bytes",
            "The size of the newest good backup in the sink.",
            asked(|sink| sink.last_good.as_ref().map(|good| good.stored as f64)),
        );
        text.gauge(
            "seaworthy_backup_rows",
            "The rows in the newest good backup, if they are counted.",
            asked(|sink| sink.last_good.as_ref()?.rows.map(|rows| rows as f64)),
        );
        text.gauge(
            "seaworthy_backup_duration_seconds",
            "How long the newest good backup took.",
            asked(|sink| sink.last_good.as_ref().map(|good| good.seconds)),
        );
        text.gauge(
            "seaworthy_sink_snapshots",
            "All snapshots there, including bad ones and safety snapshots.",
            asked(|sink| Some(sink.snapshots as f64)),
        );
        text.gauge(
            "seaworthy_sink_good_backups",
            "The good backups there.",
            asked(|sink| Some(sink.good as f64)),
        );
        text.gauge(
            "seaworthy_sink_damaged_snapshots",
            "The snapshots there that are damaged or untrusted.",
            asked(|sink| Some(sink.damaged as f64)),
        );
        text.gauge(
            "seaworthy_sink_stored_bytes",
            "The size of all snapshots there.",
            asked(|sink| Some(sink.stored as f64)),
        );
        text.gauge(
            "seaworthy_replica_lacking_snapshots",
            "Snapshots that a replica should have but does not.",
            asked(|sink| sink.replica.then_some(sink.lacks.len() as f64)),
        );
        text.gauge(
            "seaworthy_prune_next_snapshots",
            "What the retention policy would remove now.",
            asked(|sink| Some(sink.prune.len() as f64)),
        );
        text.gauge(
            "seaworthy_prune_next_bytes",
            "The space that this would free.",
            asked(|sink| Some(sink.prune_frees as f64)),
        );
    }

    fn checks(&self, text: &mut Text) {
        text.gauge(
            "seaworthy_drill_timestamp_seconds",
            "When the last restore drill ended.",
            self.of_sinks(|sink| sink.last_drill.as_ref().map(|drill| unix(drill.time))),
        );
        text.gauge(
            "seaworthy_drill_ok",
            "Whether the last restore drill succeeded.",
            self.of_sinks(|sink| sink.last_drill.as_ref().map(|d| flag(d.outcome == "ok"))),
        );
        text.gauge(
            "seaworthy_verify_timestamp_seconds",
            "When the last verification ended.",
            self.of_sinks(|sink| sink.last_verify.as_ref().map(|check| unix(check.time))),
        );
        text.gauge(
            "seaworthy_verify_ok",
            "Whether the last verification succeeded.",
            self.of_sinks(|sink| sink.last_verify.as_ref().map(|c| flag(c.outcome == "ok"))),
        );
    }

    fn web(&self, text: &mut Text) {
        let labels = |name: &str| vec![("certificate", name.to_owned())];
        let certificates = &self.certificates;
        text.gauge(
            "seaworthy_certificate_not_after_timestamp_seconds",
            "When the certificate on disk expires.",
            certificates.iter().filter_map(|c| Some((labels(c.name.as_str()), unix(c.not_after?)))),
        );
        text.gauge(
            "seaworthy_certificate_renewal_timestamp_seconds",
            "When its renewal is planned.",
            certificates.iter().filter_map(|c| Some((labels(c.name.as_str()), unix(c.renewal?)))),
        );
        text.gauge(
            "seaworthy_certificate_served",
            "Whether servers present it.",
            certificates.iter().filter_map(|c| Some((labels(c.name.as_str()), flag(c.served?)))),
        );
        let sites = |value: fn(&super::SiteStatus) -> f64| {
            self.sites.iter().map(move |site| {
                let labels = vec![("site", site.site.to_string()), ("host", site.host.clone())];
                (labels, value(site))
            })
        };
        text.gauge(
            "seaworthy_site_up",
            "Whether the site responds for the host.",
            sites(|site| flag(site.well)),
        );
        text.gauge(
            "seaworthy_site_answer_seconds",
            "The response time.",
            sites(|site| site.milliseconds as f64 / 1_000.0),
        );
        let services = |value: fn(&super::ServiceState) -> f64| {
            self.services
                .iter()
                .map(move |state| (vec![("service", state.service.to_string())], value(state)))
        };
        text.gauge(
            "seaworthy_service_instances",
            "The number of processes of the service.",
            services(|service| service.instances.len() as f64),
        );
        text.gauge(
            "seaworthy_service_well_instances",
            "How many of them are active and respond.",
            services(|service| service.instances.iter().filter(|one| one.well).count() as f64),
        );
    }

    fn disks(&self, text: &mut Text) {
        let disks = |value: fn(&DiskStatus) -> Option<f64>| {
            self.disks.iter().filter_map(move |disk| {
                let folder = disk.folders.first()?.display().to_string();
                Some((vec![("folder", folder)], value(disk)?))
            })
        };
        text.gauge(
            "seaworthy_disk_free_bytes",
            "The free space on the disk of the folder.",
            disks(|disk| Some(disk.free as f64)),
        );
        text.gauge(
            "seaworthy_disk_size_bytes",
            "The size of the disk of the folder.",
            disks(|disk| Some(disk.total as f64)),
        );
        text.gauge(
            "seaworthy_disk_full_in_seconds",
            "The time until snapshots fill it, if that is within 90 days.",
            disks(|disk| disk.full_in_days.map(|days| days as f64 * 86_400.0)),
        );
    }

    fn of_sinks(&self, value: impl Fn(&SinkStatus) -> Option<f64>) -> impl Iterator<Item = Sample> {
        self.jobs.iter().flat_map(|job| job.sinks.iter().map(move |sink| (job, sink))).filter_map(
            move |(job, sink)| {
                let labels = vec![
                    ("backup", job.job.to_string()),
                    ("sink", sink.sink.to_string()),
                    ("machine", job.host.clone()),
                ];
                Some((labels, value(sink)?))
            },
        )
    }
}

fn unix(time: Timestamp) -> f64 {
    time.as_unix() as f64
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

struct Text(String);

impl Text {
    /// A family of gauges; without samples it is left out.
    fn gauge(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = Sample>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            self.0.push_str(name);
            for (i, (label, text)) in labels.iter().enumerate() {
                self.0.push(if i == 0 { '{' } else { ',' });
                let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = write!(self.0, "{label}=\"{text}\"");
            }
            let end = if labels.is_empty() { "" } else { "}" };
            let _ = writeln!(self.0, "{end} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_empty_families_left_out() {
        let mut text = Text(String::new());
        text.gauge("a", "b.", [(vec![("x", "1\n\"\\".to_owned()), ("y", "z".to_owned())], 2.5)]);
        text.gauge("none", "c.", []);
        assert_eq!(text.0, "# HELP a b.\n# TYPE a gauge\na{x=\"1\\n\\\"\\\\\",y=\"z\"} 2.5\n");
    }
}
