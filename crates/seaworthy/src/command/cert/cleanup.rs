//! `cert cleanup`: removes certificates that no configuration uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use seaworthy_core::{Context, Error, Event, Name, Result};
use serde::{Deserialize, Serialize};

use crate::{Reply, Seaworthy, command::request};

/// Where a server's configuration may use certificates.
const USUAL_PLACES: [&str; 5] =
    ["/etc/nginx", "/etc/apache2", "/etc/haproxy", "/etc/postfix", "/etc/dovecot"];
/// Larger files are not configuration.
const LARGEST: u64 = 4 << 20;

/// The request of `cert cleanup`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertCleanupRequest {
    /// Remove nothing and print what would be removed.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// Also search these folders for certificates that are in use, in addition to /etc/nginx and
    /// similar folders.
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "DIR",
            help = "Also search this folder for certificates that are in use, in addition to \
                     /etc/nginx and similar folders"
        )
    )]
    pub look_in: Vec<PathBuf>,
}

request!(CertCleanupRequest, "cert cleanup", cert_cleanup -> CleanupResult);

/// The result of `cert cleanup`.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct CleanupResult {
    /// Certificates that were removed, or would be.
    pub removed: Vec<Name>,
    /// Certificates that are not in the file, but still used by a server's configuration: where.
    pub in_use: Vec<(Name, PathBuf)>,
    /// Whether it was a dry run.
    pub dry_run: bool,
}

impl Seaworthy {
    /// Removes certificates that neither the file nor a server's configuration uses.
    pub async fn cert_cleanup(
        &self,
        request: &CertCleanupRequest,
        cx: &Context,
    ) -> Reply<CleanupResult> {
        self.try_cleanup(request, cx).into()
    }

    fn try_cleanup(&self, request: &CertCleanupRequest, cx: &Context) -> Result<CleanupResult> {
        let manager = self.certificate_manager();
        let mut result = CleanupResult { dry_run: request.dry_run, ..CleanupResult::default() };
        let mut unused: Vec<Name> = manager.store().all_names()?;
        unused.retain(|name| self.config.certificate.get(name.as_str()).is_none());
        if unused.is_empty() {
            return Ok(result);
        }
        let places = USUAL_PLACES.iter().map(PathBuf::from).chain(request.look_in.iter().cloned());
        let mut files = Vec::new();
        for place in places {
            collect(&place, &mut files)?;
        }
        for name in unused {
            cx.check("certificate.cleanup")?;
            // By the path of the store or by another path to it.
            let marks = [format!("live/{name}/"), format!("versions/{name}/")];
            match files.iter().find(|(_, text)| marks.iter().any(|mark| text.contains(mark))) {
                Some((path, _)) => {
                    cx.emit(Event::warning(format!(
                        "certificate {name} is still used in {}",
                        path.display()
                    )));
                    result.in_use.push((name, path.clone()));
                }
                None => {
                    if !request.dry_run {
                        manager.forget(&name)?;
                    }
                    result.removed.push(name);
                }
            }
        }
        Ok(result)
    }
}

/// The text files below `place`, links followed once. A missing file is skipped; an unreadable one
/// is an error: it could use any certificate.
fn collect(place: &Path, files: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let fail = |path: &Path| {
        let message = format!("cannot read {}", path.display());
        move |e| Error::io("certificate.cleanup", message, e)
    };
    let Ok(metadata) = fs::metadata(place) else { return Ok(()) };
    if metadata.is_file() && metadata.len() <= LARGEST {
        let bytes = fs::read(place).map_err(fail(place))?;
        files.push((place.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
    } else if metadata.is_dir() {
        for entry in fs::read_dir(place).map_err(fail(place))? {
            let entry = entry.map_err(fail(place))?;
            let kind = entry.file_type().map_err(fail(place))?;
            let path = entry.path();
            // A link to a folder could form a loop: its files are elsewhere in the tree.
            if kind.is_symlink() && path.is_dir() && !is_current(&path) {
                continue;
            }
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// The link to the current generation of rendered files.
fn is_current(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "current")
}
