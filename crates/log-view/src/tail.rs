//! The last matching lines of a log, read from its end if possible.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use seaworthy_core::{Context, Result};

use crate::{
    pipeline::Chunks,
    record::{Chunk, Found, Record},
    scan::Scanner,
};

/// How much is read from the end at first, in bytes; eight times as much each time after.
const FIRST: u64 = 128 << 10;

/// A line that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) source: usize,
    pub(crate) line: Vec<u8>,
    pub(crate) found: Found,
}

impl Kept {
    pub(crate) fn record(&self) -> Record<'_> {
        Record { source: self.source, line: &self.line, found: &self.found }
    }
}

impl From<Record<'_>> for Kept {
    fn from(record: Record<'_>) -> Self {
        Self { source: record.source, line: record.line.to_vec(), found: record.found.clone() }
    }
}

/// The last `count` matching lines of the first `size` bytes of the uncompressed file `file`.
pub(crate) fn of_file(
    file: &mut File,
    size: u64,
    count: usize,
    scanner: &Scanner,
    source: usize,
) -> io::Result<Vec<Kept>> {
    let mut window = FIRST;
    loop {
        let whole = window >= size;
        let start = if whole { 0 } else { size - window };
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.by_ref().take(size - start).read_to_end(&mut bytes)?;
        let mut scanner = scanner.clone();
        scanner.forget();
        let begin = if whole { Some(0) } else { scanner.first_record(&bytes) };
        let mut chunk =
            Chunk { bytes: bytes.split_off(begin.unwrap_or(bytes.len())), found: Vec::new() };
        scanner.scan(&chunk.bytes, &mut chunk.found);
        if whole || chunk.found.len() >= count {
            let first = chunk.found.len().saturating_sub(count);
            let kept = (first..chunk.found.len()).filter_map(|n| chunk.record(n, source));
            return Ok(kept.map(Kept::from).collect());
        }
        window = window.saturating_mul(8);
    }
}

/// The last `count` matching lines of all `chunks`.
pub(crate) fn of_chunks(
    chunks: &Chunks,
    count: usize,
    source: usize,
    cx: &Context,
) -> Result<Vec<Kept>> {
    let mut kept: VecDeque<Kept> = VecDeque::new();
    let mut used = Chunk::default();
    while let Some(next) = chunks.next(used) {
        cx.check("logs")?;
        let chunk = next?;
        let first = chunk.found.len().saturating_sub(count);
        for number in first..chunk.found.len() {
            if kept.len() == count {
                kept.pop_front();
            }
            kept.extend(chunk.record(number, source).map(Kept::from));
        }
        used = chunk;
    }
    Ok(kept.into())
}
