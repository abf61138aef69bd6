//! Which frames are needed, what is extracted from each, and where it goes.

use std::{collections::HashMap, iter::Peekable, os::fd::OwnedFd, path::PathBuf, sync::Arc};

use seaworthy_core::Result;

use super::{
    confine::{damaged, shown},
    large::LargeFile,
};
use crate::{
    format::index::{FileRecord, FileType, FrameRecord, PathBytes, Record},
    restore::Selection,
    snapshot::{PayloadReader, Records},
    sources::files::archive::BLOCK,
};

/// A folder that a part of the archive is extracted to.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The part: a name in the archive; empty for all of it.
    pub(super) part: PathBytes,
    pub(super) root: Arc<OwnedFd>,
    /// The name of the part below the root; empty for all of the archive.
    pub(super) called: Vec<u8>,
    /// The root's path, for temporary files.
    pub(super) path: PathBuf,
}

/// A destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dest {
    pub(super) place: usize,
    pub(super) path: Vec<u8>,
}

/// What is selected, and where it goes.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) places: Vec<Place>,
    selection: Selection,
    /// Files that are selected only under the name of a link, with the destination of the first
    /// such link.
    stand_ins: HashMap<PathBytes, Dest>,
}

impl Scope {
    pub(super) fn new(
        places: Vec<Place>,
        selection: Selection,
        reader: &PayloadReader,
    ) -> Result<Self> {
        let mut scope = Self { places, selection, stand_ins: HashMap::new() };
        let is_all = scope.selection.is_all() && scope.places.iter().any(|p| p.part.0.is_empty());
        if !is_all {
            for record in reader.records()? {
                let Record::File(file) = record? else { continue };
                if let (FileType::Hardlink, Some(link)) = (file.file_type, file.link)
                    && let Some(dest) = scope.dest(&file.path)
                    && scope.dest(&link).is_none()
                {
                    scope.stand_ins.entry(link).or_insert(dest);
                }
            }
        }
        Ok(scope)
    }

    /// The destination of the entry `path`, if it is selected under its own name.
    pub(super) fn dest(&self, path: &PathBytes) -> Option<Dest> {
        if !self.selection.contains(path) {
            return None;
        }
        let place = self.places.iter().position(|place| path.is_within(&place.part.0))?;
        let Place { part, called, .. } = &self.places[place];
        let below = path.0.strip_prefix(&*part.0)?;
        Some(Dest { place, path: [&**called, below].concat() })
    }

    /// The destination of the contents of the file `path`, under its own name or that of a link.
    pub(super) fn dest_of_file(&self, path: &PathBytes) -> Option<Dest> {
        self.dest(path).or_else(|| self.stand_ins.get(path).cloned())
    }
}

/// A frame and what is extracted from it.
#[derive(Debug)]
pub(super) struct Group {
    /// Its position in the payload.
    pub(super) number: u64,
    pub(super) frame: FrameRecord,
    /// The file that continues in it.
    pub(super) continues: Option<Arc<LargeFile>>,
    pub(super) wanted: Vec<Wanted>,
}

/// An entry that begins in a frame.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) record: FileRecord,
    pub(super) dest: Dest,
    /// Set if it continues beyond its frame.
    pub(super) large: Option<Arc<LargeFile>>,
}

/// Hands out groups in payload order.
#[derive(Debug)]
pub(super) struct Plan {
    records: Peekable<Records>,
    scope: Arc<Scope>,
    number: u64,
    /// A selected file that continues, and where it ends.
    open: Option<(Arc<LargeFile>, u64)>,
    failed: bool,
}

impl Plan {
    pub(super) fn new(scope: Arc<Scope>, reader: &PayloadReader) -> Result<Self> {
        Ok(Self {
            records: reader.records()?.peekable(),
            scope,
            number: 0,
            open: None,
            failed: false,
        })
    }

    /// The next frame with something selected; `None` after a failure.
    pub(super) fn next_group(&mut self) -> Result<Option<Group>> {
        if self.failed {
            return Ok(None);
        }
        let next = self.find_group();
        if next.is_err() {
            self.failed = true;
            // Its first frame was never handed out: no worker would open it for those who wait.
            if let Some((large, _)) = &self.open {
                large.failed_unless_opened();
            }
        }
        next
    }

    fn find_group(&mut self) -> Result<Option<Group>> {
        loop {
            let frame = match self.records.next().transpose()? {
                None => return self.no_more().map(|()| None),
                Some(Record::Frame(frame)) => frame,
                Some(Record::File(_)) => return Err(damaged("an entry is not in any frame")),
                Some(_) => continue,
            };
            self.number += 1;
            let (start, end) = (frame.plain_offset, frame.plain_offset + frame.plain);
            let continues = self.open.as_ref().map(|(large, _)| large.clone());
            if self.open.as_ref().is_some_and(|(_, large_end)| *large_end <= end) {
                self.open = None;
            }
            let wanted = self.wanted_in(start, end)?;
            if continues.is_some() || !wanted.is_empty() {
                return Ok(Some(Group { number: self.number, frame, continues, wanted }));
            }
        }
    }

    fn no_more(&self) -> Result<()> {
        match &self.open {
            Some(_) => Err(damaged("the last file's end is missing")),
            None => Ok(()),
        }
    }

    /// The selected entries among those that follow a frame's record.
    fn wanted_in(&mut self, start: u64, end: u64) -> Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        let mut entries = 0;
        while let Some(record) = self.records.next_if(|next| !matches!(next, Ok(Record::Frame(_))))
        {
            let Record::File(record) = record? else { continue };
            entries += 1;
            let entry_end = record.at.checked_add(record.len);
            let fits = record.at >= start && record.at < end && record.len >= BLOCK;
            let Some(entry_end) = entry_end.filter(|_| fits && entries <= (end - start) / BLOCK)
            else {
                return Err(damaged(&format!("{} is at an invalid offset", record.path)));
            };
            let dest = match record.file_type {
                FileType::File => self.scope.dest_of_file(&record.path),
                _ => self.scope.dest(&record.path),
            };
            let Some(dest) = dest else { continue };
            let large = if entry_end > end {
                if record.file_type != FileType::File || self.open.is_some() {
                    let path = shown(&record.path.0);
                    return Err(damaged(&format!("{path} continues at an invalid offset")));
                }
                let large = Arc::new(LargeFile::default());
                self.open = Some((large.clone(), entry_end));
                Some(large)
            } else {
                None
            };
            wanted.push(Wanted { record, dest, large });
        }
        Ok(wanted)
    }
}
