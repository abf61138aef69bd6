//! Reading: merged by time, compressed, rotated, from the end, from a journal.

use std::{
    fs,
    io::{Cursor, Write},
    ops::ControlFlow,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use seaworthy_core::{Context, Event, Progress, Timestamp};
use seaworthy_log_view::{Filter, Journal, Level, LogSink, Record, Source, Summary, View};

#[derive(Default)]
struct Lines(Vec<(usize, String)>);

impl LogSink for Lines {
    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        self.0.push((record.source(), String::from_utf8_lossy(record.line()).into_owned()));
        ControlFlow::Continue(())
    }

    fn pause(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn read(view: &View) -> (Vec<(usize, String)>, Summary) {
    let mut lines = Lines::default();
    let summary = view.read(&mut lines, &Context::new()).unwrap();
    (lines.0, summary)
}

fn texts(view: &View) -> Vec<String> {
    read(view).0.into_iter().map(|(_, line)| line).collect()
}

fn of_text(text: String) -> Source {
    Source::reader("-", Cursor::new(text.into_bytes()))
}

/// A line at this second.
fn at(second: u32, words: &str) -> String {
    let moment = Timestamp::from_unix(1_795_341_600 + i64::from(second));
    format!("{moment} {words}")
}

proptest! {
    /// Sources that are sorted come out sorted, no line is lost, and each source keeps its order with
    /// the lines that belong to a record behind it.
    #[test]
    fn merging_by_time(sources in prop::collection::vec(prop::collection::vec((0u32..50, 0usize..3), 0..30), 1..5)) {
        let mut expected = Vec::new();
        let mut views = Vec::new();
        for (number, mut records) in sources.into_iter().enumerate() {
            records.sort_by_key(|(second, _)| *second);
            let mut text = String::new();
            for (index, (second, traces)) in records.iter().enumerate() {
                let lines = std::iter::once(at(*second, &format!("INFO {number} {index}")))
                    .chain((0..*traces).map(|n| format!("  trace {number} {index} {n}")));
                for line in lines {
                    text.push_str(&line);
                    text.push('\n');
                    expected.push((*second, number, line));
                }
            }
            views.push(of_text(text));
        }
        expected.sort_by_key(|(second, number, _)| (*second, *number));
        let single = views.len() == 1;
        let lines = texts(&View::new(views));
        let expected: Vec<_> = expected.into_iter().map(|(_, _, line)| line).collect();
        if !single {
            prop_assert_eq!(lines, expected);
        }
    }

    /// The last lines are the end of all lines, wherever the file is cut.
    #[test]
    fn the_last_lines_are_the_end_of_all(
        lengths in prop::collection::vec(0usize..60_000, 1..40),
        count in 0usize..45,
        grave in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let text: String = lengths.iter().enumerate().map(|(n, length)| {
            let level = if n % 3 == 0 { "ERROR" } else { "INFO" };
            format!("{}\n  of {n}\n", at(n as u32, &format!("{level} {}", "x".repeat(*length))))
        }).collect();
        fs::write(&path, text).unwrap();
        let filter = || if grave { Filter::new().at_least(Level::Error) } else { Filter::new() };
        let all = texts(&View::new(vec![Source::file(&path)]).with_filter(filter()));
        let last = texts(&View::new(vec![Source::file(&path)]).with_filter(filter()).last(count));
        prop_assert_eq!(&last, &all[all.len().saturating_sub(count)..]);
    }
}

fn gzip(path: &Path, text: &str) {
    let file = fs::File::create(path).unwrap();
    let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap();
}

#[test]
fn rotated_logs_are_read_in_order_compressed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    gzip(&path("a.log.3.gz"), "one\n");
    fs::write(path("a.log.2.zst"), zstd::encode_all(&b"two"[..], 3).unwrap()).unwrap();
    fs::write(path("a.log.1"), "three\n").unwrap();
    fs::write(path("a.log"), "four\n").unwrap();
    fs::write(path("b.log.1"), "another\n").unwrap();
    let source = Source::with_rotated(path("a.log")).unwrap();
    assert_eq!(texts(&View::new(vec![source.clone()])), ["one", "two", "three", "four"]);
    assert_eq!(texts(&View::new(vec![source]).last(3)), ["two", "three", "four"]);
    assert_eq!(texts(&View::new(vec![Source::file(path("a.log.3.gz"))])), ["one"]);
    assert_eq!(texts(&View::new(vec![Source::file(path("a.log.2.zst"))]).last(5)), ["two"]);
    let all = Source::folder(folder.path(), true).unwrap();
    assert_eq!(all.len(), 1, "b.log itself is not there");
}

#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Progress for Warnings {
    fn event(&self, event: &Event) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push(message.clone());
        }
    }
}

#[test]
fn a_damaged_log_is_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.log.gz");
    gzip(&broken, &"2026-11-22T10:00:00Z INFO x\n".repeat(10_000));
    let bytes = fs::read(&broken).unwrap();
    fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let good = folder.path().join("good.log");
    fs::write(&good, "2026-11-22T10:00:00Z INFO good\n").unwrap();
    let warnings = Arc::new(Warnings::default());
    let cx = Context::new().with_progress(warnings.clone());
    let view = View::new(vec![Source::file(&broken), Source::file(&good)]);
    let mut lines = Lines::default();
    let summary = view.read(&mut lines, &cx).unwrap();
    assert!(lines.0.contains(&(1, "2026-11-22T10:00:00Z INFO good".into())));
    assert_eq!(summary.failed.len(), 1);
    let said = warnings.0.lock().unwrap().join("\n");
    assert!(said.contains("broken.log.gz"), "{said}");
    fs::write(&broken, b"BZh91AY&SY").unwrap();
    let error = view.read(&mut Lines::default(), &cx).unwrap_err();
    assert!(error.remedy().unwrap().contains("bzip2 -dc"), "{error:?}");
}

#[test]
fn blocks_are_cut_between_records() {
    // Long enough for many blocks, with traces everywhere.
    let mut text = String::new();
    let mut errors = 0;
    for n in 0..60_000u32 {
        let level = if n % 7 == 0 { "ERROR" } else { "INFO" };
        text.push_str(&format!("{}\n  line one of {n}\n  line two of {n}\n", at(n, level)));
        errors += usize::from(n % 7 == 0) * 3;
    }
    let view = View::new(vec![of_text(text)]).with_filter(Filter::new().at_least(Level::Error));
    assert_eq!(read(&view).1.records, errors as u64);
}

/// Writes a real journal and reads it with the real journalctl.
#[test]
fn a_journal_is_merged_with_files() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("machine.journal");
    let mut writer = Command::new("/lib/systemd/systemd-journal-remote")
        .arg(format!("--output={}", journal.display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut entries = String::new();
    for (second, priority, message) in [(0, 6, "started"), (2, 3, "it failed"), (4, 4, "slow")] {
        entries.push_str(&format!(
            "__REALTIME_TIMESTAMP={}000000\n__MONOTONIC_TIMESTAMP={second}000001\n\
             _BOOT_ID=0123456789abcdef0123456789abcdef\n_SYSTEMD_UNIT=api.service\n\
             SYSLOG_IDENTIFIER=api\n_PID=7\nPRIORITY={priority}\nMESSAGE={message}\n\n",
            1_795_341_600 + second
        ));
    }
    writer.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
    let file = format!("{}\n{}\n", at(1, "ERROR of the file"), at(3, "INFO of the file"));
    let sources = || {
        vec![
            Source::journal(Journal::new().at(&journal).unit("api.service")),
            of_text(file.clone()),
        ]
    };
    let all = texts(&View::new(sources()));
    assert_eq!(
        all,
        [
            "2026-11-22T10:00:00.000000Z api[7]: started",
            "2026-11-22T10:00:01Z ERROR of the file",
            "2026-11-22T10:00:02.000000Z api[7]: error: it failed",
            "2026-11-22T10:00:03Z INFO of the file",
            "2026-11-22T10:00:04.000000Z api[7]: warning: slow",
        ]
    );
    let errors = View::new(sources()).with_filter(Filter::new().at_least(Level::Error));
    assert_eq!(texts(&errors), [all[1].as_str(), &all[2]]);
    let since = Filter::new().since("2026-11-22T10:00:02Z".parse().unwrap());
    assert_eq!(texts(&View::new(sources()).with_filter(since)), all[2..]);
    assert_eq!(texts(&View::new(sources()).last(2)), all[3..]);
    let other = Source::journal(Journal::new().at(&journal).unit("other.service"));
    assert!(texts(&View::new(vec![other])).is_empty());
}
