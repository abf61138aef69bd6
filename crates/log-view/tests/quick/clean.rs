//! What cleaning removes, and above all what it does not.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use seaworthy_core::{Context, ManualClock, Span};
use seaworthy_log_view::{Clean, CleanReport, KeptBecause};

struct Lab(tempfile::TempDir);

const DAY: Duration = Duration::from_secs(86_400);
const LINE: &str = "2026-11-01 10:00:00 INFO x\n";

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file that was last changed this many days ago.
    fn file(&self, name: &str, content: impl AsRef<[u8]>, days: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - DAY * days).unwrap();
    }

    fn clean(&self, dry_run: bool) -> CleanReport {
        let places = [self.0.path().to_owned()];
        let clock = Arc::new(ManualClock::new(SystemTime::now().into()));
        let cx = Context::new().with_clock(clock);
        Clean::older_than(Span::days(7)).dry_run(dry_run).run(&places, &cx).unwrap()
    }

    fn names(&self, paths: impl Iterator<Item = PathBuf>) -> Vec<String> {
        let name = |path: PathBuf| path.strip_prefix(self.0.path()).unwrap().display().to_string();
        let mut names: Vec<_> = paths.map(name).collect();
        names.sort();
        names
    }

    fn removed(&self, report: &CleanReport) -> Vec<String> {
        self.names(report.removed.iter().map(|one| one.path.clone()))
    }

    fn kept(&self, report: &CleanReport, reason: KeptBecause) -> Vec<String> {
        let because = report.kept.iter().filter(|one| one.reason == reason);
        self.names(because.map(|one| one.path.clone()))
    }
}

fn packed(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

#[test]
fn only_old_rotated_logs_go() {
    let lab = Lab::new();
    lab.file("access.log", LINE, 30);
    lab.file("access.log.1", LINE, 3);
    lab.file("access.log.2", LINE, 8);
    lab.file("sub/app.log", LINE, 0);
    lab.file("sub/app.log.3.zst", packed(LINE), 20);
    lab.file("app-2026-11-01.log", LINE, 21);
    lab.file("app-2026-11-02.log", LINE, 20);
    lab.file("syslog.4", LINE, 20);
    lab.file("syslog", LINE, 0);
    // Not logs, whatever they are called.
    lab.file("wtmp.1", b"\x07\0\0\0binary", 40);
    lab.file("wtmp", b"\x07\0\0\0binary", 40);
    lab.file("data.1", "some,values\n1,2\n", 40);
    lab.file("data", "some,values\n1,2\n", 40);
    lab.file("broken.log.2.gz", b"\x1f\x8bno gzip", 40);
    lab.file("broken.log", LINE, 40);
    lab.file("notes.txt", "x", 400);
    lab.file("dump.sql.gz", b"\x1f\x8b", 400);
    std::os::unix::fs::symlink(lab.path("notes.txt"), lab.path("access.log.9")).unwrap();

    let said = lab.clean(true);
    let expected = ["access.log.2", "app-2026-11-01.log", "sub/app.log.3.zst", "syslog.4"];
    assert_eq!(lab.removed(&said), expected);
    assert!(expected.iter().all(|name| lab.path(name).exists()));

    let report = lab.clean(false);
    assert_eq!(lab.removed(&report), expected);
    assert!(!expected.iter().any(|name| lab.path(name).exists()));
    assert_eq!(report.freed_bytes, said.freed_bytes);
    assert_eq!(lab.kept(&report, KeptBecause::Newest), ["app-2026-11-02.log"]);
    assert_eq!(lab.kept(&report, KeptBecause::Young), ["access.log.1"]);
    assert_eq!(lab.kept(&report, KeptBecause::NotALog), ["broken.log.2.gz", "data.1", "wtmp.1"]);
    for name in ["access.log", "notes.txt", "dump.sql.gz", "wtmp.1", "access.log.9", "data.1"] {
        assert!(lab.path(name).exists(), "{name}");
    }
    assert!(lab.removed(&lab.clean(false)).is_empty());
}

#[test]
fn a_file_that_somebody_has_open_for_writing_stays() {
    let lab = Lab::new();
    lab.file("a.log", LINE, 0);
    lab.file("a.log.1", LINE, 20);
    lab.file("a.log.2", LINE, 20);
    let writer = File::options().append(true).open(lab.path("a.log.1")).unwrap();
    let reader = File::open(lab.path("a.log.2")).unwrap();
    let report = lab.clean(false);
    assert_eq!(lab.removed(&report), ["a.log.2"]);
    assert_eq!(lab.kept(&report, KeptBecause::BeingWritten), ["a.log.1"]);
    drop((writer, reader));
    assert_eq!(lab.removed(&lab.clean(false)), ["a.log.1"]);
}

#[test]
fn one_log_is_cleaned_with_its_own_family_only() {
    let lab = Lab::new();
    for name in ["a.log", "a.log.1", "b.log", "b.log.1"] {
        lab.file(name, LINE, 20);
    }
    let clean = Clean::older_than(Span::days(7));
    let report = clean.run(&[lab.path("a.log")], &Context::new()).unwrap();
    assert_eq!(lab.removed(&report), ["a.log.1"]);
    assert!(clean.run(&[lab.path("nothing")], &Context::new()).is_err());
}
