//! `init`: a first configuration file from what is on a machine.
//!
//! Nothing is changed and no secrets are copied: from a program's arguments only those before the
//! first option, from nginx's files only hosts, folders and addresses.

mod databases;
mod listeners;
mod nginx;
mod text;

use std::path::{Path, PathBuf};

use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Result};
use serde::Serialize;

pub use databases::FoundDatabases;
pub use listeners::{Listener, Process};
pub use nginx::{FoundAnswer, FoundRoute, FoundSite, NginxTree};

use crate::{Outcome, Reply};

/// How long a program that we run may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// The request of `init`.
#[derive(Clone, Debug)]
pub struct InitRequest {
    /// The file to write; it must not exist.
    pub file: PathBuf,
    /// The root of the search: `/`. Programs are only run for this root.
    pub root: PathBuf,
}

impl InitRequest {
    /// The file `file` for this machine.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), root: "/".into() }
    }
}

/// The default file: that of the machine for root, else one in the current folder.
pub fn usual_file() -> PathBuf {
    match rustix::process::geteuid().is_root() {
        true => "/etc/seaworthy/seaworthy.toml".into(),
        false => "seaworthy.toml".into(),
    }
}

/// What was found on a machine.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Found {
    /// Listening programs.
    pub listeners: Vec<Listener>,
    /// nginx's sites.
    pub nginx: Option<NginxTree>,
    /// The names of certbot's certificates.
    pub certbot: Vec<String>,
    /// Databases.
    pub databases: FoundDatabases,
    /// What could not be read.
    pub notes: Vec<String>,
    /// Settings equivalent to certbot's.
    #[serde(skip)]
    pub(crate) certbot_settings: String,
}

/// A part of what was found, which can be left out of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InitPart {
    /// Databases to back up.
    Databases,
    /// Sites that nginx serves.
    Sites,
    /// certbot's certificates.
    Certificates,
    /// Programs that listen.
    Services,
}

impl InitPart {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 4] = [Self::Databases, Self::Sites, Self::Certificates, Self::Services];

    /// What was found for it, for people; empty if nothing.
    pub fn in_words(self, found: &Found) -> Option<String> {
        let all: Vec<String> = match self {
            Self::Databases => {
                let sqlite = found.databases.sqlite.iter().map(|path| path.display().to_string());
                let postgres = found.databases.postgres.iter();
                postgres.map(|name| format!("PostgreSQL {name}")).chain(sqlite).collect()
            }
            Self::Sites => {
                let sites = found.nginx.iter().flat_map(|nginx| &nginx.sites);
                sites.map(|site| site.hosts.join(" ")).collect()
            }
            Self::Certificates => found.certbot.clone(),
            Self::Services => {
                let programs = found.programs();
                programs.map(|(name, port, _)| format!("{name} on port {port}")).collect()
            }
        };
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// The result of `init`.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct InitResult {
    /// The file that was written.
    pub file: PathBuf,
    /// What was found.
    pub found: Found,
    /// The parts in the file.
    pub parts: Vec<InitPart>,
    /// Its text.
    pub text: String,
}

/// Inspects the machine, lets `choose` select the parts of the file, and writes it.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if the file exists: it is never overwritten.
pub async fn init(
    request: &InitRequest,
    choose: &(dyn Fn(&Found) -> Result<Vec<InitPart>> + Sync),
    cx: &Context,
) -> Reply<InitResult> {
    match try_init(request, choose, cx).await {
        Ok(result) => Reply::new(result, Outcome::Done),
        Err(error) => error.into(),
    }
}

async fn try_init(
    request: &InitRequest,
    choose: &(dyn Fn(&Found) -> Result<Vec<InitPart>> + Sync),
    cx: &Context,
) -> Result<InitResult> {
    let file = std::path::absolute(&request.file).map_err(|e| {
        Error::io("init.write", format!("cannot find {}", request.file.display()), e)
    })?;
    if std::fs::symlink_metadata(&file).is_ok() {
        return Err(is_there(&file));
    }
    let found = look(&request.root, cx).await?;
    let parts = choose(&found)?;
    let text = text::render(&found, &parts, &file)?;
    write_new(&file, &text)?;
    Ok(InitResult { file, found, parts, text })
}

/// What there is below `root`. What cannot be read is noted.
pub(crate) async fn look(root: &Path, cx: &Context) -> Result<Found> {
    let mut found = Found { listeners: listeners::read(root), ..Found::default() };
    let here = root == Path::new("/");
    let configuration = match here {
        true => nginx_dump(cx).await,
        false => nginx::dump_below(root),
    };
    match configuration {
        Ok(Some(text)) => {
            let tree = nginx::read(&text);
            found.notes.extend(tree.notes.iter().map(|note| format!("nginx: {note}")));
            found.nginx = Some(tree);
        }
        Ok(None) => {}
        Err(error) => found.notes.push(format!("nginx: {}", error.chain())),
    }
    let certbot = root.join("etc/letsencrypt");
    if certbot.join("renewal").is_dir() {
        match seaworthy_tls::certbot::read(&certbot, &[]) {
            Ok(read) => {
                found.certbot = read.lineages.iter().map(|l| l.name.to_string()).collect();
                found.certbot_settings = read.settings();
                found.notes.extend(read.notes.iter().map(|note| format!("certbot: {note}")));
            }
            Err(error) => found.notes.push(format!("certbot: {}", error.chain())),
        }
    }
    let folders: Vec<PathBuf> = found
        .listeners
        .iter()
        .filter_map(|listener| listener.process.as_ref()?.directory.clone())
        .collect();
    found.databases = databases::find(root, &folders, cx).await;
    cx.check("init")?;
    Ok(found)
}

/// nginx's complete configuration, as it prints it; `None` if there is no nginx.
async fn nginx_dump(cx: &Context) -> Result<Option<String>> {
    const NGINX: &str = "/usr/sbin/nginx";
    if !Path::new(NGINX).exists() {
        return Ok(None);
    }
    let text = CommandLine::new([NGINX, "-T", "-q"])?.run(cx, Some(LIMIT)).await?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

fn is_there(file: &Path) -> Error {
    let message = format!("{} already exists", file.display());
    Error::new(ErrorKind::AlreadyExists, "init.write", message)
        .remedy_is("move it away, or name another file: nothing is overwritten")
}

fn write_new(file: &Path, text: &str) -> Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let fail = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => is_there(file),
        _ => Error::io("init.write", format!("cannot write {}", file.display()), e),
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut new = options.write(true).create_new(true).mode(0o644).open(file).map_err(fail)?;
    new.write_all(text.as_bytes()).and_then(|()| new.sync_all()).map_err(fail)
}
