//! `--events`: events as lines of JSON.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use seaworthy::core::{Error, Event, Progress, Result, Timestamp};

/// The shortest interval between progress events.
const PACE: Duration = Duration::from_millis(50);

/// Writes each event as a line, and passes it on.
pub(crate) struct EventLines {
    next: Arc<dyn Progress>,
    out: Mutex<Out>,
}

struct Out {
    /// `None` after a line could not be written.
    to: Option<Box<dyn Write + Send>>,
    /// The progress since the last progress event.
    advanced: (u64, u64),
    told: Option<Instant>,
}

impl EventLines {
    /// Appends to the file at `path`, or, if that is `-`, writes to standard error.
    pub(crate) fn open(path: &Path, next: Arc<dyn Progress>) -> Result<Arc<Self>> {
        let to: Box<dyn Write + Send> = if is_stderr(path) {
            Box::new(io::stderr())
        } else {
            Box::new(File::options().create(true).append(true).open(path).map_err(|e| {
                Error::io("events.open", format!("cannot write to {}", path.display()), e)
                    .remedy_is("use a file, a pipe such as /dev/fd/3, or - for standard error")
            })?)
        };
        let out = Out { to: Some(to), advanced: (0, 0), told: None };
        Ok(Arc::new(Self { next, out: Mutex::new(out) }))
    }

    /// Writes the remaining progress.
    pub(crate) fn flush(&self) {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

/// Whether the events go to standard error, where no other output may be mixed in.
pub(crate) fn is_stderr(path: &Path) -> bool {
    path.as_os_str() == "-"
}

impl Progress for EventLines {
    fn event(&self, event: &Event) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::Advanced { bytes, items } = event {
            out.advanced.0 += bytes;
            out.advanced.1 += items;
            if out.told.is_none_or(|told| told.elapsed() >= PACE) {
                out.flush();
            }
        } else {
            out.flush();
            out.write(event);
        }
        drop(out);
        self.next.event(event);
    }
}

impl Out {
    fn flush(&mut self) {
        let (bytes, items) = std::mem::take(&mut self.advanced);
        if (bytes, items) != (0, 0) {
            self.told = Some(Instant::now());
            self.write(&Event::Advanced { bytes, items });
        }
    }

    /// Writes a line with one call, so that other output is not mixed in.
    fn write(&mut self, event: &Event) {
        let Some(to) = &mut self.to else { return };
        let now = Timestamp::from(std::time::SystemTime::now());
        let mut line = serde_json::to_vec(&event.at(now)).unwrap_or_default();
        line.push(b'\n');
        if to.write_all(&line).and_then(|()| to.flush()).is_err() {
            // The reader has closed the pipe; the operation continues.
            self.to = None;
        }
    }
}

impl std::fmt::Debug for EventLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventLines")
    }
}
