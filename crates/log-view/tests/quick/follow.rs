//! Following real files while the real logrotate turns them over.

use std::{
    fs::{self, File},
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use seaworthy_core::{Context, Result};
use seaworthy_log_view::{Filter, Level, LogSink, Record, Source, View};

/// Sends lines to the test.
struct Channel(Sender<String>);

impl LogSink for Channel {
    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        let line = String::from_utf8_lossy(record.line()).into_owned();
        match self.0.send(line) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn pause(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A view that is followed on a thread of its own.
struct Following {
    lines: Receiver<String>,
    cx: Context,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Following {
    fn start(view: View) -> Self {
        let (sender, lines) = channel();
        let cx = Context::new();
        let thread = thread::spawn({
            let cx = cx.clone();
            move || view.follow(&mut Channel(sender), &cx)
        });
        Self { lines, cx, thread: Some(thread) }
    }

    /// The next lines, as soon as they are there.
    #[track_caller]
    fn expect<T: AsRef<str>>(&self, lines: impl IntoIterator<Item = T>) {
        for line in lines {
            assert_eq!(self.lines.recv_timeout(Duration::from_secs(60)).unwrap(), line.as_ref());
        }
    }

    /// Ends; nothing more may have come.
    fn end(mut self) {
        self.cx.cancel().trigger();
        self.thread.take().unwrap().join().unwrap().unwrap();
        assert_eq!(self.lines.try_iter().collect::<Vec<_>>(), Vec::<String>::new());
    }
}

struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn append(&self, name: &str) -> File {
        File::options().append(true).create(true).open(self.path(name)).unwrap()
    }

    /// Runs logrotate with `options` on a.log, whether it is due or not.
    fn rotate(&self, options: &str) {
        let config =
            format!("{} {{\nsu root root\nrotate 3\n{options}\n}}\n", self.path("a.log").display());
        let path = self.path("rotate.conf");
        fs::write(&path, config).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let rotated = Command::new("/usr/sbin/logrotate")
            .args(["--force", "--state"])
            .args([self.path("state"), path])
            .output()
            .unwrap();
        assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    }
}

fn write(file: &mut File, lines: &[&str]) {
    for line in lines {
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

#[test]
fn no_line_is_lost_or_shown_twice_while_logrotate_renames() {
    let lab = Lab::new();
    let mut file = lab.append("a.log");
    write(&mut file, &["0", "1", "2"]);
    let following = Following::start(View::new(vec![Source::file(lab.path("a.log"))]).last(2));
    following.expect(["1", "2"]);
    for round in 0..3 {
        let (before, after) = (format!("before {round}"), format!("after {round}"));
        write(&mut file, &[&before]);
        lab.rotate("create 0644 root root\ncompress\ndelaycompress");
        // The writer has not been told yet, as nginx before its signal.
        write(&mut file, &["still the old file"]);
        following.expect([&before, "still the old file"]);
        file = lab.append("a.log");
        write(&mut file, &[&after]);
        following.expect([&after]);
    }
    assert!(lab.path("a.log.2.gz").exists());
    following.end();
}

#[test]
fn copytruncate_begins_anew() {
    let lab = Lab::new();
    let mut file = lab.append("a.log");
    write(&mut file, &["one", "two"]);
    let following = Following::start(View::new(vec![Source::file(lab.path("a.log"))]));
    following.expect(["one", "two"]);
    lab.rotate("copytruncate");
    write(&mut file, &["three"]);
    following.expect(["three"]);
    // It grows beyond where it was before anybody looks.
    lab.rotate("copytruncate");
    write(&mut file, &["something much longer than the line before", "four"]);
    following.expect(["something much longer than the line before", "four"]);
    following.end();
}

#[test]
fn several_logs_and_one_that_is_not_there_yet() {
    let lab = Lab::new();
    let mut a = lab.append("a.log");
    write(&mut a, &["2026-11-22 10:00:00 ERROR a1", "2026-11-22 10:00:02 ERROR a2"]);
    let mut b = lab.append("b.log");
    write(&mut b, &["2026-11-22 10:00:01 ERROR b1", "2026-11-22 10:00:03 INFO b2"]);
    let sources = ["a.log", "b.log", "c.log"].map(|name| Source::file(lab.path(name)));
    let view = View::new(sources.into()).with_filter(Filter::new().at_least(Level::Error));
    let following = Following::start(view);
    following.expect([
        "2026-11-22 10:00:00 ERROR a1",
        "2026-11-22 10:00:01 ERROR b1",
        "2026-11-22 10:00:02 ERROR a2",
    ]);
    let mut c = lab.append("c.log");
    write(&mut c, &["2026-11-22 10:00:04 DEBUG c1", "2026-11-22 10:00:05 ERROR c2", "  its trace"]);
    following.expect(["2026-11-22 10:00:05 ERROR c2", "  its trace"]);
    // A line counts when it is whole.
    a.write_all(b"2026-11-22 10:00:06 ERR").unwrap();
    write(&mut b, &["2026-11-22 10:00:07 ERROR b3"]);
    following.expect(["2026-11-22 10:00:07 ERROR b3"]);
    a.write_all(b"OR a3\n").unwrap();
    following.expect(["2026-11-22 10:00:06 ERROR a3"]);
    following.end();
}

#[test]
fn a_pipe_is_followed_to_its_end() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let following = Following::start(View::new(vec![Source::reader("-", reader)]));
    writer.write_all(b"one\ntwo").unwrap();
    following.expect(["one"]);
    drop(writer);
    following.expect(["two"]);
    following.end();
}

#[test]
fn what_cannot_grow_is_refused() {
    let lab = Lab::new();
    let mut packed =
        flate2::write::GzEncoder::new(lab.append("a.log.gz"), flate2::Compression::fast());
    packed.write_all(b"one\n").unwrap();
    packed.finish().unwrap();
    let view = View::new(vec![Source::file(Path::new(&lab.path("a.log.gz")))]);
    let (sender, _lines) = channel();
    let error = view.follow(&mut Channel(sender), &Context::new()).unwrap_err();
    assert!(error.to_string().contains("cannot be followed"), "{error}");
}
