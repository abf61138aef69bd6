//! One error type for the whole workspace: what failed, on what, why, and what to do about it.

use std::{error::Error as StdError, fmt};

use crate::Origin;

/// The result of everything in Seaworthy that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, coarse enough to act on.
///
/// The numbers are the C ABI's result codes and never change meaning.
///
/// ```
/// use seaworthy_core::ErrorKind;
/// assert_eq!(ErrorKind::NotFound.code(), -3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// An argument is wrong: a name, a key, a number out of range.
    InvalidInput = -1,
    /// The configuration file is wrong.
    Config = -2,
    /// A snapshot, an object, a file or a source does not exist.
    NotFound = -3,
    /// Something is there already that must not be replaced.
    AlreadyExists = -4,
    /// The operating system or a store refused.
    PermissionDenied = -5,
    /// A disk, a quota or a bucket is full.
    NoSpace = -6,
    /// A part does not support what was asked of it.
    Unsupported = -7,
    /// Stored bytes are not what was written: truncated, flipped, missing.
    Damaged = -8,
    /// Stored bytes are complete but not signed by a trusted key.
    Untrusted = -9,
    /// Written by a newer version of Seaworthy.
    NewerFormat = -10,
    /// Another process holds the lock.
    Locked = -11,
    /// The caller cancelled.
    Cancelled = -12,
    /// A time limit passed.
    TimedOut = -13,
    /// A service cannot be reached or reports a temporary failure.
    Unavailable = -14,
    /// Any other failure of input or output.
    Io = -15,
    /// The data to back up is itself wrong, such as a corrupt database.
    Source = -16,
    /// A command that we ran failed.
    Command = -17,
    /// A target that must be empty is not.
    NotEmpty = -18,
    /// A short name matches more than one thing.
    Ambiguous = -19,
    /// A defect in Seaworthy itself.
    Internal = -20,
}

impl ErrorKind {
    /// The number of this kind in the C ABI: always negative.
    pub fn code(self) -> i32 {
        self as i32
    }

    /// A stable name for machine-readable output, such as `not_found`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Config => "config",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::NoSpace => "no_space",
            Self::Unsupported => "unsupported",
            Self::Damaged => "damaged",
            Self::Untrusted => "untrusted",
            Self::NewerFormat => "newer_format",
            Self::Locked => "locked",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Unavailable => "unavailable",
            Self::Io => "io",
            Self::Source => "source",
            Self::Command => "command",
            Self::NotEmpty => "not_empty",
            Self::Ambiguous => "ambiguous",
            Self::Internal => "internal",
        }
    }
}

/// An error of any part of Seaworthy.
///
/// [`Display`](fmt::Display) prints this error's own message alone; a frontend prints the chain of
/// [`source`](StdError::source)s and the [`remedy`](Error::remedy).
///
/// ```
/// use seaworthy_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::NotFound, "restore", "no snapshot matches 2026")
///     .with("job", "nightly")
///     .remedy_is("`seaworthy snapshots nightly` lists what there is");
/// assert_eq!(error.to_string(), "no snapshot matches 2026");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    place: Option<Origin>,
    context: Vec<(&'static str, String)>,
    remedy: Option<String>,
    remedy_fields: &'static [&'static str],
    retryable: bool,
    blames_request: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation` (such as `sink.read`), with a message for people.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        let retryable = matches!(kind, ErrorKind::Unavailable | ErrorKind::TimedOut);
        Self(Box::new(Inner {
            kind,
            operation,
            message: message.into(),
            place: None,
            context: Vec::new(),
            remedy: None,
            remedy_fields: &[],
            retryable,
            blames_request: false,
            source: None,
        }))
    }

    /// An error of the operating system; its kind follows from `source`.
    pub fn io(operation: &'static str, message: impl Into<String>, source: std::io::Error) -> Self {
        Self::new(kind_of_io(&source), operation, message).caused_by(source)
    }

    /// `text`, as it was written, is not `what` (for example "a size such as 64MiB"), and why.
    pub fn invalid_text(operation: &'static str, text: &str, what: &str, why: &str) -> Self {
        let short: String = text.chars().take(80).collect();
        let message = format!("{short:?} is not {what}: {why}");
        Self::new(ErrorKind::InvalidInput, operation, message)
    }

    /// The caller cancelled `operation`.
    pub fn cancelled(operation: &'static str) -> Self {
        Self::new(ErrorKind::Cancelled, operation, "interrupted")
    }

    /// Adds a fact, such as the key or path concerned.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Says which part of the configuration file it is about. A part that is known already is
    /// nearer to the fault, and stays.
    #[must_use]
    pub fn at(mut self, place: impl Into<Origin>) -> Self {
        self.0.place.get_or_insert_with(|| place.into());
        self
    }

    /// Takes over the place and the facts of `other`, which this error replaces.
    #[must_use]
    pub fn with_facts_of(mut self, other: &Self) -> Self {
        self.0.place = self.0.place.or_else(|| other.0.place.clone());
        self.0.context.extend(other.0.context.iter().cloned());
        self
    }

    /// Says that the request is wrong, not the machine: it names something that does not exist.
    #[must_use]
    pub fn blame_request(mut self) -> Self {
        self.0.blames_request = true;
        self
    }

    /// Says what the user can do.
    #[must_use]
    pub fn remedy_is(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self.0.remedy_fields = &[];
        self
    }

    /// Says what the user can do with these fields of the request. The text has each of them in
    /// backticks; a frontend that calls them something else says so with
    /// [`remedy_spelled`](Self::remedy_spelled).
    #[must_use]
    pub fn remedy_with(
        mut self,
        remedy: impl Into<String>,
        fields: &'static [&'static str],
    ) -> Self {
        self = self.remedy_is(remedy);
        self.0.remedy_fields = fields;
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says whether trying again may help.
    #[must_use]
    pub fn retryable_is(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, such as `sink.read`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The part of the configuration file that it is about, where it is about one.
    pub fn place(&self) -> Option<&Origin> {
        self.0.place.as_ref()
    }

    /// Whether the request is wrong, not the machine: it names something that does not exist.
    pub fn blames_request(&self) -> bool {
        self.0.blames_request
    }

    /// The [place](Self::place), called `field`, and the facts that were added, in order.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let place = self.0.place.iter().map(|place| ("field", place.as_str()));
        place.chain(self.0.context.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// What the user can do, if it is known here or in a cause.
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref().or_else(|| {
            let cause = self.0.source.as_deref()?.downcast_ref::<Self>()?;
            cause.remedy()
        })
    }

    /// The [remedy](Self::remedy) with each field of the request as `spell` writes it.
    ///
    /// ```
    /// use seaworthy_core::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::InvalidInput, "verify", "the index is lost")
    ///     .remedy_with("verify it with `rebuild_index`", &["rebuild_index"]);
    /// let flag = |field: &str| format!("--{}", field.replace('_', "-"));
    /// assert_eq!(error.remedy_spelled(flag).unwrap(), "verify it with --rebuild-index");
    /// ```
    pub fn remedy_spelled(&self, spell: impl Fn(&str) -> String) -> Option<String> {
        let Some(remedy) = &self.0.remedy else {
            let cause = self.0.source.as_deref()?.downcast_ref::<Self>()?;
            return cause.remedy_spelled(spell);
        };
        let fields = self.0.remedy_fields.iter();
        Some(fields.fold(remedy.clone(), |remedy, field| {
            remedy.replace(&format!("`{field}`"), &spell(field))
        }))
    }

    /// Whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The message and those of all causes, joined by `: `; a cause that the message already
    /// ends with is not repeated.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(cause) = next {
            let cause_text = cause.to_string();
            if !text.ends_with(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            next = cause.source();
        }
        text
    }

    /// The message and, after a semicolon, the remedy: for places that carry one line only.
    pub fn in_one_line(&self) -> String {
        match self.remedy() {
            Some(remedy) => format!("{self}; {remedy}"),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("place", &self.0.place)
            .field("context", &self.0.context)
            .field("retryable", &self.0.retryable)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

fn kind_of_io(error: &std::io::Error) -> ErrorKind {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        Io::AlreadyExists => ErrorKind::AlreadyExists,
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => ErrorKind::NoSpace,
        Io::TimedOut => ErrorKind::TimedOut,
        Io::Unsupported => ErrorKind::Unsupported,
        Io::DirectoryNotEmpty => ErrorKind::NotEmpty,
        Io::UnexpectedEof => ErrorKind::Damaged,
        Io::ConnectionRefused | Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_names_each_cause_once() {
        let io = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let inner = Error::io("sink.write", "cannot write a.zst", io).remedy_is("free some space");
        let outer = Error::new(ErrorKind::NoSpace, "backup", "job nightly failed").caused_by(inner);
        assert!(outer.chain().starts_with("job nightly failed: cannot write a.zst: "));
        assert_eq!(outer.remedy(), Some("free some space"));
        assert_eq!(outer.kind(), ErrorKind::NoSpace);
    }

    #[test]
    fn the_place_nearest_to_the_fault_stays() {
        let inner = Error::new(ErrorKind::Config, "x", "y").at("site.a.root").with("line", 3);
        let outer = Error::new(ErrorKind::Config, "x", "z").with_facts_of(&inner).at("site.a");
        assert_eq!(outer.place().map(Origin::as_str), Some("site.a.root"));
        assert!(outer.context().eq([("field", "site.a.root"), ("line", "3")]));
    }

    #[test]
    fn only_passing_failures_are_retryable_by_themselves() {
        assert!(Error::new(ErrorKind::Unavailable, "x", "y").is_retryable());
        assert!(!Error::new(ErrorKind::Damaged, "x", "y").is_retryable());
    }
}
