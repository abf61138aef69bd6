//! What did not happen is told by `run`, once, and that it is over: on a clock that the test moves,
//! to a server on this machine.
#![cfg(feature = "notify")]

use std::{fs, path::PathBuf, process::Command, sync::Arc};

use seaworthy::{
    Config, Outcome, Seaworthy, StatusRequest,
    command::{RunRequest, RunResult},
    core::Clock as _,
    core::{Context, FileLock, ManualClock, Span, SystemClock, Timestamp},
};

use crate::support::http::Server;

struct Lab {
    folder: tempfile::TempDir,
    server: Server,
    clock: Arc<ManualClock>,
    cx: Context,
    seaworthy: Seaworthy,
}

impl Lab {
    /// A machine at 2:30 whose job `nightly` is due now; `notify` stands in the notifier.
    fn new(notify: &str, more: &str) -> Self {
        let start = "2026-11-22T02:30:00Z".parse().unwrap();
        Self::at(start, notify, more)
    }

    fn at(start: Timestamp, notify: &str, more: &str) -> Self {
        let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/a"), "hello").unwrap();
        let text = format!(
            "state = \"state\"\ntime_zone = \"UTC\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n\
             [backup.nightly]\nsinks = [\"local\"]\nschedule = \"30 2 * * *\"\n\
             sources.data = {{ type = \"files\", paths = [\"data\"] }}\n\
             [notify.ops]\ntype = \"webhook\"\nurl = {{ env = \"HOOK\" }}\nallow_http = true\n{notify}\n{more}"
        );
        let config = Config::from_text(&text, &folder.path().join("seaworthy.toml")).unwrap();
        let hook = format!("{}/hook", server.address);
        let variables = [("HOOK".into(), hook.into())].into_iter().collect();
        let seaworthy = Seaworthy::open(config, variables).unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let cx = Context::new().with_clock(clock.clone());
        Self { folder, server, clock, cx, seaworthy }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn later(&self, time: &str) -> &Self {
        self.clock.advance(time.parse().unwrap());
        self
    }

    async fn run(&self) -> (Outcome, RunResult) {
        let reply = self.seaworthy.run(&RunRequest::default(), &self.cx).await;
        (reply.outcome, reply.result.unwrap())
    }

    /// What was told since this was last asked, as `backup nightly overdue`.
    fn told(&self) -> Vec<String> {
        let told = self.server.take();
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let line = |notice: serde_json::Value| {
            let subject = &notice["subject"];
            [&subject["kind"], &subject["name"], &notice["occasion"]].map(word).join(" ")
        };
        told.iter().map(|request| line(request.json())).collect()
    }
}

/// Nothing is sent if nothing is configured.
const NOBODY: [&str; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_hangs_is_told_of_by_the_next_one_and_once() {
    let lab = Lab::new("", "");
    assert_eq!(lab.run().await.0, Outcome::Done);
    lab.later("30m").run().await;
    assert_eq!(lab.told(), NOBODY);
    // From now on somebody is at it and does nothing.
    let hangs = FileLock::acquire(&lab.path("state/run/lock"), "seaworthy run").unwrap();
    lab.later("23h").run().await;
    assert_eq!(lab.told(), NOBODY, "it is 2:00");
    lab.later("59m").run().await;
    assert_eq!(lab.told(), NOBODY, "half an hour is granted");
    let (outcome, result) = lab.later("1m").run().await;
    assert_eq!(outcome, Outcome::NothingToDo, "nobody's exit code changes");
    assert!(result.other.is_some() && result.tasks.is_empty());
    let [overdue] = &result.overdue[..] else { panic!("{result:?}") };
    assert_eq!(overdue.due, Some("2026-11-23T02:30:00Z".parse().unwrap()));
    assert_eq!(
        overdue.findings,
        ["nightly in local: the last good backup is 24 h old; a new one was due 30 min ago"]
    );
    let notice = lab.server.take().remove(0).json();
    assert!(notice["title"].as_str().unwrap().starts_with("Backup nightly is overdue on "));
    assert!(notice["text"].as_str().unwrap().contains("24 h old"), "{notice}");
    assert!(notice["remedy"].as_str().unwrap().contains("is the timer on?"), "{notice}");
    for _ in 0..3 {
        lab.later("30m").run().await;
        assert_eq!(lab.told(), NOBODY, "it was told");
    }
    lab.later("23h").run().await;
    assert_eq!(lab.told(), ["backup nightly overdue"], "a day later");
    drop(hangs);
    let (_, result) = lab.run().await;
    assert!(result.overdue.is_empty() && result.tasks.len() == 1, "{result:?}");
    assert_eq!(lab.told(), ["backup nightly recovery"]);
    lab.later("2h").run().await;
    assert_eq!(lab.told(), NOBODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_lost_its_backups_is_told_of_and_that_they_are_back() {
    let lab = Lab::new("", "");
    lab.run().await;
    let (here, away) = (lab.path("sink/nightly"), lab.path("away"));
    fs::rename(&here, &away).unwrap();
    let (outcome, result) = lab.later("30m").run().await;
    assert_eq!(outcome, Outcome::NothingToDo);
    assert_eq!(result.overdue[0].findings, ["nightly in local: there is no good backup"]);
    assert_eq!(lab.told(), ["backup nightly overdue"]);
    fs::remove_dir_all(&here).ok();
    fs::rename(&away, &here).unwrap();
    lab.later("59m").run().await;
    assert_eq!(lab.told(), NOBODY, "it is asked again after an hour");
    lab.later("1m").run().await;
    assert_eq!(lab.told(), ["backup nightly recovery"]);
    // Now everything is known, and the sink is not asked until the next night.
    fs::remove_dir_all(&here).unwrap();
    let (_, result) = lab.later("20h").run().await;
    assert!(result.overdue.is_empty(), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_was_told_is_not_told_again_as_lateness() {
    for (on, expected) in [
        ("", vec!["backup nightly failure"]),
        ("on = [\"overdue\", \"recovery\"]", vec!["backup nightly overdue"]),
    ] {
        let lab = Lab::new(on, "");
        fs::remove_dir_all(lab.path("data")).unwrap();
        assert_eq!(lab.run().await.0, Outcome::Failed);
        let (outcome, result) = lab.later("30m").run().await;
        assert_eq!(outcome, Outcome::NothingToDo);
        assert_eq!(result.overdue.len(), 1);
        lab.later("30m").run().await;
        assert_eq!(lab.told(), expected, "{on}");
        fs::create_dir(lab.path("data")).unwrap();
        fs::write(lab.path("data/a"), "hello").unwrap();
        lab.later("24h").run().await;
        assert_eq!(lab.told(), ["backup nightly recovery"], "{on}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_deaf_service_nor_a_sink_that_does_not_answer_fails_a_run() {
    let lab = Lab::new("timeout = \"1s\"", "");
    lab.run().await;
    fs::remove_dir_all(lab.path("sink/nightly")).unwrap();
    lab.server.answer("never");
    let (outcome, result) = lab.later("30m").run().await;
    assert_eq!(outcome, Outcome::NothingToDo);
    let notified = &result.overdue[0].notified[0];
    assert_eq!(notified.error.as_deref(), Some("it took longer than 1 s"));
    lab.server.take();
    lab.later("1h").run().await;
    assert_eq!(lab.told(), ["backup nightly overdue"], "it is told as soon as somebody listens");
    // Who cannot be asked is not known to be late, nor to be well.
    fs::remove_dir_all(lab.path("sink")).unwrap();
    fs::write(lab.path("sink"), "no folder").unwrap();
    let (outcome, result) = lab.later("1h").run().await;
    assert_eq!((outcome, result.overdue.len()), (Outcome::NothingToDo, 0));
    assert_eq!(lab.told(), NOBODY);
    // Nor does a memory that cannot be kept.
    fs::remove_file(lab.path("state/run/overdue.json")).unwrap();
    fs::create_dir(lab.path("state/run/overdue.json")).unwrap();
    assert_eq!(lab.later("1h").run().await.0, Outcome::NothingToDo);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_tells_nobody() {
    let lab = Lab::new("", "");
    lab.run().await;
    fs::remove_dir_all(lab.path("sink/nightly")).unwrap();
    lab.later("30m");
    let status = lab.seaworthy.status(&StatusRequest::default(), &lab.cx).await;
    assert_eq!(status.outcome, Outcome::Findings);
    assert_eq!(status.result.unwrap().findings[0].rule, "backup.missing");
    let mut request = RunRequest::default();
    request.dry_run = true;
    assert!(lab.seaworthy.run(&request, &lab.cx).await.result.unwrap().overdue.is_empty());
    assert_eq!(lab.told(), NOBODY);
    lab.run().await;
    assert_eq!(lab.told(), ["backup nightly overdue"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_somebody_elses_that_ends_is_told_of() {
    // Certificates are made by the machine's clock.
    let now = SystemClock.now();
    let lab = Lab::at(
        now,
        "",
        "[tls]\nstore = \"tls\"\n[certificate.theirs]\nnames = [\"theirs.example\"]\nprove = false\n\
         external = { chain = \"chain.pem\", key = \"key.pem\" }\n",
    );
    let make = |days: &str| {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args(["-days", days, "-subj", "/CN=theirs.example", "-keyout", "key.pem"])
            .args(["-addext", "subjectAltName=DNS:theirs.example", "-out", "chain.pem"])
            .current_dir(lab.folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    make("60");
    let (outcome, result) = lab.run().await;
    assert_eq!(outcome, Outcome::Done, "{result:?}");
    assert_eq!(lab.told(), NOBODY);
    lab.clock.advance(Span::days(51));
    lab.run().await;
    let told = lab.told();
    assert_eq!(told.iter().filter(|line| *line == "certificate theirs expiring").count(), 1);
    lab.later("5m").run().await;
    assert_eq!(lab.told(), NOBODY, "once");
    make("90");
    lab.later("5m").run().await;
    assert_eq!(lab.told(), ["certificate theirs recovery"]);
}
