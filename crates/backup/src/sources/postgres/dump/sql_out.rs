//! Puts statements into segments.

use seaworthy_core::Result;

use super::out::{Compressing, Out};
use crate::{
    format::index::{Entry, SqlRecord, SqlSection},
    payload::{SEGMENT_SIZE, Segment},
};

/// Collects the statements of one section and sends them in segments.
#[derive(Debug)]
pub(crate) struct SqlOut {
    out: Out,
    section: SqlSection,
    data: Vec<u8>,
    entries: Vec<Entry>,
    compressing: Compressing,
    bytes: u64,
}

impl SqlOut {
    pub(crate) fn new(out: &Out, section: SqlSection) -> Self {
        let (entries, compressing) = (Vec::new(), Compressing::default());
        Self { out: out.clone(), section, data: out.buffer(), entries, compressing, bytes: 0 }
    }

    /// Adds an entry without bytes to the current segment.
    pub(crate) fn note(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Adds `sql`; it is not split across segments.
    pub(crate) async fn push(&mut self, sql: &[u8]) -> Result<()> {
        self.data.extend_from_slice(sql);
        self.bytes += sql.len() as u64;
        if self.data.len() >= SEGMENT_SIZE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<()> {
        let len = self.data.len() as u64;
        let data = std::mem::replace(&mut self.data, self.out.buffer());
        let mut entries = std::mem::take(&mut self.entries);
        if len > 0 {
            entries.push(Entry::Sql(SqlRecord::new(self.section, 0, len)));
        }
        let segment = Segment { data, entries, progress_bytes: len };
        self.out.send(segment, None, &mut self.compressing).await
    }

    /// Sends the rest, and returns how many bytes the section had.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.flush().await?;
        self.compressing.finish().await?;
        Ok(self.bytes)
    }
}
