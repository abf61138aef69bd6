//! `run` through the program: what a timer sees of it.

use seaworthy_core::FileLock;
use seaworthy_tests::{Lab, forge::Forged};

const CONFIG: &str = r#"
state = "state"
time_zone = "UTC"
[sink.local]
type = "local"
path = "sink"
[backup.nightly]
sinks = ["local"]
schedule = "30 2 * * *"
sources.data = { type = "files", paths = ["data"] }
"#;

fn document(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_timer_stays_green_and_a_person_can_ask_for_more() {
    let lab = Lab::new().with_config(CONFIG);
    lab.write("data/a", "one");
    let planned = lab.run(&["run", "--dry-run", "--detailed-exit-code"]).expect_code(4);
    assert!(
        planned.stdout.contains("backup nightly: due, never done before"),
        "{}",
        planned.stdout
    );
    assert!(lab.snapshots().is_empty());
    let done = lab.run(&["run", "--detailed-exit-code"]).expect_code(0);
    assert!(done.stdout.contains("nightly@") && done.stdout.contains("next: backup nightly at"));
    assert_eq!(lab.snapshots().len(), 1);
    let again = lab.ok(&["run"]);
    assert!(
        again.stdout.starts_with("nothing is due\nnext: backup nightly at"),
        "{}",
        again.stdout
    );
    lab.run(&["run", "--detailed-exit-code"]).expect_code(4);
    let quiet = lab.ok(&["run", "--quiet"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn what_fails_is_in_the_document_and_in_the_exit_code() {
    let text = CONFIG.replace(
        "[backup.nightly]",
        "[backup.broken]\nsinks = [\"local\"]\nschedule = \"0 1 * * *\"\n\
         sources.none = { type = \"files\", paths = [\"nowhere\"] }\n[backup.nightly]",
    );
    let lab = Lab::new().with_config(&text);
    lab.write("data/a", "one");
    let said = lab.run(&["run", "--dry-run"]).expect_code(0).stdout;
    assert!(said.contains("backup broken: due") && said.contains("backup nightly: due"), "{said}");
    let json = document(&lab.run(&["run", "--json"]).expect_code(1).stdout);
    assert_eq!((&json["command"], &json["exit_code"]), (&"run".into(), &1.into()));
    let tasks = json["result"]["tasks"].as_array().unwrap();
    let brief = |task: &serde_json::Value| {
        ["kind", "name", "why", "outcome"].map(|key| task[key].as_str().unwrap().to_owned())
    };
    assert_eq!(brief(&tasks[0]), ["backup", "broken", "never", "failed"]);
    assert_eq!(brief(&tasks[1]), ["backup", "nightly", "never", "done"]);
    assert!(json["error"]["message"].as_str().unwrap().contains("nowhere"));
    // A failure of the night is not repeated every five minutes.
    lab.ok(&["run"]);
}

#[test]
fn what_is_overdue_is_told_while_another_run_hangs_and_status_tells_nobody() {
    let lab = Lab::new();
    let told = lab.path("told");
    let lab = lab.with_config(&format!(
        "{CONFIG}[notify.ops]\ntype = \"command\"\n\
         command = [\"tee\", \"-a\", {told:?}]\n"
    ));
    let host = document(&lab.run(&["status", "--json"]).stdout)["result"]["host"].clone();
    Forged::before(80.0, host.as_str().unwrap()).put(&lab.path("sink"));
    let found = lab.run(&["status"]).expect_code(1).stdout;
    assert!(found.contains("OVERDUE"), "{found}");
    assert!(!told.exists());
    let hangs = FileLock::acquire(&lab.path("state/run/lock"), "seaworthy run").unwrap();
    let said = lab.ok(&["run"]);
    assert!(said.stdout.contains("\nOVERDUE nightly in local: the last good"), "{}", said.stdout);
    assert!(said.stderr.contains("(overdue)"), "{}", said.stderr);
    let again = lab.ok(&["run", "--quiet"]);
    assert_eq!(
        (again.stdout.as_str(), again.stderr.as_str()),
        ("", ""),
        "cron sends no mail twice"
    );
    drop(hangs);
    let notices = std::fs::read_to_string(&told).unwrap();
    let notices: Vec<_> = notices.lines().filter(|line| !line.is_empty()).map(document).collect();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert_eq!(notices[0]["occasion"], "overdue");
}
