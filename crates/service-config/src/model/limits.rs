//! When a service is restarted, how it is stopped, and what it may use.

use std::{fmt, str::FromStr};

use seaworthy_core::{Error, Result, Span, written_as_string};
use serde::{Deserialize, Serialize};

/// When a service that has ended is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RestartPolicy {
    /// Unless it ended with exit code 0.
    #[default]
    OnFailure,
    /// However it ended.
    Always,
    /// Never.
    Never,
}

/// `{ max = 10, within = "5m" }`: when it is restarted, and when to give up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Restarts {
    /// After which kinds of exit it is restarted.
    pub policy: RestartPolicy,
    /// After this many starts `within` it stays down; 0 never gives up.
    pub max: u16,
    /// The time in which starts are counted.
    pub within: Span,
    /// How long to wait before each.
    pub delay: Span,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::default(),
            max: 10,
            within: Span::seconds(300),
            delay: Span::seconds(1),
        }
    }
}

/// The signal that asks a service to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Signal {
    /// What most programs expect.
    Sigterm,
    /// What PM2 sends.
    Sigint,
    /// A graceful end for nginx and others.
    Sigquit,
    /// A hang-up.
    Sighup,
}

impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sigterm => "SIGTERM",
            Self::Sigint => "SIGINT",
            Self::Sigquit => "SIGQUIT",
            Self::Sighup => "SIGHUP",
        }
    }
}

/// A share of processor time: `"200%"` is two full processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(u32);

impl Percent {
    /// The number before the percent sign.
    pub fn value(self) -> u32 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_suffix('%').filter(|t| t.bytes().all(|c| c.is_ascii_digit()));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(number @ 1..=100_000) => Ok(Self(number)),
            _ => Err(Error::invalid_text(
                "service.model",
                text,
                "a share of processor time",
                "write it like 50% or 200%",
            )),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Serialize for Percent {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

written_as_string!(Percent, "ServicePercent", "a share of processor time such as 200%");
