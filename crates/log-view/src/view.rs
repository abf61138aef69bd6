//! Reading several logs as one.

use std::{
    cmp::Reverse, collections::BinaryHeap, fs::File, num::NonZero, ops::ControlFlow, thread,
};

use seaworthy_core::{Context, Error, Event, Result, TimeZone};

use crate::{
    clock::Nanos,
    filter::Filter,
    pipeline::Chunks,
    record::{Chunk, Record},
    scan::Scanner,
    source::{self, Kind, Packing, Source},
    tail::{self, Kept},
};

/// Receives records.
pub trait LogSink {
    /// One matching line. [`ControlFlow::Break`] ends the reading.
    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()>;

    /// There is nothing more for now: buffered output should be shown.
    fn pause(&mut self) -> ControlFlow<()>;
}

/// Several logs as one: the matching lines of all of them, merged by time.
///
/// Lines of one log keep their order. A log that cannot be read to its end is named in an
/// [`Event::Warning`] and in the summary, and reading continues with the others.
///
/// ```
/// use seaworthy_log_view::{Source, View};
/// let view = View::new(vec![Source::file("/var/log/nginx/access.log")]).last(20);
/// ```
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) sources: Vec<Source>,
    pub(crate) filter: Filter,
    pub(crate) last: Option<usize>,
    pub(crate) zone: TimeZone,
    facts: bool,
    times: bool,
}

/// The summary of reading a [`View`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How many lines matched.
    pub records: u64,
    /// What went wrong with logs that could not be read to their end.
    pub failed: Vec<Error>,
}

impl View {
    /// All lines of `sources`; times without a zone are in UTC.
    pub fn new(sources: Vec<Source>) -> Self {
        let (filter, zone) = (Filter::new(), TimeZone::utc());
        Self { sources, filter, last: None, zone, facts: false, times: false }
    }

    /// Only what `filter` lets through.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Only the last `count` of the matching lines.
    #[must_use]
    pub fn last(mut self, count: usize) -> Self {
        self.last = Some(count);
        self
    }

    /// Treats times without a zone as times in `zone`.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Reads levels and statuses of all records, as colours need them; without this, only those
    /// that are needed anyway.
    #[must_use]
    pub fn with_facts(mut self) -> Self {
        self.facts = true;
        self
    }

    /// Reads the times of all records; without this, only if several sources are merged or a filter
    /// needs them.
    #[must_use]
    pub fn with_times(mut self) -> Self {
        self.times = true;
        self
    }

    /// The names of the sources, if there are several.
    pub fn names(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.name().to_owned()).collect()
    }

    /// Sends all matching lines to `sink`. Blocks.
    ///
    /// # Errors
    /// The error from opening a log, and [`Cancelled`](seaworthy_core::ErrorKind::Cancelled).
    pub fn read(&self, sink: &mut dyn LogSink, cx: &Context) -> Result<Summary> {
        if let Some(count) = self.last {
            let mut summary = Summary::default();
            for kept in self.tail(count, &mut summary, cx)? {
                summary.records += 1;
                if sink.record(&kept.record()).is_break() {
                    return Ok(summary);
                }
            }
            let _ = sink.pause();
            return Ok(summary);
        }
        let workers = match self.sources.len() {
            1 => thread::available_parallelism().map_or(1, NonZero::get).min(8),
            _ => 1,
        };
        let scanner = self.scanner(cx);
        let streams: Result<Vec<_>> = self
            .sources
            .iter()
            .map(|source| {
                let reader = source.open(&self.filter)?;
                Ok(Stream::new(Chunks::start(reader, source.name(), &scanner, workers)?))
            })
            .collect();
        let summary = Merge { streams: streams?, summary: Summary::default(), cx }.run(sink)?;
        let _ = sink.pause();
        Ok(summary)
    }

    pub(crate) fn scanner(&self, cx: &Context) -> Scanner {
        let timed = self.times || self.sources.len() > 1;
        Scanner::new(&self.filter, &self.zone, cx.now(), timed, self.facts)
    }

    /// The last `count` matching lines of all sources.
    fn tail(&self, count: usize, summary: &mut Summary, cx: &Context) -> Result<Vec<Kept>> {
        let scanner = self.scanner(cx);
        let mut all = Vec::new();
        for (number, source) in self.sources.iter().enumerate() {
            match self.tail_of(source, number, count, &scanner, cx) {
                Ok(kept) => all.push(kept),
                Err(error) if error.operation() == "logs.read" => summary.failed(error, cx),
                Err(error) => return Err(error),
            }
        }
        Ok(merge_kept(all, count))
    }

    fn tail_of(
        &self,
        source: &Source,
        number: usize,
        count: usize,
        scanner: &Scanner,
        cx: &Context,
    ) -> Result<Vec<Kept>> {
        if let Kind::Files(files) = &source.kind
            && let Some((newest, older)) = files.split_last()
        {
            let fail = |e| Error::io("logs.open", format!("cannot read {}", newest.display()), e);
            let mut file = File::open(newest).map_err(fail)?;
            let metadata = file.metadata().map_err(fail)?;
            if metadata.is_file() && source::packing(&mut file).map_err(fail)? == Packing::None {
                let kept = tail::of_file(&mut file, metadata.len(), count, scanner, number);
                let kept = kept.map_err(fail)?;
                if kept.len() == count || older.is_empty() {
                    return Ok(kept);
                }
            }
        }
        let reader = source.open(&self.filter)?;
        let chunks = Chunks::start(reader, source.name(), scanner, 1)?;
        tail::of_chunks(&chunks, count, number, cx)
    }
}

impl Summary {
    fn failed(&mut self, error: Error, cx: &Context) {
        cx.emit(Event::warning(error.chain()));
        self.failed.push(error);
    }
}

/// Merges the kept lines of all sources by time, and keeps the last `count`.
pub(crate) fn merge_kept(all: Vec<Vec<Kept>>, count: usize) -> Vec<Kept> {
    let mut timed = Vec::new();
    for kept in all {
        let mut last = Nanos::MIN;
        for kept in kept {
            // The order within one source is kept, as if its clock never went back.
            last = kept.found.time.unwrap_or(last).max(last);
            timed.push((last, kept));
        }
    }
    timed.sort_by_key(|(time, _)| *time);
    let first = timed.len().saturating_sub(count);
    timed.drain(first..).map(|(_, kept)| kept).collect()
}

/// One source in a merge.
struct Stream {
    chunks: Chunks,
    chunk: Chunk,
    at: usize,
    /// The time of its current record; that of the one before if it has none.
    time: Nanos,
}

impl Stream {
    fn new(chunks: Chunks) -> Self {
        Self { chunks, chunk: Chunk::default(), at: 0, time: Nanos::MIN }
    }

    /// Goes to the next record; `Ok(false)` at the end.
    fn advance(&mut self, cx: &Context) -> Result<bool> {
        self.at += 1;
        if self.at >= self.chunk.found.len() {
            cx.check("logs")?;
            let used = std::mem::take(&mut self.chunk);
            self.at = 0;
            match self.chunks.next(used) {
                None => return Ok(false),
                Some(next) => self.chunk = next?,
            }
        }
        if let Some(time) = self.chunk.found[self.at].time {
            self.time = time;
        }
        Ok(true)
    }
}

struct Merge<'c> {
    streams: Vec<Stream>,
    summary: Summary,
    cx: &'c Context,
}

impl Merge<'_> {
    fn run(mut self, sink: &mut dyn LogSink) -> Result<Summary> {
        let mut heads = BinaryHeap::new();
        for number in 0..self.streams.len() {
            heads.extend(self.next(number)?.map(|time| Reverse((time, number))));
        }
        while let Some(Reverse((_, number))) = heads.pop() {
            // As long as this source comes first, the heap is not needed.
            let other = heads.peek().map(|Reverse(head)| *head);
            loop {
                let stream = &self.streams[number];
                if let Some(record) = stream.chunk.record(stream.at, number) {
                    self.summary.records += 1;
                    if sink.record(&record).is_break() {
                        return Ok(self.summary);
                    }
                }
                match self.next(number)? {
                    None => break,
                    Some(time) if other.is_some_and(|other| other < (time, number)) => {
                        heads.push(Reverse((time, number)));
                        break;
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(self.summary)
    }

    /// The time of the next record of a source; `None` if there are no more.
    fn next(&mut self, number: usize) -> Result<Option<Nanos>> {
        let stream = &mut self.streams[number];
        match stream.advance(self.cx) {
            Ok(true) => Ok(Some(stream.time)),
            Ok(false) => Ok(None),
            Err(error) if error.operation() == "logs.read" => {
                self.summary.failed(error, self.cx);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
