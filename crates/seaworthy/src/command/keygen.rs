//! `keygen`: a new key pair.

use std::{
    fmt,
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use seaworthy_backup::{encryption::Identities, signing::SigningKey};
use seaworthy_core::{Error, ErrorKind, Result, durable};
use serde::{Deserialize, Serialize};

#[cfg(feature = "clap")]
use super::flags;
use crate::Reply;

/// The request of `keygen`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct KeygenRequest {
    /// The purpose of the key pair.
    #[cfg_attr(
        feature = "clap",
        arg(
            value_name = "age|sign",
            hide_possible_values = true,
            value_parser = flags::word::<KeyKind>()
        )
    )]
    pub kind: KeyKind,
    /// The new file for the secret key; without one it is in the result.
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "FILE",
            help = "Write the secret key to this new file; without it everything is printed"
        )
    )]
    pub out: Option<PathBuf>,
}

impl KeygenRequest {
    /// The name of the command in documents.
    pub const NAME: &str = "keygen";

    /// A pair of this kind, whose secret half goes into the new file `out` or into the result.
    pub fn new(kind: KeyKind, out: Option<PathBuf>) -> Self {
        Self { kind, out }
    }
}

/// The purpose of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// To encrypt and decrypt, with age.
    Age,
    /// To sign and to trust, with minisign.
    Sign,
}

/// The result of `keygen`.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct KeygenResult {
    /// The purpose of the pair.
    pub kind: KeyKind,
    /// The public key, for the file's `recipients` or `trust`.
    pub public: String,
    /// Where the secret key was written.
    pub file: Option<PathBuf>,
    /// The secret key in its file format, if no file was given.
    pub secret: Option<String>,
}

/// The secret key is not shown.
impl fmt::Debug for KeygenResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, public, file, secret: _ } = self;
        f.debug_struct("KeygenResult")
            .field("kind", kind)
            .field("public", public)
            .field("file", file)
            .finish_non_exhaustive()
    }
}

/// Makes a key pair. It needs no configuration. An existing file is never replaced.
pub fn keygen(request: &KeygenRequest) -> Reply<KeygenResult> {
    try_keygen(request).into()
}

fn try_keygen(request: &KeygenRequest) -> Result<KeygenResult> {
    let kind = request.kind;
    let (secret, public) = match kind {
        KeyKind::Age => Identities::generate(),
        KeyKind::Sign => SigningKey::generate()?,
    };
    let secret = secret.expose();
    match &request.out {
        None => Ok(KeygenResult { kind, public, file: None, secret: Some(secret.to_owned()) }),
        Some(file) => {
            write_new(file, secret.as_bytes())?;
            Ok(KeygenResult { kind, public, file: Some(file.clone()), secret: None })
        }
    }
}

/// Writes a new file, readable by its owner only.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => {
            let message = format!("{} already exists: a key is never overwritten", path.display());
            Error::new(ErrorKind::AlreadyExists, "keygen", message)
                .remedy_is("use a new file, or move the old one away yourself")
        }
        _ => Error::io("keygen", format!("cannot write {}", path.display()), e),
    })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|e| {
        // An incomplete key is useless.
        let _ = std::fs::remove_file(path);
        Error::io("keygen", format!("cannot write {}", path.display()), e)
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    durable::sync_folder(folder.unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_goes_to_a_new_private_file_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        for kind in [KeyKind::Age, KeyKind::Sign] {
            let out = folder.path().join(format!("{kind:?}"));
            let request = KeygenRequest { kind, out: Some(out.clone()) };
            let made = keygen(&request).result.unwrap();
            assert!(made.secret.is_none());
            let mode = std::fs::metadata(&out).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let text = std::fs::read_to_string(&out).unwrap();
            let error = keygen(&request).error.unwrap();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
            let made = keygen(&KeygenRequest { kind, out: None }).result.unwrap();
            let secret = made.secret.clone().unwrap();
            assert!(!format!("{made:?}").contains(secret.lines().last().unwrap()));
        }
    }
}
