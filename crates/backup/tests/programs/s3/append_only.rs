//! What a stolen key that may only write can do: nothing that makes us delete.

use std::sync::{Arc, Mutex};

use seaworthy_backup::{
    BackupSink, Keep, KeepPolicy, ObjectStoreSink, Prune, PruneReport, StateFolder,
};
use seaworthy_core::{Context, Event, ManualClock, Progress, Span, TimeZone, Timestamp};
use seaworthy_tests::s3::{B2, B2Key, KEY_ID};

use super::support::{EVERYTHING, b2_options, job, repository, sink};

const ONLY_ADDS: &[&str] = &["listFiles", "readFiles", "writeFiles"];

struct Lab {
    server: B2,
    clock: Arc<ManualClock>,
    said: Arc<Said>,
    state: tempfile::TempDir,
}

#[derive(Debug, Default)]
struct Said(Mutex<Vec<String>>);

impl Progress for Said {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

impl Lab {
    fn new() -> Self {
        let server = B2::start(vec![
            B2Key::new(KEY_ID, ONLY_ADDS).below("prod/"),
            B2Key::new("prune", EVERYTHING).below("prod/"),
        ]);
        // The stand-in's clock is the machine's.
        let now = Timestamp::from(std::time::SystemTime::now());
        let clock = Arc::new(ManualClock::new(now));
        Self { server, clock, said: Arc::default(), state: tempfile::tempdir().unwrap() }
    }

    fn cx(&self) -> Context {
        Context::new().with_clock(self.clock.clone()).with_progress(self.said.clone())
    }

    fn writer(&self) -> ObjectStoreSink {
        let mut options = b2_options(&self.server, KEY_ID);
        options.append_only = true;
        sink(&options)
    }

    async fn run(&self) -> String {
        let state = StateFolder::new(self.state.path());
        let report = job(&self.writer(), 1000).state(state).run(&self.cx()).await.unwrap();
        assert!(report.is_good());
        report.id.to_string()
    }

    async fn prune(&self) -> PruneReport {
        let pruner = sink(&b2_options(&self.server, "prune"));
        let within = Keep::new().within("7d".parse::<Span>().unwrap());
        let policy = KeepPolicy::new(within, TimeZone::utc()).unwrap();
        let prune = Prune::new(repository(&pruner)).policy(&policy).append_only(true);
        prune.run(None, &self.cx()).await.unwrap()
    }

    fn pass(&self, days: u16) {
        let later = self.cx().now().plus(Span::days(days), &TimeZone::utc());
        self.clock.set(later);
    }

    fn manifest(id: &str) -> String {
        format!("prod/nightly/{id}/manifest.json")
    }
}

#[tokio::test]
async fn a_run_needs_no_right_to_delete_and_prune_has_its_own_key() {
    let lab = Lab::new();
    assert!(!lab.writer().capabilities().delete);
    let old = lab.run().await;
    lab.pass(10);
    let new = lab.run().await;
    let report = lab.prune().await;
    assert_eq!(
        report.removed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        std::slice::from_ref(&old)
    );
    assert_eq!(lab.server.versions(&format!("prod/nightly/{old}")), 0, "in every version");
    assert!(lab.server.versions(&format!("prod/nightly/{new}")) > 0);
}

#[tokio::test]
async fn a_failed_run_without_the_right_to_delete_leaves_nothing_listable() {
    let lab = Lab::new();
    let cx = lab.cx();
    cx.cancel().trigger();
    assert!(job(&lab.writer(), 1000).run(&cx).await.is_err());
    assert!(repository(&lab.writer()).list(&lab.cx()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_hidden_manifest_is_not_an_absent_one() {
    let lab = Lab::new();
    let hidden = lab.run().await;
    lab.server.hide(&Lab::manifest(&hidden));
    lab.pass(1);
    lab.run().await;
    lab.pass(60);
    let stored = lab.server.versions(&format!("prod/nightly/{hidden}"));
    let report = lab.prune().await;
    assert_eq!(
        report.tampered.iter().map(ToString::to_string).collect::<Vec<_>>(),
        std::slice::from_ref(&hidden)
    );
    assert!(report.reaped.is_empty() && !report.removed.iter().any(|id| id.as_str() == hidden));
    assert_eq!(lab.server.versions(&format!("prod/nightly/{hidden}")), stored, "all is there");
    let said = lab.said.0.lock().unwrap().join("\n");
    assert!(said.contains(&hidden) && said.contains("hidden"), "{said}");
}

#[tokio::test]
async fn a_manifest_that_was_overwritten_keeps_its_snapshot() {
    let lab = Lab::new();
    let (nonsense, copied) = (lab.run().await, lab.run().await);
    lab.server.overwrite(&Lab::manifest(&nonsense), b"nonsense");
    // The same bytes again: valid in itself, but somebody replaced it.
    let bytes = {
        use seaworthy_backup::BackupSinkExt;
        let key = Lab::manifest(&copied).trim_start_matches("prod/").parse().unwrap();
        lab.writer().get(&key, 1 << 20).await.unwrap()
    };
    lab.server.overwrite(&Lab::manifest(&copied), &bytes);
    lab.pass(30);
    lab.run().await;
    let report = lab.prune().await;
    assert!(report.removed.is_empty(), "{report:?}");
    assert_eq!(report.tampered.iter().map(ToString::to_string).collect::<Vec<_>>(), [copied]);
}

#[tokio::test]
async fn a_flood_of_snapshots_pushes_none_out() {
    let lab = Lab::new();
    let real = lab.run().await;
    for _ in 0..12 {
        lab.run().await;
    }
    let report = lab.prune().await;
    assert!(report.removed.is_empty(), "{report:?}");
    assert!(lab.server.versions(&format!("prod/nightly/{real}")) > 0);
}

#[tokio::test]
async fn what_a_killed_run_left_is_reaped_by_prune() {
    let lab = Lab::new();
    lab.run().await;
    lab.server.overwrite("prod/nightly/20200101T000000Z-abcdef/data.bin.zst", b"half");
    lab.pass(3);
    let report = lab.prune().await;
    assert_eq!(report.reaped.len(), 1);
    assert_eq!(lab.server.versions("prod/nightly/20200101T000000Z-abcdef"), 0);
}
