//! `cert cleanup`: what no configuration uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use seaworthy_core::{Context, Error, Event, Name, Result};
use serde::{Deserialize, Serialize};

use crate::{Reply, Seaworthy, command::request};

/// Where a server's configuration may name certificates.
const USUAL_PLACES: [&str; 5] =
    ["/etc/nginx", "/etc/apache2", "/etc/haproxy", "/etc/postfix", "/etc/dovecot"];
/// Larger files are no configuration.
const LARGEST: u64 = 4 << 20;

/// What `cert cleanup` is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct CertCleanupRequest {
    /// Remove nothing and say what would be removed.
    #[cfg_attr(feature = "clap", arg(long))]
    pub dry_run: bool,
    /// Look for names of certificates in these folders too, beside /etc/nginx and the like.
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "DIR",
            help = "Look for names of certificates in this folder too, beside /etc/nginx and the like"
        )
    )]
    pub look_in: Vec<PathBuf>,
}

request!(CertCleanupRequest, "cert cleanup", cert_cleanup -> CleanupResult);

/// What `cert cleanup` removed.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct CleanupResult {
    /// Certificates that were removed, or would be.
    pub removed: Vec<Name>,
    /// Certificates that the file does not have, but a server's configuration still names: where.
    pub in_use: Vec<(Name, PathBuf)>,
    /// Whether nothing was removed.
    pub dry_run: bool,
}

impl Seaworthy {
    /// Removes certificates that neither the file nor a server's configuration names.
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
            // By the path of the store or by another that leads there.
            let marks = [format!("live/{name}/"), format!("versions/{name}/")];
            match files.iter().find(|(_, text)| marks.iter().any(|mark| text.contains(mark))) {
                Some((path, _)) => {
                    cx.emit(Event::warning(format!("{name} is still named in {}", path.display())));
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

/// The text files below `place`, links followed once. What is not there is passed over; what cannot
/// be read stops: it could name anything.
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
            // A link to a folder could lead in a circle: its files are elsewhere in the tree.
            if kind.is_symlink() && path.is_dir() && !is_current(&path) {
                continue;
            }
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// The link to the generation of rendered files that is in use.
fn is_current(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "current")
}
