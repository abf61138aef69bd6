//! HTTP-01 through an existing web server.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use seaworthy_core::{Context, Error, Result, durable};

use crate::{Challenge, ChallengeKind, ChallengeSolver};

/// Puts answers below a folder that a web server serves on port 80, as
/// `.well-known/acme-challenge/<token>`.
#[derive(Clone, Debug)]
pub struct Webroot {
    folder: PathBuf,
}

impl Webroot {
    /// Puts answers below `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks that answers can be written: writes one, and removes it again.
    pub fn probe(&self) -> Result<()> {
        let path = self.place()?.join(".seaworthy-probe");
        durable::write_file(&path, b"", 0o644)?;
        fs::remove_file(&path).map_err(|e| {
            Error::io("challenge.probe", format!("cannot remove {}", path.display()), e)
        })
    }

    /// The folder for answers, readable by everybody, whatever the umask is.
    fn place(&self) -> Result<PathBuf> {
        let mut place = self.folder.clone();
        for part in [".well-known", "acme-challenge"] {
            place.push(part);
            let fail = |e| {
                Error::io("challenge.present", format!("cannot create {}", place.display()), e)
                    .remedy_is(format!("make {} writable", self.folder.display()))
            };
            if place.is_dir() {
                continue;
            }
            DirBuilder::new().recursive(true).mode(0o755).create(&place).map_err(fail)?;
            open_to_all(&place, 0o755).map_err(fail)?;
        }
        Ok(place)
    }
}

fn open_to_all(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[async_trait]
impl ChallengeSolver for Webroot {
    fn kind(&self) -> ChallengeKind {
        ChallengeKind::Http01
    }

    async fn present(&self, challenge: &Challenge) -> Result<()> {
        // A token is base64url: it can only name a file in this folder.
        let path = self.place()?.join(challenge.token());
        durable::write_file(&path, challenge.key_authorization().as_bytes(), 0o644)?;
        open_to_all(&path, 0o644).map_err(|e| {
            Error::io("challenge.present", format!("cannot make {} readable", path.display()), e)
        })
    }

    async fn ready(&self, _: &Challenge, cx: &Context) -> Result<()> {
        cx.check("challenge.ready")
    }

    async fn cleanup(&self, challenge: &Challenge) -> Result<()> {
        let path = self.folder.join(".well-known/acme-challenge").join(challenge.token());
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                let message = format!("cannot remove {}", path.display());
                Err(Error::io("challenge.cleanup", message, e))
            }
            _ => Ok(()),
        }
    }
}
