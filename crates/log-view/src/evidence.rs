//! Decides whether a file is a log.

use std::{io::Read, path::Path};

use seaworthy_core::{TimeZone, Timestamp};

use crate::{clock::Clock, format, rotated::RotatedName, source};

/// How much of a file is read to decide, in bytes.
const LOOKED_AT: u64 = 16 << 10;

/// Whether the file's content is that of a log: text, and unless its name says that it is a log,
/// most lines must begin with a timestamp.
pub(crate) fn is_log(path: &Path, rotated: Option<&RotatedName>) -> bool {
    let Ok(reader) = source::open_file(path) else { return false };
    let mut head = Vec::new();
    if reader.take(LOOKED_AT).read_to_end(&mut head).is_err() || !is_text(&head) {
        return false;
    }
    rotated.is_some_and(|rotated| is_named_log(&rotated.family)) || is_dated(&head)
}

fn is_named_log(family: &str) -> bool {
    ["log", ".out", ".err"].iter().any(|end| family.ends_with(end)) || family.contains(".log")
}

fn is_text(head: &[u8]) -> bool {
    let strange =
        head.iter().filter(|c| c.is_ascii_control() && !b"\n\r\t\x1b".contains(c)).count();
    !head.contains(&0) && strange * 100 <= head.len()
}

fn is_dated(head: &[u8]) -> bool {
    let mut clock = Clock::new(TimeZone::utc(), Timestamp::UNIX_EPOCH);
    let lines: Vec<_> = head.split(|c| *c == b'\n').filter(|line| !line.is_empty()).collect();
    let dated = lines.iter().filter(|line| format::read(line, &mut clock, false).dated).count();
    dated > 0 && dated * 2 >= lines.len()
}
