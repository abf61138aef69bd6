//! Folders in the file that other programs expect to exist.

use std::{
    collections::BTreeMap,
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use seaworthy_core::{CommandLine, Error, ErrorKind, Result};

use super::{Apply, ApplyStep, StepFile, StepKind, StepState};
use crate::Seaworthy;

/// How long looking up a user may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A folder to create.
struct Folder {
    mode: u32,
    /// Its owner, if it is not us.
    owner: Option<(String, String)>,
}

impl Apply<'_> {
    pub(super) fn plan_folders(&mut self) -> Result<()> {
        let missing = self.seaworthy.missing_folders();
        let files = missing.keys().map(StepFile::added).collect();
        let commands = missing.iter().filter_map(|(path, folder)| chown(path, folder));
        let commands = commands.map(|command| command.to_string()).collect();
        self.add(ApplyStep::of(StepKind::Folders, files, commands));
        Ok(())
    }

    pub(super) async fn make_folders(&mut self) -> Result<()> {
        let mut step = ApplyStep::new(StepKind::Folders, StepState::Unchanged);
        for (path, folder) in self.seaworthy.missing_folders() {
            // Its parents may be missing too, and are removed with it.
            let above = path.ancestors().skip(1).take_while(|above| !above.exists());
            let mut above: Vec<_> = above.map(Path::to_owned).collect();
            above.reverse();
            self.done.folders.extend(above);
            self.done.folders.push(path.clone());
            DirBuilder::new()
                .recursive(true)
                .mode(folder.mode)
                .create(&path)
                .map_err(|e| Error::io("apply", format!("cannot create {}", path.display()), e))?;
            if let Some(command) = chown(&path, &folder) {
                command.run(self.cx, Some(LIMIT)).await.map_err(no_such_user(&folder))?;
                step.commands.push(command.to_string());
            }
            step.files.push(StepFile::added(path));
            step.state = StepState::Changed;
        }
        self.add(step);
        Ok(())
    }
}

fn chown(path: &Path, folder: &Folder) -> Option<CommandLine> {
    let (user, group) = folder.owner.as_ref()?;
    CommandLine::new(["chown", "--", &format!("{user}:{group}"), &path.to_string_lossy()]).ok()
}

fn no_such_user(folder: &Folder) -> impl FnOnce(Error) -> Error {
    let user = folder.owner.as_ref().map(|(user, _)| user.clone()).unwrap_or_default();
    move |error| {
        let message = format!("cannot make the user {user} the owner of a folder");
        Error::new(ErrorKind::Config, "apply", message)
            .caused_by(error)
            .remedy_is(format!("create that user with `adduser --system --group {user}`"))
    }
}

impl Seaworthy {
    /// The folders that do not exist yet.
    fn missing_folders(&self) -> BTreeMap<PathBuf, Folder> {
        let mut wanted: BTreeMap<PathBuf, Folder> = BTreeMap::new();
        let mut want = |path: &Path, mode: u32, owner: Option<(String, String)>| {
            wanted.entry(path.to_owned()).or_insert(Folder { mode, owner });
        };
        want(self.state.path(), 0o700, None);
        if !self.config.certificate.is_empty() {
            want(self.config.tls.clone().unwrap_or_default().store(), 0o700, None);
        }
        for (_, certificate) in self.config.certificate.iter() {
            let challenge = certificate.challenge.as_ref();
            if let Some(webroot) = challenge.and_then(|one| one.as_kind().webroot()) {
                want(&webroot, 0o755, None);
            }
        }
        if let Some(proxy) = &self.config.proxy {
            if proxy.own_root {
                want(Path::new(proxy.root.as_str()), 0o755, None);
            }
            want(Path::new(proxy.logs.as_str()), 0o755, None);
            if let Some(webroot) = &proxy.acme_webroot {
                want(Path::new(webroot.as_str()), 0o755, None);
            }
        }
        for (_, service) in self.config.service.iter() {
            let user = service.user.as_ref().map(ToString::to_string);
            let group = service.group.as_ref().map(ToString::to_string);
            // A colon without a group means the user's group.
            let owner = user.map(|user| (user, group.unwrap_or_default()));
            for path in &service.writable {
                want(Path::new(path.as_str()), 0o750, owner.clone());
            }
        }
        wanted.retain(|path, _| !path.exists());
        wanted
    }
}
