//! The destination of a restore, as typed by people.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
    str::FromStr,
};

use seaworthy_backup::sources::postgres::ConnectOptions;
use seaworthy_core::{Error, ErrorKind, Result};

use crate::Seaworthy;

/// Where a restore goes, if not to where the data was. It is written as one string: a connection
/// URL, `env:NAME` for one in an environment variable, else a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination {
    /// A new or empty folder, with a folder for each source if there are several.
    Folder(PathBuf),
    /// A PostgreSQL database that is empty or does not exist yet.
    Database(DatabaseUrl),
}

/// How the destination database is given.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatabaseUrl {
    /// A URL without a password.
    Given(String),
    /// The environment variable with the URL.
    Environment(String),
}

/// Without the URL, which may contain a password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(…)"),
            Self::Environment(name) => write!(f, "Environment({name})"),
        }
    }
}

impl<T: AsRef<OsStr> + ?Sized> From<&T> for Destination {
    fn from(text: &T) -> Self {
        let text = text.as_ref();
        let folder = || Self::Folder(PathBuf::from(text));
        let Some(url) = text.to_str() else { return folder() };
        if let Some(name) = url.strip_prefix("env:") {
            return Self::Database(DatabaseUrl::Environment(name.to_owned()));
        }
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return folder();
        }
        Self::Database(DatabaseUrl::Given(url.to_owned()))
    }
}

impl FromStr for Destination {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(Self::from(text))
    }
}

seaworthy_core::written_as_string!(
    Destination,
    "RestoreDestination",
    "a folder, the URL of a PostgreSQL database, or env:NAME for one in a variable"
);

impl From<PathBuf> for Destination {
    fn from(text: PathBuf) -> Self {
        Self::from(&text)
    }
}

impl From<OsString> for Destination {
    fn from(text: OsString) -> Self {
        Self::from(&text)
    }
}

impl Destination {
    /// The same with an absolute folder.
    ///
    /// Fails with [`ErrorKind::InvalidInput`] for a URL with a password: other users can read the
    /// arguments of a program.
    pub(super) fn checked(&self) -> Result<Self> {
        let url = match self {
            Self::Folder(folder) => {
                let absolute = std::path::absolute(folder).map_err(|e| {
                    let message = format!("cannot find {}", folder.display());
                    Error::io("restore.prepare", message, e)
                })?;
                return Ok(Self::Folder(absolute));
            }
            Self::Database(DatabaseUrl::Environment(_)) => return Ok(self.clone()),
            Self::Database(DatabaseUrl::Given(url)) => url,
        };
        if ConnectOptions::holds_password(url)? {
            let message = "a password in the target's URL could be read by other users";
            return Err(Error::new(ErrorKind::InvalidInput, "restore.choose", message).remedy_with(
                "take it out and use .pgpass or PGPASSWORD, or name a variable that holds the URL: \
                 `to` env:NAME",
                &["to"],
            ));
        }
        Ok(self.clone())
    }
}

impl Seaworthy {
    /// The URL that was named.
    pub(super) fn target_url(&self, url: &DatabaseUrl) -> Result<String> {
        match url {
            DatabaseUrl::Given(url) => Ok(url.clone()),
            DatabaseUrl::Environment(name) => {
                let variables = self.environment.variables();
                let value = variables.get(name).and_then(|value| value.to_str());
                value.map(str::to_owned).ok_or_else(|| {
                    let message = format!("the environment variable {name} is not set");
                    Error::new(ErrorKind::InvalidInput, "restore.choose", message)
                        .remedy_is(format!("set {name} to the database's URL"))
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_databases_are_told_apart() {
        let parse = |text: &str| Destination::from(text).checked();
        assert_eq!(parse("/tmp/x").unwrap(), Destination::Folder("/tmp/x".into()));
        let here = std::env::current_dir().unwrap().join("postgres");
        assert_eq!(parse("postgres").unwrap(), Destination::Folder(here));
        for url in ["postgres://h/db", "postgresql:///db?host=/run"] {
            let given = Destination::Database(DatabaseUrl::Given(url.into()));
            assert_eq!(parse(url).unwrap(), given);
        }
        let variable = Destination::Database(DatabaseUrl::Environment("URL".into()));
        assert_eq!(parse("env:URL").unwrap(), variable);
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for url in ["postgres://u:hunter2@h/db", "postgresql://h/db?password=hunter2"] {
            let error = Destination::from(url).checked().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(!format!("{error:?}{}", error.chain()).contains("hunter2"));
            assert!(error.remedy().unwrap().contains("env:NAME"));
        }
        let given = DatabaseUrl::Given("postgres://u:hunter2@h/db".into());
        assert!(!format!("{given:?}").contains("hunter2"));
    }
}
