//! The command `logs`.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    ops::ControlFlow,
    path::PathBuf,
};

use clap::Args;
use seaworthy::{
    Outcome, Reply,
    core::{ByteSize, Context, Error, ErrorKind, Result, Span, TimeZone},
};
use seaworthy_log_view::{
    Clean, CleanReport, Filter, Journal, Level, LogSink, Painter, Record, Source, Summary, Top,
    View, parse_moment,
};
use serde::Serialize;

use crate::{
    finish::Finish,
    global::{Global, When},
    output::{Page, Report},
};

/// The default number of routes and addresses that `--top` lists.
const USUAL_TOP: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Log files, folders with logs, or - for standard input; default: the journal
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also show new lines, through rotation and truncation
    #[arg(short, long)]
    follow: bool,
    /// Only the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    /// Only errors and worse, and statuses from 500 on
    #[arg(short, long, group = "level")]
    errors: bool,
    /// Only warnings and worse, and statuses from 400 on
    #[arg(short, long, group = "level")]
    warnings: bool,
    /// Everything except debug output
    #[arg(short, long, group = "level")]
    info: bool,
    /// Only from this time on: 2026-11-22T02:30:00Z, "2026-11-22 02:30", 02:30, 2h, today
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "RE")]
    grep: Option<String>,
    /// Also read rotated files, compressed or not
    #[arg(long)]
    rotated: bool,
    /// Also read the journal of this systemd unit
    #[arg(short, long, value_name = "UNIT")]
    unit: Vec<String>,
    /// Also read all of the journal
    #[arg(long, conflicts_with = "unit")]
    journal: bool,
    /// Count statuses, slowest routes and busiest addresses of access logs
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10",
          conflicts_with_all = ["follow", "lines"])]
    top: Option<usize>,
    /// Remove rotated logs in these folders that are older than this, such as 7d
    #[arg(long, value_name = "AGE", requires = "files",
          conflicts_with_all = ["follow", "lines", "top", "level", "since", "until", "grep", "unit", "journal"])]
    clean: Option<Span>,
    /// With --clean: remove nothing and print what would be removed
    #[arg(long, requires = "clean")]
    dry_run: bool,
}

impl Logs {
    /// Whether the journal is read, so that no output means an empty journal.
    fn is_everything_of_the_journal(&self) -> bool {
        let all_levels = !(self.errors || self.warnings || self.info);
        let all_times = self.since.is_none() && self.until.is_none() && self.lines != Some(0);
        let all = all_levels && all_times && self.grep.is_none() && self.unit.is_empty();
        self.files.is_empty() && all && !self.follow && self.top.is_none()
    }
}

/// Runs the command line.
pub(crate) async fn run(logs: Logs, global: &Global, finish: &Finish<'_>, cx: &Context) -> Outcome {
    let (json, colour) = (global.json, colours(global.color));
    let everything_of_the_journal = logs.is_everything_of_the_journal();
    if json && logs.follow {
        let message = "--json prints one document, but following never ends";
        let error = Error::new(ErrorKind::InvalidInput, "logs", message);
        return finish.with(Reply::<TopReport>::from(error));
    }
    let cx = cx.clone();
    let work = move || {
        if let Some(age) = logs.clean {
            return Done::Cleaned(
                Clean::older_than(age).dry_run(logs.dry_run).run(&logs.files, &cx),
            );
        }
        let view = match view(&logs, json, colour, &cx) {
            Ok(view) => view,
            Err(error) => return Done::Read(Err(error)),
        };
        if let Some(most) = logs.top {
            let most = if most == 0 { USUAL_TOP } else { most };
            return Done::Counted(view.top(most, &cx));
        }
        if json {
            let mut lines = Lines { names: view.names(), lines: Vec::new() };
            let read = view.read(&mut lines, &cx);
            return Done::Listed(read.map(|summary| (LinesReport { lines: lines.lines }, summary)));
        }
        let painter = Painter::new(&view.names(), colour);
        let mut printer = Printer {
            painter,
            out: BufWriter::with_capacity(64 << 10, io::stdout()),
            line: Vec::new(),
            failed: None,
        };
        let read = if logs.follow {
            view.follow(&mut printer, &cx)
                .and_then(|()| cx.check("logs"))
                .map(|()| Summary::default())
        } else {
            view.read(&mut printer, &cx)
        };
        match printer.failed {
            // The reader has closed the pipe.
            Some(e) if e.kind() == io::ErrorKind::BrokenPipe => Done::Read(Ok(Summary::default())),
            Some(e) => Done::Read(Err(Error::io("logs", "cannot write the lines", e))),
            None => Done::Read(read),
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    match done {
        Ok(Done::Cleaned(report)) => finish.with(cleaned(report)),
        Ok(Done::Counted(counted)) => {
            finish.with(with_losses(counted.map(|(top, s)| (TopReport(top), s))))
        }
        Ok(Done::Listed(listed)) => finish.with(with_losses(listed)),
        Ok(Done::Read(Ok(summary))) => {
            let terminal = finish.terminal;
            if summary.records == 0 && everything_of_the_journal && !terminal.quiet {
                terminal.warning(
                    "the journal is empty, or only root and the group systemd-journal can read it",
                );
            }
            outcome(&summary)
        }
        Ok(Done::Read(Err(error))) => finish.with(Reply::<TopReport>::from(error)),
        Err(source) => {
            let error =
                Error::new(ErrorKind::Internal, "logs", "reading has failed").caused_by(source);
            finish.with(Reply::<TopReport>::from(error))
        }
    }
}

enum Done {
    Read(Result<Summary>),
    Listed(Result<(LinesReport, Summary)>),
    Counted(Result<(Top, Summary)>),
    Cleaned(Result<CleanReport>),
}

fn view(logs: &Logs, json: bool, colour: bool, cx: &Context) -> Result<View> {
    let zone = TimeZone::system();
    let mut filter = Filter::new();
    let level = match (logs.errors, logs.warnings, logs.info) {
        (true, ..) => Some(Level::Error),
        (_, true, _) => Some(Level::Warning),
        (.., true) => Some(Level::Info),
        _ => None,
    };
    if let Some(level) = level {
        filter = filter.at_least(level);
    }
    if let Some(since) = &logs.since {
        filter = filter.since(parse_moment(since, cx.now(), &zone)?);
    }
    if let Some(until) = &logs.until {
        filter = filter.until(parse_moment(until, cx.now(), &zone)?);
    }
    if let Some(pattern) = &logs.grep {
        filter = filter.matching(pattern)?;
    }
    let mut view = View::new(sources(logs)?).with_filter(filter).in_zone(zone);
    if let Some(count) = logs.lines {
        view = view.last(count);
    }
    Ok(match (json, colour) {
        (true, _) => view.with_facts().with_times(),
        (false, true) => view.with_facts(),
        (false, false) => view,
    })
}

fn sources(logs: &Logs) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for file in &logs.files {
        if file.as_os_str() == "-" {
            sources.push(Source::reader("-", io::stdin()));
        } else if file.is_dir() {
            sources.extend(Source::folder(file, logs.rotated)?);
        } else if logs.rotated {
            sources.push(Source::with_rotated(file)?);
        } else {
            sources.push(Source::file(file));
        }
    }
    if !logs.unit.is_empty() {
        let all = logs.unit.iter().fold(Journal::new(), |journal, unit| journal.unit(unit));
        sources.push(Source::journal(all));
    } else if logs.journal || sources.is_empty() {
        sources.push(Source::journal(Journal::new()));
    }
    Ok(sources)
}

fn colours(when: When) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
    }
}

/// Prints lines as they come.
struct Printer {
    painter: Painter,
    out: BufWriter<Stdout>,
    line: Vec<u8>,
    failed: Option<io::Error>,
}

impl Printer {
    fn check(&mut self, written: io::Result<()>) -> ControlFlow<()> {
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => {
                self.failed = Some(e);
                ControlFlow::Break(())
            }
        }
    }
}

impl LogSink for Printer {
    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        self.line.clear();
        self.painter.write(record, &mut self.line);
        let written = self.out.write_all(&self.line);
        self.check(written)
    }

    fn pause(&mut self) -> ControlFlow<()> {
        let flushed = self.out.flush();
        self.check(flushed)
    }
}

/// Keeps lines for a document.
struct Lines {
    names: Vec<String>,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    source: String,
    time: Option<String>,
    level: Option<String>,
    status: Option<u16>,
    line: String,
}

impl LogSink for Lines {
    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        self.lines.push(Line {
            source: self.names.get(record.source()).cloned().unwrap_or_default(),
            time: record.time().map(|time| time.to_string()),
            level: record.level().map(|level| format!("{level:?}").to_lowercase()),
            status: record.status(),
            line: String::from_utf8_lossy(record.line()).into_owned(),
        });
        ControlFlow::Continue(())
    }

    fn pause(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[derive(Debug, Serialize)]
struct LinesReport {
    lines: Vec<Line>,
}

impl Report for LinesReport {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        self.lines.iter().try_for_each(|line| writeln!(out, "{}", line.line))
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct TopReport(Top);

impl Report for TopReport {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let top = &self.0;
        writeln!(out, "{} requests, {} sent", top.requests, ByteSize::new(top.bytes))?;
        if top.other_lines > 0 {
            writeln!(out, "{} lines are not requests", top.other_lines)?;
        }
        if top.requests == 0 {
            return Ok(());
        }
        writeln!(out, "\nstatus   requests")?;
        for one in &top.statuses {
            let percent = one.requests as f64 * 100.0 / top.requests.max(1) as f64;
            writeln!(out, "{:<6} {:>10} {percent:>6.2} %", one.status, one.requests)?;
        }
        let timed = top.routes.iter().any(|route| route.p95_seconds.is_some());
        let (title, note) = if timed {
            ("slowest routes", "")
        } else {
            ("busiest routes", "; the log has no times")
        };
        writeln!(out, "\n  requests   errors   mean ms    p95 ms    max ms  {title}{note}")?;
        for route in &top.routes {
            let millis =
                |seconds: Option<f64>| seconds.map_or("-".into(), |s| format!("{:.1}", s * 1e3));
            let (mean, p95) = (millis(route.mean_seconds), millis(route.p95_seconds));
            let max = millis(route.max_seconds);
            let (requests, errors) = (route.requests, route.errors);
            let name = crate::terminal::one_line(&route.route);
            writeln!(out, "{requests:>10} {errors:>8} {mean:>9} {p95:>9} {max:>9}  {name}")?;
        }
        writeln!(out, "\n  requests  refused        sent  busiest addresses")?;
        for client in &top.clients {
            let sent = ByteSize::new(client.bytes).to_string();
            let (requests, refused) = (client.requests, client.refused);
            let name = crate::terminal::one_line(&client.client);
            writeln!(out, "{requests:>10} {refused:>8} {sent:>11}  {name}")?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct CleanedReport(CleanReport);

impl Report for CleanedReport {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let report = &self.0;
        let path = |path: &std::path::Path| crate::terminal::one_line(&path.to_string_lossy());
        let removed = if report.dry_run { "would remove" } else { "removed" };
        for one in &report.removed {
            writeln!(
                out,
                "{removed} {} ({}, {})",
                path(&one.path),
                ByteSize::new(one.bytes),
                one.modified
            )?;
        }
        for one in &report.kept {
            writeln!(out, "kept {} ({})", path(&one.path), one.reason)?;
        }
        for one in &report.failed {
            writeln!(out, "failed {}: {}", path(&one.path), one.error)?;
        }
        let freed = ByteSize::new(report.freed_bytes);
        let verb = if report.dry_run { "would be" } else { "are" };
        writeln!(
            out,
            "{} of {} logs; {freed} {verb} free",
            report.removed.len(),
            report.removed.len() + report.kept.len() + report.failed.len()
        )?;
        if report.unseen_processes {
            writeln!(
                out,
                "the open files of other users' processes could not be read; run as root to \
                 read them"
            )?;
        }
        Ok(())
    }
}

fn cleaned(report: Result<CleanReport>) -> Reply<CleanedReport> {
    match report {
        Ok(report) => {
            let outcome = if report.failed.is_empty() { Outcome::Done } else { Outcome::Losses };
            Reply::new(CleanedReport(report), outcome)
        }
        Err(error) => error.into(),
    }
}

fn with_losses<T>(read: Result<(T, Summary)>) -> Reply<T> {
    match read {
        Ok((result, summary)) => Reply::new(result, outcome(&summary)),
        Err(error) => error.into(),
    }
}

fn outcome(summary: &Summary) -> Outcome {
    if summary.failed.is_empty() { Outcome::Done } else { Outcome::Losses }
}
