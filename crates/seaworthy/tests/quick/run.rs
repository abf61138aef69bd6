//! What is due and what is done about it, on a clock that the test moves.

use std::{fs, path::Path, sync::Arc};

use seaworthy::{
    Config, DueReason, Outcome, Reply, Seaworthy,
    command::{BackupRequest, RunRequest, RunResult, TaskKind},
    core::{Clock, Context, FileLock, ManualClock, Span, SystemClock, Timestamp},
};

const DAILY: &str = r#"
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

struct Lab {
    folder: tempfile::TempDir,
    seaworthy: Seaworthy,
    clock: Arc<ManualClock>,
    cx: Context,
}

impl Lab {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/a"), "hello").unwrap();
        let config = Config::from_text(text, &folder.path().join("seaworthy.toml")).unwrap();
        let seaworthy = Seaworthy::open(config, Default::default()).unwrap();
        // Certificates are made by the machine's clock, so it is about now; at noon, no test comes to
        // 2:30 by the minutes or hours that it moves on.
        let noon = SystemClock.now().as_unix() / 86_400 * 86_400 + 43_200;
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix(noon)));
        let cx = Context::new().with_clock(clock.clone());
        Self { folder, seaworthy, clock, cx }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    async fn reply(&self, dry_run: bool) -> Reply<RunResult> {
        let mut request = RunRequest::default();
        request.dry_run = dry_run;
        self.seaworthy.run(&request, &self.cx).await
    }

    /// What a run does, as `backup nightly`, and how it ends.
    async fn run(&self) -> (Vec<String>, Outcome) {
        let reply = self.reply(false).await;
        (words(&reply), reply.outcome)
    }

    fn snapshots(&self, sink: &str) -> usize {
        count(&self.path(sink).join("nightly"))
    }
}

fn words(reply: &Reply<RunResult>) -> Vec<String> {
    let result = reply.result.as_ref().unwrap();
    result.tasks.iter().map(|task| format!("{} {}", task.kind.name(), task.name)).collect()
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_night_is_done_once_and_made_up_for_once() {
    let lab = Lab::new(DAILY);
    let planned = lab.reply(true).await;
    assert_eq!(words(&planned), ["backup nightly"]);
    assert_eq!(planned.outcome, Outcome::NothingToDo);
    assert_eq!((lab.snapshots("sink"), lab.path("state/run").exists()), (0, false));

    assert_eq!(lab.run().await, (vec!["backup nightly".to_owned()], Outcome::Done));
    let again = lab.reply(false).await;
    assert_eq!((words(&again).len(), again.outcome), (0, Outcome::NothingToDo));
    let next = again.result.unwrap().next.unwrap();
    assert_eq!((next.kind, next.name.as_str()), (TaskKind::Backup, "nightly"));
    assert!(next.at.to_string().ends_with("T02:30:00Z") && next.at > lab.clock.now(), "{next:?}");

    lab.clock.set(next.at);
    let on_time = lab.reply(false).await;
    assert_eq!(on_time.outcome, Outcome::Done, "{:?}", on_time.error);
    let reason = on_time.result.unwrap().tasks[0].reason;
    assert_eq!(reason, DueReason::Scheduled { at: next.at });
    // Off for three weeks.
    lab.clock.advance(Span::days(21));
    lab.run().await;
    assert_eq!(lab.run().await.1, Outcome::NothingToDo);
    assert_eq!(lab.snapshots("sink"), 3);

    // What was made by hand counts.
    lab.clock.advance(Span::days(1));
    lab.seaworthy.backup(&BackupRequest::default(), &lab.cx).await;
    assert_eq!(lab.run().await.1, Outcome::NothingToDo);
    // Also where the memory is lost.
    fs::remove_dir_all(lab.path("state/run")).unwrap();
    assert_eq!(lab.run().await.1, Outcome::NothingToDo);
    assert_eq!(lab.snapshots("sink"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_at_once_is_harmless() {
    let lab = Lab::new(DAILY);
    let held = FileLock::acquire(&lab.path("state/run/lock"), "seaworthy run").unwrap();
    let reply = lab.seaworthy.run(&RunRequest::default(), &lab.cx).await;
    assert_eq!(reply.outcome, Outcome::NothingToDo);
    assert!(reply.result.unwrap().other.unwrap().contains("seaworthy run (process"));
    drop(held);
    // Two that really race: one backup between them.
    let (a, b) = tokio::join!(lab.run(), lab.run());
    assert_eq!(a.0.len() + b.0.len(), 1, "{a:?} {b:?}");
    assert_eq!(lab.snapshots("sink"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_stops_nothing_else_and_waits_for_its_next_moment() {
    let broken = r#"[backup.broken]
sinks = ["local"]
schedule = "0 * * * *"
sources.none = { type = "files", paths = ["nowhere"] }
[backup.nightly]"#;
    let lab = Lab::new(&DAILY.replace("[backup.nightly]", broken));
    let reply = lab.reply(false).await;
    assert_eq!(words(&reply), ["backup broken", "backup nightly"]);
    assert_eq!(reply.outcome, Outcome::Failed);
    let tasks = reply.result.unwrap().tasks;
    assert!(tasks[0].error.as_ref().unwrap().message.contains("nowhere"), "{tasks:?}");
    assert_eq!(tasks[1].outcome, Some(Outcome::Done));
    assert_eq!(lab.run().await, (Vec::new(), Outcome::NothingToDo));
    lab.clock.advance(Span::hours(1));
    assert_eq!(lab.run().await.1, Outcome::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_cut_off_is_begun_again() {
    let lab = Lab::new(DAILY);
    lab.run().await;
    let memory = lab.path("state/run/memory.json");
    let text = fs::read_to_string(&memory).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["backups"]["nightly"]["ended"] = serde_json::Value::Null;
    json["backups"]["nightly"]["began"] = lab.clock.now().to_string().into();
    fs::write(&memory, json.to_string()).unwrap();
    // The snapshot there began at the same time, and belongs to that run.
    fs::remove_dir_all(lab.path("sink/nightly")).unwrap();
    let reply = lab.reply(false).await;
    let task = &reply.result.as_ref().unwrap().tasks[0];
    assert!(matches!(task.reason, DueReason::CutOff { .. }), "{task:?}");
    assert_eq!(reply.outcome, Outcome::Done);
    // Stopped by its user: the same.
    lab.clock.advance(Span::days(1));
    lab.cx.cancel().trigger();
    assert_eq!(lab.run().await.1, Outcome::Interrupted);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_are_lacking_are_made_up_for() {
    let text = DAILY.replace("sinks = [\"local\"]", "sinks = [\"local\", \"far\"]");
    let lab = Lab::new(&format!("{text}[sink.far]\ntype = \"local\"\npath = \"away/far\"\n"));
    // A file where the folder should be.
    fs::write(lab.path("away"), "").unwrap();
    assert_eq!(lab.run().await, (vec!["backup nightly".to_owned()], Outcome::Losses));
    assert_eq!(lab.run().await.1, Outcome::NothingToDo);
    lab.clock.advance("5m".parse().unwrap());
    assert_eq!(lab.run().await, (vec!["copies nightly".to_owned()], Outcome::Losses));
    fs::remove_file(lab.path("away")).unwrap();
    lab.clock.advance("30m".parse().unwrap());
    assert_eq!(lab.run().await, (vec!["copies nightly".to_owned()], Outcome::Done));
    assert_eq!(lab.snapshots("away/far"), 1);
    assert_eq!(lab.run().await.1, Outcome::NothingToDo);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_runs_only_add_retention_follows_the_backup() {
    let text = DAILY.replace("path = \"sink\"", "path = \"sink\"\nappend_only = true");
    let lab = Lab::new(&text.replace("schedule", "keep = { within = \"3d\" }\nschedule"));
    for day in 0..6 {
        let (tasks, outcome) = lab.run().await;
        assert_eq!(tasks, ["backup nightly", "prune nightly"], "day {day}");
        assert_eq!(outcome, Outcome::Done);
        assert_eq!(lab.run().await.1, Outcome::NothingToDo);
        lab.clock.advance(Span::days(1));
    }
    assert_eq!(lab.snapshots("sink"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn drills_and_certificates_have_their_turn() {
    let lab = Lab::new(&format!(
        r#"{DAILY}
drill = {{ schedule = "0 5 * * *" }}
[ca.own]
type = "self-signed"
life = "90d"
[tls]
store = "tls"
[certificate.site]
names = ["site.example"]
ca = ["own"]
[certificate.theirs]
names = ["theirs.example"]
external = {{ chain = "theirs/chain.pem", key = "theirs/key.pem" }}
"#
    ));
    // The second one is not there: that stops nobody.
    let planned = lab.reply(true).await;
    let all = ["certificate site", "certificate theirs", "backup nightly"];
    assert_eq!(words(&planned), all);
    assert!(!lab.path("tls").exists());
    let reply = lab.reply(false).await;
    assert_eq!(words(&reply), all);
    assert_eq!(reply.outcome, Outcome::Failed);
    assert!(lab.path("tls/live/site/fullchain.pem").exists());
    // A drill's first scheduled time is the next one.
    lab.clock.advance(Span::days(1));
    let (tasks, _) = lab.run().await;
    assert_eq!(tasks, ["certificate theirs", "backup nightly", "drill nightly"]);
    let checks = fs::read_dir(lab.path("sink/nightly"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().join("checks").exists());
    assert_eq!(checks.count(), 1);
    // Two thirds of its life later.
    lab.clock.advance(Span::days(61));
    let reply = lab.reply(false).await;
    let task = &reply.result.as_ref().unwrap().tasks[0];
    assert_eq!((task.kind, task.outcome), (TaskKind::Certificate, Some(Outcome::Done)), "{task:?}");
}
