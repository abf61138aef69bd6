//! One line of a log, and what it says about itself.

use std::ops::Range;

use seaworthy_core::Timestamp;

use crate::{clock::Nanos, format::Facts, level::Level};

/// One line of a log, and what it says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(crate) source: usize,
    pub(crate) line: &'a [u8],
    pub(crate) found: &'a Found,
}

impl<'a> Record<'a> {
    /// The index of its source, in the order in which the sources were given.
    pub fn source(&self) -> usize {
        self.source
    }

    /// The line without its newline, as it is in the log: do not trust its content.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// When it was written, to the second, if that was needed and could be read.
    pub fn time(&self) -> Option<Timestamp> {
        self.found.time.map(|time| Timestamp::from_unix(time.div_euclid(1_000_000_000)))
    }

    /// Its severity, if its level or its HTTP status was needed and could be read.
    pub fn level(&self) -> Option<Level> {
        self.found.gravity
    }

    /// Its HTTP status, if that was needed and could be read.
    pub fn status(&self) -> Option<u16> {
        self.found.status
    }

    /// Where the level and the status are in the line.
    pub(crate) fn places(&self) -> [(Range<usize>, Mark); 2] {
        let range = |range: &Range<u32>| range.start as usize..range.end as usize;
        [
            (range(&self.found.level_at), Mark::Level(self.found.own_level)),
            (range(&self.found.status_at), Mark::Status(self.found.status)),
        ]
    }
}

/// What may be coloured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    Level(Option<Level>),
    Status(Option<u16>),
}

/// Where a matching line is in its block, and what it says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) time: Option<Nanos>,
    pub(crate) gravity: Option<Level>,
    /// The level that the line itself names.
    pub(crate) own_level: Option<Level>,
    pub(crate) level_at: Range<u32>,
    pub(crate) status: Option<u16>,
    pub(crate) status_at: Range<u32>,
}

impl Found {
    /// A line about which nothing needs to be known.
    pub(crate) fn bare(start: usize, end: usize) -> Self {
        Self { start, end, ..Self::default() }
    }

    pub(crate) fn new(
        range: Range<usize>,
        facts: Facts,
        whole: (Option<Nanos>, Option<Level>),
    ) -> Self {
        let Facts { level, level_at, status, status_at, .. } = facts;
        Self {
            start: range.start,
            end: range.end,
            time: whole.0,
            gravity: whole.1,
            own_level: level,
            level_at,
            status,
            status_at,
        }
    }
}

/// A block of a log and the matching lines in it.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) found: Vec<Found>,
}

impl Chunk {
    /// The matching line with this index.
    pub(crate) fn record(&self, number: usize, source: usize) -> Option<Record<'_>> {
        let found = self.found.get(number)?;
        Some(Record { source, line: self.bytes.get(found.start..found.end)?, found })
    }
}
