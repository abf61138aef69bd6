//! What a line says about itself: its timestamp, its level, its HTTP status, in the formats that
//! servers write.

pub(crate) mod access;
pub(crate) mod json;
mod plain;

use std::ops::Range;

use crate::{
    clock::{Clock, Nanos},
    level::Level,
};

/// What a line says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// When it was written; parsed only if needed.
    pub(crate) time: Option<Nanos>,
    /// Whether it begins with a timestamp: then it begins a record.
    pub(crate) dated: bool,
    pub(crate) level: Option<Level>,
    /// Where the level is in the line.
    pub(crate) level_at: Range<u32>,
    pub(crate) status: Option<u16>,
    /// Where the status is in the line.
    pub(crate) status_at: Range<u32>,
    /// Whether following lines without a timestamp and level belong to this one, as in a stack
    /// trace.
    pub(crate) opens_trace: bool,
}

impl Facts {
    /// Its severity: by its level, else by its status.
    pub(crate) fn gravity(&self) -> Option<Level> {
        self.level.or(self.status.map(Level::from_status))
    }

    /// Whether it has a timestamp, a level or a status.
    pub(crate) fn begins_record(&self) -> bool {
        self.dated || self.level.is_some() || self.status.is_some()
    }
}

/// Reads `line`, which has no newline. Its time is parsed only if `timed`.
pub(crate) fn read(line: &[u8], clock: &mut Clock, timed: bool) -> Facts {
    let facts = match line.first() {
        Some(b'{') => json::facts(line, clock, timed),
        Some(_) => plain::combined(line, clock, timed),
        None => return Facts::default(),
    };
    facts.unwrap_or_else(|| plain::facts(line, clock, timed))
}

/// The range of `part` within `line`.
fn place(line: &[u8], part: &[u8]) -> Range<u32> {
    let start = (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let end = u32::try_from(start + part.len()).unwrap_or(0);
    u32::try_from(start).unwrap_or(0).min(end)..end
}

/// Three digits that are an HTTP status.
fn status(text: &[u8]) -> Option<u16> {
    let [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] = text else { return None };
    Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use seaworthy_core::{TimeZone, Timestamp};

    fn facts(line: &[u8]) -> Facts {
        read(line, &mut Clock::new(TimeZone::utc(), Timestamp::from_unix(1_795_350_000)), true)
    }

    /// The minute of the day, the text coloured as the level, and the one coloured as the status.
    fn seen(line: &str) -> (Option<i64>, Option<Level>, &str, &str) {
        let facts = facts(line.as_bytes());
        let part = |range: Range<u32>| &line[range.start as usize..range.end as usize];
        let minute = facts.time.map(|time| time.div_euclid(60_000_000_000) % 1440);
        let (level, status) = (part(facts.level_at.clone()), part(facts.status_at.clone()));
        (minute, facts.gravity(), level, status)
    }

    #[test]
    fn the_formats_of_servers_are_understood() {
        use Level::{Critical, Debug, Error, Info, Warning};
        type Case = (&'static str, Option<i64>, Option<Level>, &'static str, &'static str);
        let cases: [Case; 40] = [
            // combined, and with a user's name, an escaped quote, a spoofed agent
            (
                r#"203.0.113.9 - - [22/Nov/2026:10:05:00 +0000] "GET /a HTTP/1.1" 200 12 "-" "curl/8""#,
                Some(605),
                Some(Info),
                "",
                "200",
            ),
            (
                r#"::1 - anna [22/Nov/2026:10:05:00 +0000] "POST /a HTTP/2.0" 503 0 "-" "x ERROR""#,
                Some(605),
                Some(Error),
                "",
                "503",
            ),
            (
                r#"::1 - - [22/Nov/2026:10:05:00 +0000] "GET /\" 200 HTTP/1.1" 404 0 "-" "-""#,
                Some(605),
                Some(Warning),
                "",
                "404",
            ),
            (
                r#"::1 - [x] [22/Nov/2026:10:05:00 +0000] "" 400 0 "-" "-""#,
                Some(605),
                Some(Warning),
                "",
                "400",
            ),
            // nginx's errors
            (
                r#"2026/11/22 10:05:00 [error] 12#12: *3 open() "/x" failed (2: No such file)"#,
                Some(605),
                Some(Error),
                "error",
                "",
            ),
            (
                "2026/11/22 10:05:00 [notice] 1#1: nginx/1.22.1 error none",
                Some(605),
                Some(Info),
                "notice",
                "",
            ),
            (
                "2026/11/22 10:05:00 [emerg] 1#1: bind() failed",
                Some(605),
                Some(Critical),
                "emerg",
                "",
            ),
            // JSON: nginx as Seaworthy writes it, pino, winston, structlog, ECS
            (
                r#"{"time":"2026-11-22T10:05:00+00:00","host":"x","uri":"/status\":500,","status":204,"seconds":0.1}"#,
                Some(605),
                Some(Info),
                "",
                "204",
            ),
            (
                r#"{"level":50,"time":1795341900000,"pid":1,"msg":"no \"level\":10"}"#,
                Some(605),
                Some(Error),
                "50",
                "",
            ),
            (
                r#"{"message":"x","level":"warn","timestamp":"2026-11-22T10:05:00.000Z"}"#,
                Some(605),
                Some(Warning),
                "warn",
                "",
            ),
            (
                r#"{"event": {"level": "error"}, "levelname": "DEBUG", "ts": 1795341900.5}"#,
                Some(605),
                Some(Debug),
                "DEBUG",
                "",
            ),
            (
                r#"{"@timestamp":"2026-11-22T10:05:00Z","log.level":"fatal","status":"done"}"#,
                Some(605),
                Some(Critical),
                "fatal",
                "",
            ),
            // npm's own logs; dpkg and apt
            ("428 verbose cwd /srv", None, Some(Debug), "verbose", ""),
            ("433 error code ELIFECYCLE", None, Some(Error), "error", ""),
            ("3 blind mice", None, None, "", ""),
            (
                "update-alternatives 2026-11-22 10:05:00: run with --install",
                Some(605),
                None,
                "",
                "",
            ),
            ("Start-Date: 2026-11-22  10:05:00", Some(605), None, "", ""),
            ("since 2026-11-22 nothing", None, None, "", ""),
            // Python: logging, basicConfig, gunicorn, uvicorn, loguru
            (
                "2026-11-22 10:05:00,123 - gw2.api - ERROR - it failed",
                Some(605),
                Some(Error),
                "ERROR",
                "",
            ),
            ("2026-11-22 10:05:00,123 WARNING gw2: slow", Some(605), Some(Warning), "WARNING", ""),
            ("CRITICAL:root:gone", None, Some(Critical), "CRITICAL", ""),
            (
                "[2026-11-22 10:05:00 +0000] [7] [INFO] Booting worker",
                Some(605),
                Some(Info),
                "INFO",
                "",
            ),
            (
                r#"INFO:     127.0.0.1:5 - "GET /health HTTP/1.1" 200 OK"#,
                None,
                Some(Info),
                "INFO",
                "200",
            ),
            (
                r#"INFO:     127.0.0.1:5 - "GET /x HTTP/1.1" 500 Internal Server Error"#,
                None,
                Some(Error),
                "INFO",
                "500",
            ),
            (
                "2026-11-22 10:05:00.123 | DEBUG    | app:run:12 - x",
                Some(605),
                Some(Debug),
                "DEBUG",
                "",
            ),
            ("Traceback (most recent call last):", None, Some(Error), "", ""),
            // Node: plain, PM2's prefixes, morgan, an uncaught error
            ("2026-11-22T10:05:00.000Z error: it failed", Some(605), Some(Error), "error", ""),
            ("[2026-11-22T10:05:00.000Z] WARN: slow", Some(605), Some(Warning), "WARN", ""),
            ("2026-11-22T10:05:00: Listening on 3000", Some(605), None, "", ""),
            (
                "0|api      | 2026-11-22T10:05:00: [ERROR] it failed",
                Some(605),
                Some(Error),
                "ERROR",
                "",
            ),
            ("GET /api/users 500 12.345 ms - 52", None, Some(Error), "", "500"),
            ("TypeError: x is not a function", None, Some(Error), "", ""),
            ("[info] started", None, Some(Info), "info", ""),
            // syslog, PostgreSQL, logfmt, dpkg
            ("Nov 22 10:05:00 host cron[12]: (root) CMD (x)", Some(605), None, "", ""),
            (
                "2026-11-22 10:05:00.123 UTC [99] FATAL:  no pg_hba entry",
                Some(605),
                Some(Critical),
                "FATAL",
                "",
            ),
            (
                "time=2026-11-22T10:05:00Z level=warn msg=\"slow\"",
                Some(605),
                Some(Warning),
                "warn",
                "",
            ),
            ("2026-11-22 10:05:00 status installed libc6:amd64 2.36", Some(605), None, "", ""),
            // an unknown format
            ("just some words, no error here", None, None, "", ""),
            ("    at Module._compile (node:internal:1:1)", None, None, "", ""),
            ("{not json", None, None, "", ""),
        ];
        for (line, time, gravity, level, status) in cases {
            assert_eq!(seen(line), (time, gravity, level, status), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(
            start in "(\\{\"|\\[|2026-11-22 10:05:00|a - - \\[22/Nov/2026:10:05:00 \\+0000\\] \"|)",
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let line = [start.as_bytes(), &bytes].concat();
            let facts = facts(&line);
            prop_assert!(facts.level_at.end as usize <= line.len());
            prop_assert!(facts.status_at.end as usize <= line.len());
        }
    }
}
