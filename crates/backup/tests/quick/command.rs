//! A command's output as a source, and back.

use std::{fs, sync::Arc, time::Duration};

use seaworthy_backup::{
    BackupJob, BackupReport, BackupSinkExt, HostId, MemorySink, ObjectKey, Repository, Selection,
    restore::{PlainTarget, Restoration, RestoreOptions, restore},
    sources::CommandSource,
};
use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Name, Result, Secret};

fn shell(script: &str) -> CommandSource {
    let command = CommandLine::new(["sh", "-c", script]).unwrap();
    CommandSource::new(command, "dump.bin").unwrap()
}

async fn back_up(sink: &MemorySink, source: CommandSource, cx: &Context) -> Result<BackupReport> {
    let job = Name::new("nightly")?;
    BackupJob::new(job, HostId::from_machine_id("test"), Arc::new(sink.clone()))
        .source(Name::new("cache")?, Arc::new(source))
        .run(cx)
        .await
}

async fn refused(source: CommandSource) -> Error {
    let sink = MemorySink::new();
    let error = back_up(&sink, source, &Context::new()).await.unwrap_err();
    assert!(sink.list_sorted(&ObjectKey::root()).await.unwrap().is_empty(), "nothing is stored");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn output_of_any_size_comes_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    // Over several frames, and no multiple of one.
    let script = "seq 1 2000000; printf '\\000\\377end'";
    let expected = std::process::Command::new("sh").args(["-c", script]).output().unwrap().stdout;
    assert!(expected.len() > 3 * (4 << 20));
    let sink = MemorySink::new();
    let report = back_up(&sink, shell(script), &Context::new()).await.unwrap();
    assert_eq!(report.sources[0].object, "cache.dump.bin.zst");
    assert_eq!(report.plain, expected.len() as u64);

    let repository = Repository::new(
        Arc::new(sink),
        Name::new("nightly").unwrap(),
        HostId::from_machine_id("test"),
    );
    let snapshot = repository.open(&report.id).await.unwrap();
    let to = folder.path().join("back");
    let target = Box::new(PlainTarget::to_folder(&to));
    let all = Restoration::new(Name::new("cache").unwrap(), target, Selection::all());
    restore(&snapshot, vec![all], &RestoreOptions::default(), &Context::new()).await.unwrap();
    assert_eq!(fs::read(to.join("cache.dump.bin")).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_failure_a_signal_and_silence_fail_the_snapshot() {
    let error = refused(shell("seq 1 100000; echo 'no such table' >&2; exit 3")).await;
    assert_eq!(error.kind(), ErrorKind::Source);
    let text = error.chain();
    assert!(text.contains("exit status: 3") && text.contains("no such table"), "{text}");
    assert!(refused(shell("echo half; kill -9 $$")).await.chain().contains("signal: 9"));
    assert!(refused(shell("true")).await.chain().contains("produced no output"));
    let missing = CommandLine::new(["/nowhere/dump"]).unwrap();
    let error = refused(CommandSource::new(missing, "x").unwrap()).await;
    assert!(error.chain().contains("/nowhere/dump cannot be started"), "{}", error.chain());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_ends_it_and_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; echo begun; wait", pid.display());
    let error = refused(shell(&script).time_limit(Duration::from_millis(500))).await;
    assert!(error.chain().contains("did not end within"), "{}", error.chain());
    let sleeper = fs::read_to_string(&pid).unwrap();
    // A process that nobody waits for yet is a zombie: it does not run any more.
    let runs = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", sleeper.trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while runs() {
        assert!(std::time::Instant::now() < deadline, "its child still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_where_and_with_what_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let sink = MemorySink::new();
    let source = shell("pwd; printf %s \"$TOKEN\"")
        .directory(folder.path())
        .environment("TOKEN", Secret::new("hunter2"));
    assert!(!format!("{source:?}").contains("hunter2"));
    let report = back_up(&sink, source, &Context::new()).await.unwrap();
    let expected = folder.path().canonicalize().unwrap().display().to_string() + "\nhunter2";
    assert_eq!(report.plain, expected.len() as u64);
}

#[test]
fn a_name_that_means_something_else_is_refused() {
    let command = || CommandLine::new(["true"]).unwrap();
    for name in ["tar", "sql", "sqlite", "", "a/b", ".."] {
        assert!(CommandSource::new(command(), name).is_err(), "{name:?}");
    }
    assert!(CommandSource::new(command(), "dump.sql").is_ok());
}
