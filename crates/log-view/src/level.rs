//! The severity of a record.

/// The severity of a record, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// For developers: also TRACE.
    Debug,
    /// Normal operation: also NOTICE and LOG, and statuses below 400.
    Info,
    /// Worth a look: statuses from 400 to 499.
    Warning,
    /// Something failed: statuses from 500 on.
    Error,
    /// Everything failed: also FATAL, ALERT, EMERG and PANIC.
    Critical,
}

impl Level {
    /// The level that a word of a log names, ignoring case.
    pub(crate) fn from_word(word: &[u8]) -> Option<Self> {
        const WORDS: [(&[u8], Level); 21] = [
            (b"info", Level::Info),
            (b"error", Level::Error),
            (b"warning", Level::Warning),
            (b"warn", Level::Warning),
            (b"debug", Level::Debug),
            (b"critical", Level::Critical),
            (b"notice", Level::Info),
            (b"err", Level::Error),
            (b"crit", Level::Critical),
            (b"fatal", Level::Critical),
            (b"trace", Level::Debug),
            (b"alert", Level::Critical),
            (b"emerg", Level::Critical),
            (b"emergency", Level::Critical),
            (b"panic", Level::Critical),
            (b"log", Level::Info),
            (b"severe", Level::Error),
            (b"verbose", Level::Debug),
            (b"silly", Level::Debug),
            (b"http", Level::Info),
            (b"success", Level::Info),
        ];
        let found = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
        Some(found.1)
    }

    /// The level of an HTTP status.
    pub(crate) fn from_status(status: u16) -> Self {
        match status {
            500.. => Self::Error,
            400..500 => Self::Warning,
            _ => Self::Info,
        }
    }

    /// The level of the numbers that Node's pino and bunyan write: 10, 20, … 60.
    pub(crate) fn from_pino(number: u16) -> Option<Self> {
        match number {
            10..30 => Some(Self::Debug),
            30..40 => Some(Self::Info),
            40..50 => Some(Self::Warning),
            50..60 => Some(Self::Error),
            60..=100 => Some(Self::Critical),
            _ => None,
        }
    }

    /// The level of a syslog priority, 0 to 7.
    pub(crate) fn from_priority(number: u8) -> Self {
        match number {
            0..=2 => Self::Critical,
            3 => Self::Error,
            4 => Self::Warning,
            5 | 6 => Self::Info,
            _ => Self::Debug,
        }
    }
}
