//! Jobs, from what lies in their sinks.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
};

use seaworthy_tests::{Lab, forge::Forged, program};

use super::{document, host, rules, status};

const TWO_SINKS: &str = r#"
state = "state"
[sink.local]
type = "local"
path = "sink"
[sink.offsite]
type = "local"
path = "far"
[backup.nightly]
sinks = ["local", "offsite"]
sources.data = { type = "files", paths = ["data"] }
"#;

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("data/a", vec![7; 100_000]);
    lab
}

#[test]
fn a_new_server_learns_what_to_do_and_is_well_afterwards() {
    let lab = lab();
    let before = status(&lab, 1);
    assert_eq!(rules(&before), ["backup.missing"]);
    assert_eq!(before["findings"][0]["remedy"], "`seaworthy backup nightly` makes one");
    lab.ok(&["backup"]);
    let after = status(&lab, 0);
    // A drill is everybody's own choice.
    assert_eq!(after["findings"][0]["rule"], "drill.missing");
    let sink = &after["jobs"][0]["sinks"][0];
    assert_eq!((&sink["good"], &sink["snapshots"]), (&1.into(), &1.into()));
    assert_eq!(sink["last_good"]["files"], 1);
    assert!(sink["last_good"]["plain"].as_u64().unwrap() > 100_000, "{sink}");
    assert!(sink["age"].as_u64().unwrap() < 3_600);
    assert_eq!(sink["last_verify"], serde_json::Value::Null);
    lab.ok(&["verify"]);
    lab.ok(&["drill"]);
    let drilled = status(&lab, 0);
    assert_eq!(drilled["findings"], serde_json::json!([]));
    let sink = &drilled["jobs"][0]["sinks"][0];
    assert_eq!(
        (&sink["last_drill"]["outcome"], &sink["last_verify"]["outcome"]),
        (&"ok".into(), &"ok".into())
    );
    let text = lab.ok(&["status"]).stdout;
    for words in [" is well\n", "job      sink   last good", "nightly  local", "ok, ", "disks\n"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[test]
fn a_backup_that_should_have_been_made_is_overdue() {
    let lab = lab().with_line("schedule = \"30 2 * * *\"");
    let host = host(&lab);
    Forged::before(80.0, &host).put(&lab.path("sink"));
    let found = status(&lab, 1);
    assert_eq!(rules(&found), ["backup.overdue"]);
    assert_eq!(found["jobs"][0]["sinks"][0]["overdue"], true);
    let text = lab.run(&["status"]).expect_code(1).stdout;
    assert!(text.contains("3 days ago, OVERDUE"), "{text}");
    assert!(text.contains("the last good backup is 3 days old; a new one was due"), "{text}");
    // So much less than what was forged looks wrong, until somebody says that it is right.
    lab.ok(&["backup", "--accept"]);
    assert_eq!(status(&lab, 0)["jobs"][0]["sinks"][0]["overdue"], false);
}

#[test]
fn what_shrinks_or_looks_wrong_is_said() {
    let lab = lab();
    let host = host(&lab);
    let put = |hours: f64, plain: u64, rows: u64| {
        let rows = Some(rows);
        Forged { plain, rows, ..Forged::before(hours, &host) }.put(&lab.path("sink"))
    };
    put(72.0, 1_000_000, 1_000);
    put(48.0, 990_000, 990);
    assert!(rules(&status(&lab, 0)).is_empty());
    put(24.0, 990_000, 500);
    let found = status(&lab, 1);
    assert_eq!(rules(&found), ["backup.shrunk"]);
    assert_eq!(found["findings"][0]["message"], "the last backup has 500 rows instead of 990");
    put(12.0, 700_000, 500);
    let message = status(&lab, 1)["findings"][0]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "the last backup has 684 KiB instead of 967 KiB");
    put(6.0, 690_000, 490);
    assert!(rules(&status(&lab, 0)).is_empty(), "that is how it is now");
    // Next to nothing is not even good.
    lab.run(&["backup"]).expect_code(3);
    let found = status(&lab, 1);
    assert_eq!(rules(&found), ["backup.suspect"], "{found:#}");
    assert!(found["findings"][0]["remedy"].as_str().unwrap().contains("--accept"));
    lab.ok(&["backup", "--accept"]);
    assert!(rules(&status(&lab, 0)).is_empty());
}

#[test]
fn damage_failed_drills_and_what_prune_removes_are_told() {
    let lab = lab().with_line("keep = { last = 2 }");
    let host = host(&lab);
    for hours in [96.0, 72.0, 48.0, 24.0] {
        Forged::before(hours, &host).put(&lab.path("sink"));
    }
    let sink = status(&lab, 0)["jobs"][0]["sinks"][0].clone();
    assert_eq!(sink["prune"].as_array().unwrap().len(), 2, "{sink}");
    assert!(sink["prune_frees"].as_u64().unwrap() > 2_000_000);
    // The second oldest loses its payload, then the newest.
    let all = lab.snapshots();
    fs::remove_file(all[1].join("data.tar.zst")).unwrap();
    assert_eq!(rules(&status(&lab, 1)), ["backup.damaged_older"]);
    fs::remove_file(all[3].join("data.tar.zst")).unwrap();
    let found = status(&lab, 1);
    assert_eq!(rules(&found), ["backup.damaged", "backup.damaged_older"]);
    assert!(found["findings"][0]["message"].as_str().unwrap().contains("data.tar.zst is missing"));

    // What was forged holds nothing that can be restored.
    let lab = Lab::new();
    Forged::before(1.0, &host).put(&lab.path("sink"));
    lab.run(&["drill"]).expect_code(1);
    let found = status(&lab, 1);
    assert!(rules(&found).contains(&"drill.failed".to_owned()), "{found:#}");
    assert_eq!(found["jobs"][0]["sinks"][0]["last_drill"]["outcome"], "failed");
}

#[test]
fn a_replica_that_is_behind_or_gone_is_told_of_beside_the_rest() {
    let lab = lab().with_config(TWO_SINKS);
    lab.ok(&["backup"]);
    let sinks = status(&lab, 0)["jobs"][0]["sinks"].clone();
    assert_eq!((&sinks[1]["replica"], &sinks[1]["good"]), (&true.into(), &1.into()));
    fs::remove_dir_all(lab.path("far/nightly")).unwrap();
    let found = status(&lab, 1);
    assert_eq!(rules(&found), ["replica.behind"]);
    assert_eq!(found["jobs"][0]["sinks"][1]["lacks"].as_array().unwrap().len(), 1);
    lab.ok(&["sync"]);
    status(&lab, 0);

    let port = seaworthy_tests::web::free_port();
    let gone = TWO_SINKS.replace(
        "type = \"local\"\npath = \"far\"",
        &format!(
            "type = \"s3\"\nbucket = \"x\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
             allow_http = true\nretries = 0\naccess_key_id = {{ env = \"HOME\" }}\n\
             secret_access_key = {{ env = \"HOME\" }}"
        ),
    );
    let lab = lab.with_config(&gone);
    let found = status(&lab, 1);
    assert_eq!(rules(&found), ["sink.unreachable"]);
    let sinks = &found["jobs"][0]["sinks"];
    assert_eq!((&sinks[0]["good"], &sinks[0]["error"]), (&1.into(), &().into()));
    assert_eq!(sinks[1]["error"]["kind"], "unavailable", "{sinks}");
}

#[test]
fn what_is_remembered_never_stands_for_what_the_sink_holds() {
    let lab = lab();
    let host = host(&lab);
    let sink = lab.path("sink");
    for hours in [48.0, 24.0] {
        Forged::before(hours, &host).put(&sink);
    }
    let good = || status(&lab, 0)["jobs"][0]["sinks"][0]["good"].clone();
    assert_eq!(good(), 2);
    let kept = fs::read_dir(lab.path("state/status")).unwrap().next().unwrap().unwrap().path();
    let kept = kept.join("nightly.json");
    let text = fs::read_to_string(&kept).unwrap();
    assert!(text.contains("data.tar.zst"), "{text}");
    // It is believed of a manifest that is the same, …
    fs::write(&kept, text.replace("4000000", "8000000")).unwrap();
    let newest = || {
        let document = lab.run(&["status", "--json"]).json();
        document["result"]["jobs"][0]["sinks"][0]["last_good"]["plain"].clone()
    };
    assert_eq!(newest(), 8_000_000);
    // … not of one that is not, …
    let manifest = lab.snapshots()[1].join("manifest.json");
    let bytes = fs::read(&manifest).unwrap();
    fs::write(&manifest, &bytes).unwrap();
    assert_eq!(newest(), 4_000_000);
    // … nor of one that is gone, and nothing is lost with it.
    fs::remove_dir_all(&lab.snapshots()[0]).unwrap();
    assert_eq!(good(), 1);
    fs::write(&kept, "{").unwrap();
    assert_eq!(good(), 1);
}

#[test]
fn machines_that_share_a_sink_are_shown_where_they_are_asked_for() {
    let lab = lab();
    lab.ok(&["backup"]);
    let other = "00112233445566aa";
    for hours in [200.0, 176.0, 152.0] {
        let host_name = Some("web-2".to_owned());
        Forged { host_name, ..Forged::before(hours, other) }.put(&lab.path("sink"));
    }
    let weekly = Forged { job: "weekly".into(), ..Forged::before(2.0, "00112233445566bb") };
    weekly.put(&lab.path("sink"));
    let alone = status(&lab, 0);
    assert_eq!(alone["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(alone["jobs"][0]["sinks"][0]["snapshots"], 1);
    let all = document(lab.run(&["status", "--all-hosts", "--json"]), 1);
    let jobs = all["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 3, "{jobs:#?}");
    assert_eq!((&jobs[1]["host_name"], &jobs[1]["ours"]), (&"web-2".into(), &false.into()));
    assert_eq!(jobs[1]["sinks"][0]["snapshots"], 3);
    assert_eq!((&jobs[2]["job"], &jobs[2]["host"]), (&"weekly".into(), &"00112233445566bb".into()));
    // Nobody told us its schedule, but it used to come daily.
    assert_eq!(rules(&all), ["backup.overdue"]);
    assert_eq!(all["findings"][0]["subject"], "nightly of web-2 in local");
    let text = lab.run(&["status", "--all-hosts"]).expect_code(1).stdout;
    assert!(text.contains("nightly of web-2 in local: "), "{text}");
}

#[test]
fn a_forecast_says_when_the_disk_is_full() {
    let lab = lab().with_line("schedule = \"0 * * * *\"");
    let host = host(&lab);
    // Eight terabytes, which are a hole, each hour.
    for hours in [1.0, 0.1] {
        Forged { stored: 1 << 43, ..Forged::before(hours, &host) }.put(&lab.path("sink"));
    }
    let found = status(&lab, 1);
    assert_eq!(rules(&found), ["disk.full"]);
    let disks = found["disks"].as_array().unwrap();
    let disk = disks.iter().find(|disk| disk["snapshots"] != 0).unwrap();
    assert_eq!(disk["full_in_days"], 0, "{disk}");
    assert!(disk["growth"].as_i64().unwrap() > 700 << 43);
}

#[test]
fn watching_goes_on_until_it_is_stopped() {
    let lab = lab();
    lab.ok(&["backup"]);
    let mut watching = lab
        .command(&["status", "--watch", "--every", "1s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut looks = lines.map(Result::unwrap).filter(|line| line == "backups");
    assert_eq!(looks.by_ref().take(2).count(), 2);
    let id = rustix::process::Pid::from_child(&watching);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(watching.wait().unwrap().code(), Some(130));
    lab.run(&["status", "--watch", "--json"]).expect_code(2);
    lab.run(&["status", "--watch", "--prometheus"]).expect_code(2);
}

#[test]
fn on_a_terminal_each_look_takes_the_place_of_the_last() {
    let lab = lab();
    lab.ok(&["backup"]);
    let words = format!(
        "'{}' --config {} status --watch --every 1s",
        program().display(),
        lab.path("seaworthy.toml").display()
    );
    let mut terminal = Command::new("script")
        .args(["-qec", &words, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = terminal.stdout.take().unwrap();
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    let redrawn = |text: &[u8]| String::from_utf8_lossy(text).matches("\x1b[H\x1b[2J").count();
    while redrawn(&text) < 2 {
        let n = out.read(&mut piece).unwrap();
        assert!(n > 0, "it ended: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&piece[..n]);
    }
    // Ctrl-C, as a keyboard sends it.
    let mut keyboard = terminal.stdin.take().unwrap();
    keyboard.write_all(b"\x03").unwrap();
    out.read_to_end(&mut text).unwrap();
    assert_eq!(terminal.wait().unwrap().code(), Some(130));
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("(Ctrl-C ends)"), "{text}");
}
