//! The content of a notification.

use std::fmt;

use seaworthy_core::{Error, Name, Timestamp};
use serde::{Deserialize, Serialize};

use crate::config::NotifyOn;

/// The content of a notification. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Notice {
    /// The version of this format: 1.
    pub schema: u32,
    /// What happened.
    pub occasion: Occasion,
    /// To what it happened.
    pub subject: Subject,
    /// The name of the machine.
    pub host: String,
    /// When.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub time: Timestamp,
    /// The same in one line.
    pub title: String,
    /// More text, in lines.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Figures, each with its name.
    pub facts: Vec<Fact>,
    /// Warnings in the meantime; the last fifty.
    pub warnings: Vec<String>,
    /// Since when it is wrong, if it was sent before.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub since: Option<Timestamp>,
    /// A UUID that the beginning and the end of one run share.
    pub run: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Occasion {
    /// It began; only monitors are notified.
    Started,
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
    /// It works again.
    Recovery,
    /// It did not run when it should have.
    Overdue,
    /// It ran, but its result is suspect.
    Suspect,
    /// It expires soon.
    Expiring,
    /// Nothing: a test message was requested.
    Test,
}

/// The subject of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Subject {
    /// The kind of subject.
    pub kind: SubjectKind,
    /// Its name in the file.
    pub name: Name,
}

/// The kinds of subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SubjectKind {
    /// A job's run.
    Backup,
    /// Verifying a job's snapshot.
    Verify,
    /// Drilling a job's snapshot.
    Drill,
    /// A job's retention.
    Prune,
    /// A certificate.
    Certificate,
    /// A notifier itself, when it is tested.
    Notify,
}

/// A figure with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Notice {
    /// A notice of `occasion` for `subject` on the machine `host`, in one line.
    pub fn new(
        occasion: Occasion,
        subject: Subject,
        host: impl Into<String>,
        time: Timestamp,
    ) -> Self {
        let host = host.into();
        let mut notice = Self {
            schema: 1,
            occasion,
            subject,
            host,
            time,
            title: String::new(),
            text: String::new(),
            remedy: None,
            facts: Vec::new(),
            warnings: Vec::new(),
            since: None,
            run: random_uuid(),
        };
        notice.say_title();
        notice
    }

    /// Adds a line to the text.
    #[must_use]
    pub fn line(mut self, line: impl AsRef<str>) -> Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(line.as_ref());
        self
    }

    /// Adds what `error` says.
    #[must_use]
    pub fn because(self, error: &Error) -> Self {
        let remedy = error.remedy().map(str::to_owned);
        let this = self.line(error.chain());
        Self { remedy: this.remedy.clone().or(remedy), ..this }
    }

    /// Adds a figure.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.facts.push(Fact { name: name.to_owned(), value: value.to_string() });
        self
    }

    /// Adds the warnings.
    #[must_use]
    pub fn warned(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// The same for another occasion, and since when it is wrong.
    #[must_use]
    pub(crate) fn turned_into(mut self, occasion: Occasion, since: Option<Timestamp>) -> Self {
        self.occasion = occasion;
        self.since = since;
        self.say_title();
        self
    }

    fn say_title(&mut self) {
        let Subject { kind, name } = &self.subject;
        let what = match (kind, self.occasion) {
            (_, Occasion::Test) => format!("Test message for {name}"),
            (_, Occasion::Started) => format!("{kind} {name} began"),
            (SubjectKind::Certificate, Occasion::Success) => format!("{kind} {name} is new"),
            (_, Occasion::Success) => format!("{kind} {name} succeeded"),
            (_, Occasion::Failure) if self.since.is_some() => {
                format!("{kind} {name} still fails")
            }
            (_, Occasion::Failure) => format!("{kind} {name} failed"),
            (_, Occasion::Recovery) => format!("{kind} {name} works again"),
            (_, Occasion::Overdue) => format!("{kind} {name} is overdue"),
            (_, Occasion::Suspect) => format!("{kind} {name} is suspect"),
            (_, Occasion::Expiring) => format!("{kind} {name} expires soon"),
        };
        self.title = format!("{what} on {}", self.host);
    }

    /// Everything for people, in lines, without the title.
    pub fn body(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        if !self.text.is_empty() {
            lines.push(self.text.clone());
        }
        if let Some(remedy) = &self.remedy {
            lines.push(format!("What to do: {remedy}"));
        }
        if let Some(since) = self.since {
            lines.push(format!("Wrong since {since}"));
        }
        lines.extend(self.facts.iter().map(|Fact { name, value }| format!("{name}: {value}")));
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.join("\n")
    }
}

impl Occasion {
    /// Its name in the file.
    pub(crate) fn word(self) -> Option<NotifyOn> {
        match self {
            Self::Success => Some(NotifyOn::Success),
            Self::Failure => Some(NotifyOn::Failure),
            Self::Recovery => Some(NotifyOn::Recovery),
            Self::Overdue => Some(NotifyOn::Overdue),
            Self::Suspect => Some(NotifyOn::Suspect),
            Self::Expiring => Some(NotifyOn::Expiring),
            Self::Started | Self::Test => None,
        }
    }

    /// Whether it needs attention.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failure | Self::Overdue | Self::Suspect | Self::Expiring)
    }
}

/// `failure`, as in the file.
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Recovery => "recovery",
            Self::Overdue => "overdue",
            Self::Suspect => "suspect",
            Self::Expiring => "expiring",
            Self::Test => "test",
        })
    }
}

impl Subject {
    /// The subject `name` of this `kind`.
    pub fn new(kind: SubjectKind, name: Name) -> Self {
        Self { kind, name }
    }
}

/// `backup nightly`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

impl SubjectKind {
    /// `backup`, as in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verify",
            Self::Drill => "drill",
            Self::Prune => "prune",
            Self::Certificate => "certificate",
            Self::Notify => "notify",
        }
    }
}

/// For people, at the beginning of a line.
impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backup => "Backup",
            Self::Verify => "Verifying",
            Self::Drill => "Drill of",
            Self::Prune => "Pruning",
            Self::Certificate => "Certificate",
            Self::Notify => "Notifier",
        })
    }
}

/// A random UUID; without random numbers, one of zeros: it only links messages.
fn random_uuid() -> String {
    let mut bytes = [0_u8; 16];
    let _ = getrandom::fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let [a, b, c, d, e] = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_says_what_where_and_whether_it_is_still_so() {
        let subject = Subject::new(SubjectKind::Backup, Name::new("nightly").unwrap());
        let now = Timestamp::from_unix(0);
        let notice = Notice::new(Occasion::Failure, subject, "web1", now);
        assert_eq!(notice.title, "Backup nightly failed on web1");
        let notice = notice.turned_into(Occasion::Failure, Some(now));
        assert_eq!(notice.title, "Backup nightly still fails on web1");
        let notice = notice.turned_into(Occasion::Recovery, Some(now));
        assert_eq!(notice.title, "Backup nightly works again on web1");
        let parts: Vec<_> = notice.run.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
    }
}
