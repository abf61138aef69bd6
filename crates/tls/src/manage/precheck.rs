//! Checks that run before an authority is asked.

use std::{fmt, path::Path};

use async_trait::async_trait;
use seaworthy_core::{CommandLine, Context};
use serde::Serialize;

/// Checks a condition for success before an authority is asked.
#[async_trait]
pub trait Precheck: fmt::Debug + Send + Sync {
    /// The findings. An empty list is good.
    async fn look(&self, cx: &Context) -> Vec<Finding>;
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Weight {
    /// It cannot work: the authority is not asked.
    Certain,
    /// It may not work, but behind NAT or a proxy it may still be fine. A warning, unless strict.
    Likely,
}

/// A problem found by a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How sure it is.
    pub weight: Weight,
    /// What it concerns: a name, a path, a command.
    pub about: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding that is certain.
    pub fn certain(
        about: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            weight: Weight::Certain,
            about: about.into(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// A finding that is likely.
    pub fn likely(
        about: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { weight: Weight::Likely, ..Self::certain(about, message, remedy) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, self.message)
    }
}

/// Checks commands that will be needed: their programs must exist, in a folder of `path` (in the
/// format of `PATH`) or at their own path.
pub fn missing_programs<'a>(
    commands: impl IntoIterator<Item = &'a CommandLine>,
    path: Option<&std::ffi::OsStr>,
) -> Vec<Finding> {
    let there = |program: &str| {
        if program.contains('/') {
            return is_program(Path::new(program));
        }
        path.is_some_and(|path| {
            std::env::split_paths(path).any(|folder| is_program(&folder.join(program)))
        })
    };
    let mut findings = Vec::new();
    for command in commands {
        if !there(command.program()) {
            let message = format!("the program of {command} does not exist");
            let remedy = format!("install {}, or write its full path", command.program());
            findings.push(Finding::certain(command.program(), message, remedy));
        }
    }
    findings
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_are_missing_are_named() {
        let commands = ["sh", "/bin/sh", "no-such-program", "/etc/passwd"]
            .map(|program| CommandLine::new([program, "-c"]).unwrap());
        let found = missing_programs(&commands, Some("/usr/bin:/bin".as_ref()));
        let about: Vec<_> = found.iter().map(|finding| finding.about.as_str()).collect();
        assert_eq!(about, ["no-such-program", "/etc/passwd"]);
    }
}
