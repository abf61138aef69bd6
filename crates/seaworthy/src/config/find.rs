//! Where `seaworthy.toml` is looked for.

use std::path::{Path, PathBuf};

use seaworthy_core::{Error, ErrorKind, Result};

/// The file for the whole machine.
const OF_THE_MACHINE: &str = "/etc/seaworthy/seaworthy.toml";

/// The file to read: the one that is named, else the one that the environment variable
/// `SEAWORTHY_CONFIG` names, else `seaworthy.toml` here, else the one of the machine.
///
/// A named file need not exist: reading it will say so.
///
/// # Errors
/// [`ErrorKind::Config`] when none is named and none is there.
pub fn find(named: Option<&Path>, from_environment: Option<&Path>) -> Result<PathBuf> {
    let chosen = named.or(from_environment.filter(|path| !path.as_os_str().is_empty()));
    if let Some(path) = chosen {
        return Ok(path.to_owned());
    }
    let usual = [Path::new("seaworthy.toml"), Path::new(OF_THE_MACHINE)];
    // A file that may not be looked at is there: reading it gives the better message.
    let there = |path: &&&Path| path.try_exists().unwrap_or(true);
    usual.iter().find(there).map(|path| path.to_path_buf()).ok_or_else(|| {
        let message = format!("no seaworthy.toml is here, and no {OF_THE_MACHINE}");
        Error::new(ErrorKind::Config, "config.find", message)
            .remedy_is("name one, or set SEAWORTHY_CONFIG")
    })
}
