//! Following logs as they grow.

use std::{
    io::Read,
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
    time::Duration,
};

use seaworthy_core::{Context, Error, Event, Result};

use crate::{
    clock::Nanos,
    grow::{Growing, Grown},
    pipeline::spawn,
    record::{Chunk, Found},
    scan::Scanner,
    source::{Kind, Source},
    tail::{self, Kept},
    view::{LogSink, View},
};

/// How often files are checked.
const INTERVAL: Duration = Duration::from_millis(100);

/// How many lines are shown at first by default.
const USUAL_LAST: usize = 10;

/// The longest line that is kept whole, in bytes.
const LONGEST_LINE: usize = 16 << 20;

impl View {
    /// Sends the last matching lines to `sink` (ten, or as many as [`last`](View::last) says), and
    /// then every new one until it is cancelled or every source that can grow has ended. Blocks.
    ///
    /// Files are followed by name: when one is rotated away, it is read to its end, and then the new
    /// one is read from its beginning; one that is truncated is read from its beginning; one that
    /// is not there yet is waited for.
    ///
    /// # Errors
    /// The error from opening a log. Being cancelled is not an error here.
    pub fn follow(&self, sink: &mut dyn LogSink, cx: &Context) -> Result<()> {
        let count = self.last.unwrap_or(USUAL_LAST);
        let scanner = self.scanner(cx);
        let mut first = Vec::new();
        let mut followed = Vec::new();
        for (number, source) in self.sources.iter().enumerate() {
            let (one, kept) = Followed::start(self, source, number, count, &scanner, cx)?;
            followed.push(one);
            first.push(kept);
        }
        for kept in crate::view::merge_kept(first, count) {
            if sink.record(&kept.record()).is_break() {
                return Ok(());
            }
        }
        while !cx.cancel().is_triggered() {
            let mut new = Vec::new();
            let mut alive = false;
            for one in &mut followed {
                alive |= one.poll(&mut new, cx)?;
            }
            // Timestamps only order what arrived in the same poll.
            new.sort_by_key(|(time, _)| *time);
            for (_, kept) in &new {
                if sink.record(&kept.record()).is_break() {
                    return Ok(());
                }
            }
            if sink.pause().is_break() || !alive {
                return Ok(());
            }
            if new.is_empty() {
                thread::sleep(INTERVAL);
            }
        }
        Ok(())
    }
}

/// One source that is followed.
struct Followed {
    number: usize,
    scanner: Scanner,
    /// A line without its newline yet.
    rest: Vec<u8>,
    last_time: Nanos,
    growth: Growth,
}

enum Growth {
    File(Growing),
    /// What a thread has read from a pipe.
    Pipe(Receiver<std::io::Result<Vec<u8>>>),
    Over,
}

impl Followed {
    fn start(
        view: &View,
        source: &Source,
        number: usize,
        count: usize,
        scanner: &Scanner,
        cx: &Context,
    ) -> Result<(Self, Vec<Kept>)> {
        let mut kept = Vec::new();
        let growth = match &source.kind {
            Kind::Files(files) => {
                let Some(newest) = files.last() else {
                    return Ok((Self::new(number, scanner, Growth::Over), kept));
                };
                let mut growing = Growing::new(newest);
                kept = growing
                    .start(|file, size| tail::of_file(file, size, count, scanner, number))?;
                if growing.is_waiting() {
                    cx.emit(Event::warning(format!("{} is not there yet", newest.display())));
                }
                Growth::File(growing)
            }
            Kind::Journal(journal) => {
                Growth::Pipe(pipe(journal.start(&view.filter, Some(count))?)?)
            }
            Kind::Reader(_) => Growth::Pipe(pipe(source.open(&view.filter)?)?),
        };
        Ok((Self::new(number, scanner, growth), kept))
    }

    fn new(number: usize, scanner: &Scanner, growth: Growth) -> Self {
        let scanner = scanner.clone();
        Self { number, scanner, rest: Vec::new(), last_time: Nanos::MIN, growth }
    }

    /// Adds what is new; returns whether more may come.
    fn poll(&mut self, new: &mut Vec<(Nanos, Kept)>, cx: &Context) -> Result<bool> {
        match &mut self.growth {
            Growth::Over => return Ok(false),
            Growth::File(growing) => {
                let mut grown = Vec::new();
                growing.poll(&mut grown).map_err(|source| {
                    let message = format!("cannot read {}", growing.path().display());
                    Error::io("logs.follow", message, source)
                })?;
                for grown in grown {
                    match grown {
                        Grown::Bytes(bytes) => self.take(&bytes, false, new),
                        Grown::Ended => self.take(b"", true, new),
                        Grown::Truncated => {
                            self.rest.clear();
                            self.scanner.forget();
                            if let Growth::File(growing) = &self.growth {
                                let path = growing.path().display();
                                cx.emit(Event::warning(format!("{path} was truncated")));
                            }
                        }
                    }
                }
            }
            Growth::Pipe(bytes) => match bytes.try_recv() {
                Ok(Ok(bytes)) => self.take(&bytes, false, new),
                Ok(Err(source)) => cx.emit(Event::warning(source.to_string())),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    self.growth = Growth::Over;
                    self.take(b"", true, new);
                }
            },
        }
        Ok(true)
    }

    /// Takes the lines of `bytes`; with `ended` also a last one without a newline.
    fn take(&mut self, bytes: &[u8], ended: bool, new: &mut Vec<(Nanos, Kept)>) {
        self.rest.extend_from_slice(bytes);
        let cut = match memchr::memrchr(b'\n', bytes) {
            Some(last) => self.rest.len() - bytes.len() + last + 1,
            None if ended || self.rest.len() > LONGEST_LINE => self.rest.len(),
            None => return,
        };
        let left = self.rest.split_off(cut);
        let mut chunk = Chunk { bytes: std::mem::replace(&mut self.rest, left), found: Vec::new() };
        self.scanner.scan(&chunk.bytes, &mut chunk.found);
        for number in 0..chunk.found.len() {
            let Some(record) = chunk.record(number, self.number) else { continue };
            let Found { time, .. } = record.found;
            self.last_time = time.unwrap_or(self.last_time).max(self.last_time);
            new.push((self.last_time, record.into()));
        }
    }
}

/// Reads on a thread of its own, since a pipe cannot be polled.
fn pipe(mut reader: impl Read + Send + 'static) -> Result<Receiver<std::io::Result<Vec<u8>>>> {
    let (sender, receiver) = sync_channel(16);
    spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let sent = match reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => sender.send(Ok(buffer[..length].to_vec())),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let _ = sender.send(Err(e));
                    return;
                }
            };
            if sent.is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
