//! Releases of a service, side by side, and the link to the one in use.

mod switch;

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use seaworthy_core::{
    CommandLine, Context, Error, ErrorKind, Event, FileLock, Name, Result, durable,
};
use serde::Serialize;

use crate::{
    control::Systemctl,
    model::{Deploy, Services},
};

/// How long copying or unpacking may take.
const UNPACK_LIMIT: Duration = Duration::from_secs(3_600);
/// The link to the current release.
const CURRENT: &str = "current";
/// The folder of releases.
const RELEASES: &str = "releases";
/// The prefix of the marker file of a folder that is not a release yet. The folder already has its
/// final name: what is prepared in it, such as a Python environment, may store its path.
const UNFINISHED: &str = ".new-";

/// The name of a release: the time of its deploy, as `20261122T023000Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Release(String);

impl Release {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// What a deploy did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Deployed {
    /// The service.
    pub service: Name,
    /// The current release.
    pub release: Release,
    /// The previous release.
    pub before: Option<Release>,
    /// Those that were removed, because enough newer ones are kept.
    pub removed: Vec<Release>,
}

/// The releases of a service, below its `directory`.
#[derive(Debug)]
pub struct Releases<'a> {
    name: &'a Name,
    services: &'a Services,
    deploy: &'a Deploy,
    folder: PathBuf,
    systemctl: &'a Systemctl,
}

impl<'a> Releases<'a> {
    /// The releases of the service `name`.
    ///
    /// Fails with [`ErrorKind::Config`] for a service without `deploy`.
    pub fn of(services: &'a Services, name: &'a Name, systemctl: &'a Systemctl) -> Result<Self> {
        services.control(name, systemctl)?;
        let service = services.services.get(name.as_str());
        let parts = service.and_then(|s| Some((s.deploy.as_ref()?, s.directory.as_ref()?)));
        let Some((deploy, directory)) = parts else {
            let message = format!("[service.{name}] has no deploy section");
            return Err(Error::new(ErrorKind::Config, "deploy", message)
                .at(format!("service.{name}.deploy"))
                .remedy_is(format!("add a [service.{name}.deploy] section; it may be empty")));
        };
        Ok(Self { name, services, deploy, folder: directory.as_str().into(), systemctl })
    }

    /// All of them, oldest first.
    pub fn list(&self) -> Result<Vec<Release>> {
        let folder = self.folder.join(RELEASES);
        let fail = |e| Error::io("deploy.list", format!("cannot list {}", folder.display()), e);
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(fail)?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let name = entry.map_err(fail)?.file_name().to_string_lossy().into_owned();
            if is_release(&name) && !folder.join(format!("{UNFINISHED}{name}")).exists() {
                all.push(Release(name));
            }
        }
        all.sort();
        Ok(all)
    }

    /// The current one.
    pub fn current(&self) -> Result<Option<Release>> {
        let link = self.folder.join(CURRENT);
        let not_ours = || {
            let message = format!("{} is not a link to a release", link.display());
            Error::new(ErrorKind::AlreadyExists, "deploy", message)
                .remedy_is("move it away: it will not be overwritten")
        };
        match fs::read_link(&link) {
            Ok(target) => {
                let name = target.strip_prefix(RELEASES).ok().and_then(Path::to_str);
                let name = name.filter(|name| is_release(name)).ok_or_else(not_ours)?;
                Ok(Some(Release(name.to_owned())))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err(not_ours()),
        }
    }

    /// Deploys the content of the folder or archive `from`: copies it next to the other releases,
    /// prepares it, links it, starts a trial instance, and restarts each instance once the one
    /// before is healthy. If one does not become healthy, the previous release is used again.
    pub async fn deploy(&self, from: &Path, cx: &Context) -> Result<Deployed> {
        let _lock = self.lock()?;
        let before = self.current()?;
        self.clear_unfinished()?;
        let release = self.new_name(cx)?;
        let path = self.bring(&release, from, cx).await?;
        let removed = match self.switch(&release, before.as_ref(), cx).await {
            Ok(()) => self.prune(&release, before.as_ref())?,
            Err(error) => {
                // Nothing uses it any more.
                let _ = fs::remove_dir_all(&path);
                return Err(error);
            }
        };
        Ok(Deployed { service: self.name.clone(), release, before, removed })
    }

    /// Goes back to the release before the current one.
    pub async fn roll_back(&self, cx: &Context) -> Result<Deployed> {
        let _lock = self.lock()?;
        let current = self.current()?;
        let older = self.list()?.into_iter().rfind(|r| current.as_ref().is_none_or(|c| r < c));
        let Some(older) = older else {
            let message = format!("service {} has no earlier release", self.name);
            return Err(Error::new(ErrorKind::NotFound, "deploy.rollback", message)
                .remedy_is("deploy the earlier version again"));
        };
        self.switch(&older, current.as_ref(), cx).await?;
        Ok(Deployed {
            service: self.name.clone(),
            release: older,
            before: current,
            removed: Vec::new(),
        })
    }

    fn lock(&self) -> Result<FileLock> {
        fs::create_dir_all(&self.folder).map_err(|e| {
            Error::io("deploy", format!("cannot create {}", self.folder.display()), e)
        })?;
        FileLock::acquire(&self.folder.join(".seaworthy.lock"), &format!("deploy {}", self.name))
    }

    /// Names sort by time: a second deploy in the same second waits for the next.
    fn new_name(&self, cx: &Context) -> Result<Release> {
        let newest = self.list()?.pop();
        let mut unix = cx.now().as_unix();
        loop {
            let name = Release(seaworthy_core::Timestamp::from_unix(unix).compact());
            if newest.as_ref().is_none_or(|newest| *newest < name) {
                return Ok(name);
            }
            unix += 1;
        }
    }

    fn clear_unfinished(&self) -> Result<()> {
        let folder = self.folder.join(RELEASES);
        let fail = |e| Error::io("deploy", format!("cannot tidy {}", folder.display()), e);
        fs::create_dir_all(&folder).map_err(fail)?;
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            if let Some(name) = entry.file_name().to_string_lossy().strip_prefix(UNFINISHED) {
                let path = folder.join(name);
                if is_release(name) && path.exists() {
                    fs::remove_dir_all(&path).map_err(fail)?;
                }
                fs::remove_file(entry.path()).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Copies or unpacks `from`, and prepares it.
    async fn bring(&self, release: &Release, from: &Path, cx: &Context) -> Result<PathBuf> {
        let releases = self.folder.join(RELEASES);
        let staged = releases.join(release.as_str());
        let mark = releases.join(format!("{UNFINISHED}{release}"));
        let fail = |e| Error::io("deploy", format!("cannot create {}", staged.display()), e);
        durable::write_file(&mark, b"", 0o600)?;
        fs::create_dir(&staged).map_err(fail)?;
        let done = async {
            self.fill(&staged, from, cx).await?;
            self.share(&staged)?;
            let inside = match &self.deploy.inside {
                Some(inner) => staged.join(inner.as_str()),
                None => staged.clone(),
            };
            if !inside.is_dir() {
                let message = format!("{} has no folder {}", from.display(), inside.display());
                return Err(Error::new(ErrorKind::InvalidInput, "deploy", message)
                    .at(format!("service.{}.deploy.inside", self.name)));
            }
            let limit = self.deploy.prepare_timeout.as_duration();
            for command in &self.deploy.prepare {
                cx.emit(Event::Started { task: command.to_string(), total_bytes: None });
                in_folder(&inside, command)?.run(cx, Some(limit)).await?;
            }
            fs::remove_file(&mark).map_err(fail)?;
            durable::sync_folder(&releases)
        };
        match done.await {
            Ok(()) => Ok(staged),
            Err(error) => {
                // Best effort: the next deploy tidies up as well.
                if fs::remove_dir_all(&staged).is_ok() {
                    let _ = fs::remove_file(&mark);
                }
                Err(error)
            }
        }
    }

    async fn fill(&self, staged: &Path, from: &Path, cx: &Context) -> Result<()> {
        let metadata = fs::metadata(from)
            .map_err(|e| Error::io("deploy", format!("cannot read {}", from.display()), e))?;
        let (from_text, to) = (from.to_string_lossy(), staged.to_string_lossy());
        let command = if metadata.is_dir() {
            let inner = format!("{from_text}/.");
            CommandLine::new(["cp", "-a", "--reflink=auto", "--", &inner, &to])?
        } else {
            // tar refuses names that lead outside, and makes links only after all files exist.
            let file = format!("--file={from_text}");
            let folder = format!("--directory={to}");
            CommandLine::new(["tar", "--extract", "--no-same-owner", &file, &folder])?
        };
        command.run(cx, Some(UNPACK_LIMIT)).await?;
        if fs::read_dir(staged).is_ok_and(|mut entries| entries.next().is_none()) {
            let message = format!("{} is empty", from.display());
            return Err(Error::new(ErrorKind::InvalidInput, "deploy", message)
                .remedy_is("name a folder or an archive with the service's files"));
        }
        Ok(())
    }

    /// Links what all releases share.
    fn share(&self, staged: &Path) -> Result<()> {
        for inner in &self.deploy.shared {
            let (link, shared) =
                (staged.join(inner.as_str()), self.folder.join("shared").join(inner.as_str()));
            let fail = |e| Error::io("deploy", format!("cannot link {}", link.display()), e);
            for folder in [link.parent(), shared.parent()].into_iter().flatten() {
                fs::create_dir_all(folder).map_err(fail)?;
            }
            match fs::symlink_metadata(&link) {
                Ok(there) if shared.symlink_metadata().is_err() => {
                    // The first release provides the initial content.
                    let _ = there;
                    fs::rename(&link, &shared).map_err(fail)?;
                }
                Ok(there) if there.is_dir() => fs::remove_dir_all(&link).map_err(fail)?,
                Ok(_) => fs::remove_file(&link).map_err(fail)?,
                Err(_) if shared.symlink_metadata().is_err() => {
                    fs::create_dir_all(&shared).map_err(fail)?;
                }
                Err(_) => {}
            }
            symlink(&shared, &link).map_err(fail)?;
        }
        Ok(())
    }

    /// Makes the link lead to `release`, or removes it.
    fn point(&self, release: Option<&Release>) -> Result<()> {
        // Refuses to replace anything except a link of ours.
        self.current()?;
        let link = self.folder.join(CURRENT);
        let target = release.map(|release| Path::new(RELEASES).join(release.as_str()));
        durable::swap_link(&link, target.as_deref())
            .map_err(|e| Error::io("deploy", format!("cannot set {}", link.display()), e))
    }

    /// Removes the oldest, except the current one and the one before it.
    fn prune(&self, current: &Release, before: Option<&Release>) -> Result<Vec<Release>> {
        let all = self.list()?;
        let excess = all.len().saturating_sub(usize::from(self.deploy.keep));
        let unused = |r: &&Release| *r != current && (self.deploy.keep == 1 || Some(*r) != before);
        let gone: Vec<_> = all.iter().filter(unused).take(excess).cloned().collect();
        for release in &gone {
            let path = self.folder.join(RELEASES).join(release.as_str());
            fs::remove_dir_all(&path).map_err(|e| {
                Error::io("deploy.prune", format!("cannot remove {}", path.display()), e)
            })?;
        }
        Ok(gone)
    }
}

/// `command`, run in `folder`. A program with a slash is relative to that folder.
fn in_folder(folder: &Path, command: &CommandLine) -> Result<CommandLine> {
    let chdir = format!("--chdir={}", folder.display());
    let own = command.arguments().iter().map(String::as_str);
    CommandLine::new(["env", &chdir, "--", command.program()].into_iter().chain(own))
}

fn is_release(name: &str) -> bool {
    seaworthy_core::Timestamp::from_compact(name).is_ok()
}
