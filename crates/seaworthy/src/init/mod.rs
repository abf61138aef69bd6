//! `init`: what there is on a machine, as a first configuration file.
//!
//! Nothing is changed and nothing secret is copied: of a program's arguments only what stands before
//! the first option, of nginx's files only hosts, folders and addresses.

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

/// How long a program that is asked may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// What `init` is asked for.
#[derive(Clone, Debug)]
pub struct InitRequest {
    /// The file to write; it must not be there.
    pub file: PathBuf,
    /// The root of what is looked at: `/`. Only there are programs asked.
    pub root: PathBuf,
}

impl InitRequest {
    /// The file `file` for this machine.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), root: "/".into() }
    }
}

/// The file where none is named: that of the machine for root, else one in the present folder.
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
    /// Who listens.
    pub listeners: Vec<Listener>,
    /// What nginx serves.
    pub nginx: Option<NginxTree>,
    /// The names of certbot's certificates.
    pub certbot: Vec<String>,
    /// Databases.
    pub databases: FoundDatabases,
    /// What could not be looked at.
    pub notes: Vec<String>,
    /// What does as certbot did.
    #[serde(skip)]
    pub(crate) certbot_settings: String,
}

/// A part of what was found, which the file may have or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InitPart {
    /// Databases to be backed up.
    Databases,
    /// Sites that nginx serves.
    Sites,
    /// Certificates that certbot keeps.
    Certificates,
    /// Programs that listen.
    Services,
}

impl InitPart {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 4] = [Self::Databases, Self::Sites, Self::Certificates, Self::Services];

    /// What there is of it, for people; none where there is nothing.
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

/// What `init` did.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct InitResult {
    /// The file that was written.
    pub file: PathBuf,
    /// What the file was made of.
    pub found: Found,
    /// The parts that it has.
    pub parts: Vec<InitPart>,
    /// Its text.
    pub text: String,
}

/// Looks at the machine, lets `choose` say which parts the file shall have, and writes it.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where the file is there: it is never overwritten.
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

/// What there is below `root`. What cannot be looked at is noted.
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

/// Everything that nginx reads, as it prints it; nothing where there is no nginx.
async fn nginx_dump(cx: &Context) -> Result<Option<String>> {
    const NGINX: &str = "/usr/sbin/nginx";
    if !Path::new(NGINX).exists() {
        return Ok(None);
    }
    let text = CommandLine::new([NGINX, "-T", "-q"])?.run(cx, Some(LIMIT)).await?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

fn is_there(file: &Path) -> Error {
    let message = format!("{} is there already", file.display());
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
