//! Reads a log block by block on its own threads, and scans the blocks in parallel.

use std::{
    io::{self, Read},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use seaworthy_core::{Error, ErrorKind, Result};

use crate::{record::Chunk, scan::Scanner};

/// How much is read at once, in bytes.
const BLOCK: usize = 1 << 20;

/// The longest line that is kept whole, in bytes.
const LONGEST_LINE: usize = 64 << 20;

/// The chunks of one log, in order.
#[derive(Debug)]
pub(crate) struct Chunks {
    next: Receiver<Receiver<Result<Chunk>>>,
    spare: Spare,
}

/// Buffers to be used again.
#[derive(Clone, Debug, Default)]
struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

type Work = (Vec<u8>, SyncSender<Result<Chunk>>);

impl Chunks {
    /// Starts reading. `name` is used in errors; `workers` threads scan.
    pub(crate) fn start(
        reader: Box<dyn Read + Send>,
        name: &str,
        scanner: &Scanner,
        workers: usize,
    ) -> Result<Self> {
        let spare = Spare::default();
        let (order, next) = sync_channel(workers + 2);
        let (work, waiting) = sync_channel::<Work>(1);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..workers {
            let (waiting, spare, mut scanner) = (waiting.clone(), spare.clone(), scanner.clone());
            spawn(move || scan_all(&waiting, &mut scanner, workers == 1, &spare))?;
        }
        let mut reading =
            Reading { reader, scanner: scanner.clone(), spare: spare.clone(), rest: Vec::new() };
        let name = name.to_owned();
        spawn(move || {
            loop {
                let (answer, answered) = sync_channel(1);
                let sent = match reading.block() {
                    Ok(None) => return,
                    Ok(Some(block)) => {
                        order.send(answered).is_ok() && work.send((block, answer)).is_ok()
                    }
                    Err(source) => {
                        let error = Error::io("logs.read", format!("cannot read {name}"), source);
                        let _ = answer.send(Err(error));
                        let _ = order.send(answered);
                        return;
                    }
                };
                if !sent {
                    return;
                }
            }
        })?;
        Ok(Self { next, spare })
    }

    /// The next chunk with anything in it; `None` at the end. Returns `used` to the pool.
    pub(crate) fn next(&self, used: Chunk) -> Option<Result<Chunk>> {
        self.spare.give(used.bytes);
        loop {
            let answer = self.next.recv().ok()?.recv().unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Internal, "logs.read", "a thread that reads has failed"))
            });
            match answer {
                Ok(chunk) if chunk.found.is_empty() => self.spare.give(chunk.bytes),
                other => return Some(other),
            }
        }
    }
}

fn scan_all(waiting: &Mutex<Receiver<Work>>, scanner: &mut Scanner, alone: bool, spare: &Spare) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((block, answer)) = next else { return };
        if !alone {
            scanner.forget();
        }
        let mut found = Vec::new();
        scanner.scan(&block, &mut found);
        let bytes = if found.is_empty() {
            spare.give(block);
            Vec::new()
        } else {
            block
        };
        // The receiver may have stopped.
        let _ = answer.send(Ok(Chunk { bytes, found }));
    }
}

/// Cuts what it reads where records begin.
struct Reading {
    reader: Box<dyn Read + Send>,
    scanner: Scanner,
    spare: Spare,
    rest: Vec<u8>,
}

impl Reading {
    fn block(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = self.spare.take();
        block.extend_from_slice(&self.rest);
        self.rest.clear();
        let mut more = BLOCK;
        loop {
            let read = self.reader.by_ref().take(more as u64).read_to_end(&mut block)?;
            if read < more {
                return Ok((!block.is_empty()).then_some(block));
            }
            let cut = match self.scanner.cut(&block) {
                0 if block.len() > LONGEST_LINE => block.len(),
                cut => cut,
            };
            if cut > 0 {
                self.rest.extend_from_slice(&block[cut..]);
                block.truncate(cut);
                return Ok(Some(block));
            }
            more = block.len();
        }
    }
}

impl Spare {
    fn take(&self) -> Vec<u8> {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Vec::with_capacity(BLOCK + (BLOCK >> 2)))
    }

    fn give(&self, mut buffer: Vec<u8>) {
        let usual = BLOCK..BLOCK * 4;
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if usual.contains(&buffer.capacity()) && spare.len() < 8 {
            buffer.clear();
            spare.push(buffer);
        }
    }
}

/// Starts a thread for reading logs.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = thread::Builder::new().name("logs".into()).spawn(work);
    started.map(drop).map_err(|e| Error::io("logs.read", "cannot start a thread", e))
}
