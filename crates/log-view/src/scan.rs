//! Finding the matching lines in a block of a log.

use std::ops::Range;

use memchr::{memchr, memrchr};
use seaworthy_core::{TimeZone, Timestamp};

use crate::{
    clock::{Clock, Nanos},
    filter::Filter,
    format::{self, Facts},
    level::Level,
    record::Found,
};

/// How many lines before a match are searched for the beginning of its record.
const LOOK_BACK: usize = 200;

/// Finds the matching lines in one log, block by block.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    filter: Filter,
    clock: Clock,
    /// Whether times are needed, and whether anything other than the text is.
    timed: bool,
    facts: bool,
    carried: Carried,
}

/// What the last record said, for the lines that belong to it.
#[derive(Clone, Debug, Default)]
struct Carried {
    time: Option<Nanos>,
    gravity: Option<Level>,
    dated: bool,
    trace: bool,
    indented: bool,
}

impl Scanner {
    /// `timed` and `facts` say what is needed beyond what `filter` asks for.
    pub(crate) fn new(
        filter: &Filter,
        zone: &TimeZone,
        now: Timestamp,
        timed: bool,
        facts: bool,
    ) -> Self {
        let timed = timed || filter.asks_for_time();
        Self {
            clock: Clock::new(zone.clone(), now),
            timed,
            facts: timed || facts || filter.asks_for_facts(),
            filter: filter.clone(),
            carried: Carried::default(),
        }
    }

    /// Adds the matching lines of `block` to `found`. The block holds complete lines; it begins
    /// where the last one ended.
    pub(crate) fn scan(&mut self, block: &[u8], found: &mut Vec<Found>) {
        match self.filter.pattern.clone() {
            Some(pattern) => self.matches(block, &pattern, found),
            None => self.lines(block, found),
        }
    }

    /// Forgets what went before: the next block begins elsewhere.
    pub(crate) fn forget(&mut self) {
        self.carried = Carried::default();
    }

    /// The best place to cut `block`: before its last record, so that lines which belong together
    /// stay together, or at least at the end of a line. Zero if it has no complete line.
    pub(crate) fn cut(&mut self, block: &[u8]) -> usize {
        let Some(last) = memrchr(b'\n', block) else { return 0 };
        if !self.facts {
            return last + 1;
        }
        let mut end = last;
        for _ in 0..LOOK_BACK {
            let start = memrchr(b'\n', &block[..end]).map_or(0, |newline| newline + 1);
            if start == 0 {
                break;
            }
            if format::read(trim(&block[start..end]), &mut self.clock, false).begins_record() {
                return start;
            }
            end = start - 1;
        }
        last + 1
    }

    /// Where the first record begins in `block`, which begins anywhere.
    pub(crate) fn first_record(&mut self, block: &[u8]) -> Option<usize> {
        let mut start = memchr(b'\n', block)? + 1;
        let first_line = start;
        if !self.facts {
            return Some(first_line);
        }
        for _ in 0..LOOK_BACK {
            let end = start + memchr(b'\n', &block[start..])?;
            if format::read(trim(&block[start..end]), &mut self.clock, false).begins_record() {
                return Some(start);
            }
            start = end + 1;
        }
        Some(first_line)
    }

    fn lines(&mut self, block: &[u8], found: &mut Vec<Found>) {
        let mut start = 0;
        while start < block.len() {
            let end = memchr(b'\n', &block[start..]).map_or(block.len(), |length| start + length);
            let line = trim(&block[start..end]);
            let range = start..start + line.len();
            if self.facts {
                let (facts, whole) = self.judge(line);
                self.take(range, facts, whole, found);
            } else {
                found.push(Found::bare(range.start, range.end));
            }
            start = end + 1;
        }
    }

    fn matches(&mut self, block: &[u8], pattern: &regex::bytes::Regex, found: &mut Vec<Found>) {
        let mut at = 0;
        let mut judged = 0;
        while let Some(matched) = (at < block.len()).then(|| pattern.find_at(block, at)).flatten() {
            let start = memrchr(b'\n', &block[..matched.start()]).map_or(0, |newline| newline + 1);
            let start = start.max(at);
            if start >= block.len() {
                break;
            }
            let from = matched.start().min(block.len());
            let end = memchr(b'\n', &block[from..]).map_or(block.len(), |length| from + length);
            at = end + 1;
            let line = trim(&block[start..end]);
            // A match may reach into the next line; then it says nothing about that line.
            if matched.end() > start + line.len() && !pattern.is_match(line) {
                continue;
            }
            let range = start..start + line.len();
            if self.facts {
                let (facts, whole) = self.judge_alone(block, range.clone(), &mut judged);
                self.take(range, facts, whole, found);
            } else {
                found.push(Found::bare(range.start, range.end));
            }
        }
        let last = trim_last_line(block);
        if self.facts && last.start >= judged && !block.is_empty() {
            // What the block's last record says counts for the lines at the beginning of the next.
            self.judge_alone(block, last, &mut judged);
        }
    }

    fn take(
        &self,
        range: Range<usize>,
        facts: Facts,
        whole: (Option<Nanos>, Option<Level>),
        found: &mut Vec<Found>,
    ) {
        if self.filter.takes(whole.0, whole.1) {
            found.push(Found::new(range, facts, whole));
        }
    }

    /// What a line says about itself; its predecessors were not read yet, except those before
    /// `judged`.
    fn judge_alone(
        &mut self,
        block: &[u8],
        range: Range<usize>,
        judged: &mut usize,
    ) -> (Facts, (Option<Nanos>, Option<Level>)) {
        let line = &block[range.clone()];
        let dated = |scanner: &mut Self, line| format::read(line, &mut scanner.clock, false).dated;
        let mut before = Vec::new();
        let mut end = range.start;
        let mut certain = end <= *judged || dated(self, line);
        while !certain && before.len() < LOOK_BACK {
            let start = memrchr(b'\n', &block[..end - 1]).map_or(0, |newline| newline + 1);
            let line = start..start + trim(&block[start..end - 1]).len();
            certain = start <= *judged || dated(self, &block[line.clone()]);
            before.push(line);
            end = start;
        }
        if !certain {
            self.forget();
        }
        for line in before.into_iter().rev() {
            self.judge(&block[line]);
        }
        *judged = range.end + 1;
        self.judge(line)
    }

    /// What a line says, and what it shares with its record.
    fn judge(&mut self, line: &[u8]) -> (Facts, (Option<Nanos>, Option<Level>)) {
        let facts = format::read(line, &mut self.clock, self.timed);
        let carried = &mut self.carried;
        if facts.begins_record() {
            carried.time = facts.time.or(carried.time);
            carried.gravity = facts.gravity();
            // An exception after a record with a timestamp is part of that record.
            carried.dated = facts.dated || (carried.dated && facts.opens_trace);
            // Python prints the exception last, on a line of its own.
            carried.trace = line.starts_with(b"Traceback");
            carried.indented = false;
            return (facts, (carried.time, carried.gravity));
        }
        let indented = matches!(line.first(), Some(b' ' | b'\t'));
        let closes_trace = carried.trace && carried.indented;
        let of_trace = carried.trace
            && (line.is_empty()
                || line.starts_with(b"During handling of the above")
                || line.starts_with(b"The above exception was"));
        let belongs = carried.dated || indented || closes_trace || of_trace;
        carried.indented = indented;
        if !belongs {
            (carried.gravity, carried.trace) = (None, false);
        }
        (facts, (carried.time, carried.gravity))
    }
}

/// Without a carriage return at its end.
fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The range of the last line.
fn trim_last_line(block: &[u8]) -> Range<usize> {
    let whole = block.strip_suffix(b"\n").unwrap_or(block);
    let start = memrchr(b'\n', whole).map_or(0, |newline| newline + 1);
    start..start + trim(&whole[start..]).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PYTHON: &str = "\
2026-11-22 10:00:00,000 INFO a: started
2026-11-22 10:00:01,000 ERROR a: it failed
Traceback (most recent call last):
  File \"a.py\", line 1, in <module>
ValueError: no
2026-11-22 10:00:02,000 INFO a: on we go
and on
";
    const NODE: &str = "\
listening on 3000
TypeError: x is not a function
    at f (a.js:1:1)
    at g (a.js:2:2)
listening again
";

    fn scanner(filter: Filter) -> Scanner {
        Scanner::new(&filter, &TimeZone::utc(), Timestamp::from_unix(1_795_350_000), true, true)
    }

    fn lines<'t>(scanner: &mut Scanner, text: &'t str) -> Vec<&'t str> {
        let mut found = Vec::new();
        scanner.scan(text.as_bytes(), &mut found);
        found.iter().map(|found| &text[found.start..found.end]).collect()
    }

    #[test]
    fn a_trace_belongs_to_its_error() {
        let mut errors = scanner(Filter::new().at_least(Level::Error));
        let all: Vec<_> = PYTHON.lines().collect();
        assert_eq!(lines(&mut errors, PYTHON), all[1..5]);
        let mut errors = scanner(Filter::new().at_least(Level::Error));
        let all: Vec<_> = NODE.lines().collect();
        assert_eq!(lines(&mut errors, NODE), all[1..4]);
    }

    #[test]
    fn grep_finds_lines_and_knows_their_records() {
        let filter = || Filter::new().matching("^Value|on$").unwrap();
        assert_eq!(lines(&mut scanner(filter()), PYTHON), ["ValueError: no", "and on"]);
        let errors = filter().at_least(Level::Error);
        assert_eq!(lines(&mut scanner(errors), PYTHON), ["ValueError: no"]);
        let later = filter().since("2026-11-22T10:00:02Z".parse().unwrap());
        assert_eq!(lines(&mut scanner(later), PYTHON), ["and on"]);
    }

    #[test]
    fn no_match_crosses_the_end_of_a_line() {
        let filter = Filter::new().matching(r"a\s+b").unwrap();
        assert_eq!(lines(&mut scanner(filter), "a\nb\na b\na\n"), ["a b"]);
        let filter = Filter::new().matching("").unwrap();
        assert_eq!(lines(&mut scanner(filter), "x\n\ny\r\n"), ["x", "", "y"]);
    }

    proptest! {
        /// Scanning the matches only finds the same lines as scanning every line.
        #[test]
        fn grep_agrees_with_reading_every_line(
            picks in prop::collection::vec(0usize..8, 0..40),
            pattern in prop::sample::select(vec!["o", "^$", "x$", r"\d", "[^a]e", " at|INFO"]),
            level in prop::sample::select(vec![None, Some(Level::Error), Some(Level::Info)]),
        ) {
            let pool = ["2026-11-22 10:00:00 ERROR x", "2026-11-22 10:00:01 INFO on", "    at f",
                "", "TypeError: no", "{\"level\":\"debug\"}", "words alone", "\tindented\r"];
            let text: String = picks.iter().map(|pick| format!("{}\n", pool[*pick])).collect();
            let mut filter = Filter::new();
            if let Some(level) = level {
                filter = filter.at_least(level);
            }
            let regex = regex::Regex::new(pattern).unwrap();
            let mut all = lines(&mut scanner(filter.clone()), &text);
            all.retain(|line| regex.is_match(line));
            let found = lines(&mut scanner(filter.matching(pattern).unwrap()), &text);
            prop_assert_eq!(found, all);
        }
    }
}
