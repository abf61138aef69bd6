//! What is looked at before an authority is asked.

use std::{fmt, path::Path};

use async_trait::async_trait;
use seaworthy_core::{CommandLine, Context};
use serde::Serialize;

/// Looks at something that must be right, or should be, before an authority is asked.
#[async_trait]
pub trait Precheck: fmt::Debug + Send + Sync {
    /// What is not right. Nothing is good.
    async fn look(&self, cx: &Context) -> Vec<Finding>;
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Weight {
    /// It cannot work: nobody is asked.
    Certain,
    /// It may not work; behind NAT or a proxy it may all the same. A warning, unless strict.
    Likely,
}

/// Something that is not right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How sure it is.
    pub weight: Weight,
    /// What it is about: a name, a path, a command.
    pub about: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// What cannot work.
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

    /// What may not work.
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

/// What is wrong with commands that will be needed: their programs must be there, in a folder of
/// `path` (as `PATH` has them) or where they say.
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
            let message = format!("the program of {command} is not there");
            let remedy = format!("install {}, or write where it is", command.program());
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
