//! Making index records from an archive alone.

use seaworthy_core::Result;

use super::{BLOCK, TRAILER, parse::damaged, parse_entry};
use crate::format::index::FileRecord;

/// Reads a tar payload piece by piece and rebuilds its index records.
///
/// Feed the plain bytes in order, in pieces of any size; each record comes out with the piece
/// that holds the last byte of its headers. Memory stays within one entry's headers.
#[derive(Debug, Default)]
pub(crate) struct TarScanner {
    /// The beginning of incomplete headers, or of the end marker.
    pending: Vec<u8>,
    /// The offset of the bytes after `pending` in the payload.
    at: u64,
    /// How many bytes of data and padding to skip.
    skip: u64,
    /// Whether the end marker was seen.
    ended: bool,
}

impl TarScanner {
    /// A scanner at the beginning of a payload.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Reads on. Records of the entries whose headers are now known are added to `out`, their
    /// offsets counted from the payload's first byte.
    ///
    /// Fails with [`ErrorKind::Damaged`](seaworthy_core::ErrorKind::Damaged) if this is not an
    /// archive that this crate wrote.
    pub(crate) fn push(&mut self, mut plain: &[u8], out: &mut Vec<FileRecord>) -> Result<()> {
        loop {
            let skipped = self.skip.min(plain.len() as u64);
            self.skip -= skipped;
            self.at += skipped;
            plain = &plain[skipped as usize..];
            if plain.is_empty() {
                return Ok(());
            }
            if self.ended {
                if plain.iter().any(|byte| *byte != 0) {
                    return Err(damaged("bytes follow its end"));
                }
                self.at += plain.len() as u64;
                return Ok(());
            }
            // Most headers are complete in one piece; only those that are not are copied.
            let held = self.pending.len();
            let start = self.at - held as u64;
            let found = if held == 0 {
                entry_or_end(plain)?
            } else {
                self.pending.extend_from_slice(plain);
                entry_or_end(&self.pending)?
            };
            let (headers, len) = match found {
                Found::More => {
                    if held == 0 {
                        self.pending.extend_from_slice(plain);
                    }
                    self.at += plain.len() as u64;
                    return Ok(());
                }
                Found::End => {
                    self.ended = true;
                    (TRAILER.len() as u64, TRAILER.len() as u64)
                }
                Found::Entry(parsed) => {
                    let len = parsed.len();
                    out.push(parsed.meta.record(start, len));
                    (parsed.headers, len)
                }
            };
            self.pending.clear();
            let taken = headers - held as u64;
            plain = &plain[taken as usize..];
            self.at += taken;
            self.skip = len - headers;
        }
    }

    /// The offset of the entry whose headers are incomplete, from the payload's first byte.
    pub(crate) fn open_since(&self) -> Option<u64> {
        (!self.pending.is_empty()).then(|| self.at - self.pending.len() as u64)
    }

    /// Checks that the archive ended with its end marker.
    pub(crate) fn finish(self) -> Result<()> {
        if self.ended { Ok(()) } else { Err(damaged("its end is missing")) }
    }
}

enum Found {
    More,
    End,
    Entry(super::Parsed),
}

fn entry_or_end(bytes: &[u8]) -> Result<Found> {
    let block = BLOCK as usize;
    if bytes.len() >= block && bytes[..block] == TRAILER[..block] {
        return match bytes.get(block..2 * block) {
            Some(second) if second == &TRAILER[..block] => Ok(Found::End),
            Some(_) => Err(damaged("it ends in the middle of an entry")),
            None => Ok(Found::More),
        };
    }
    Ok(parse_entry(bytes)?.map_or(Found::More, Found::Entry))
}
