//! Metrics, rules and the dashboard, as Prometheus' own program takes them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use seaworthy_tests::{Lab, forge::Forged};

use super::host;

fn promtool() -> Command {
    Command::new("promtool")
}

/// What is ready to be used with Prometheus and Grafana.
fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/monitoring")
}

fn metrics() -> String {
    let offsite = "[sink.offsite]\ntype = \"local\"\npath = \"far \\\"away\\\"\"\n";
    let lab = Lab::new().with_line("schedule = \"30 2 * * *\"").with_line("keep = { last = 1 }");
    let lab = lab.with_line("sinks = [\"local\", \"offsite\"]");
    let text = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let text = text.replace("sinks = [\"local\"]\n", "") + offsite;
    let lab = lab.with_config(&text);
    let host = host(&lab);
    for hours in [60.0, 40.0] {
        Forged { rows: Some(12), ..Forged::before(hours, &host) }.put(&lab.path("sink"));
    }
    lab.run(&["status", "--prometheus"]).expect_code(1).stdout
}

#[test]
fn promtool_takes_the_metrics_without_a_word() {
    let text = metrics();
    let mut check = promtool()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cannot run promtool: apt-get install prometheus");
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&said));
    assert_eq!(String::from_utf8_lossy(&said), "");
    for line in [
        "seaworthy_findings{severity=\"error\"} ",
        "rule=\"backup.overdue\",subject=\"nightly in local\"} 1\n",
        "seaworthy_backup_overdue{backup=\"nightly\",sink=\"local\"",
        "seaworthy_backup_rows{",
        "seaworthy_replica_lacking_snapshots{backup=\"nightly\",sink=\"offsite\"",
        "seaworthy_disk_free_bytes{folder=\"",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}

#[test]
fn promtool_takes_the_rules_and_they_fire_when_they_should() {
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
        let output = promtool().args(arguments).current_dir(monitoring()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

/// Every name that begins like a metric of ours.
fn names(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("seaworthy_")).collect()
}

#[test]
fn the_dashboard_and_the_rules_ask_only_for_what_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let source = root.join("crates/seaworthy/src/status/prometheus.rs");
    let source = fs::read_to_string(source).unwrap();
    let known = names(&source);
    let dashboard = fs::read_to_string(monitoring().join("grafana.json")).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 5);
    let rules = fs::read_to_string(monitoring().join("alerts.yml")).unwrap();
    let asked: Vec<_> = names(&dashboard).into_iter().chain(names(&rules)).collect();
    assert!(asked.len() > 15, "{asked:?}");
    for name in asked {
        assert!(known.contains(&name), "{name} is no metric");
    }
}
