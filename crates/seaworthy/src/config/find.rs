//! Where `seaworthy.toml` is searched for.

use std::path::{Path, PathBuf};

use seaworthy_core::{Error, ErrorKind, Result};

/// The file for the whole machine.
const OF_THE_MACHINE: &str = "/etc/seaworthy/seaworthy.toml";

/// The file to read: the given one, else the one in the environment variable `SEAWORTHY_CONFIG`,
/// else `seaworthy.toml` in the current folder, else the one of the machine.
///
/// A given file need not exist: reading it reports that.
///
/// # Errors
/// [`ErrorKind::Config`] if none is given and none exists.
pub fn find(named: Option<&Path>, from_environment: Option<&Path>) -> Result<PathBuf> {
    let chosen = named.or(from_environment.filter(|path| !path.as_os_str().is_empty()));
    if let Some(path) = chosen {
        return Ok(path.to_owned());
    }
    let usual = [Path::new("seaworthy.toml"), Path::new(OF_THE_MACHINE)];
    // A file that cannot be accessed exists: reading it gives a better message.
    let there = |path: &&&Path| path.try_exists().unwrap_or(true);
    usual.iter().find(there).map(|path| path.to_path_buf()).ok_or_else(|| {
        let message =
            format!("there is no seaworthy.toml in the current folder, and no {OF_THE_MACHINE}");
        Error::new(ErrorKind::Config, "config.find", message)
            .remedy_is("name one, or set SEAWORTHY_CONFIG")
    })
}
