//! Installs rendered units into a real systemd.

mod check;
mod cron;
mod links;
mod planned;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use seaworthy_core::{
    CommandLine, ConfigRenderer, Context, Error, ErrorKind, Event, FileSet, Generations, Installer,
    Name, Result, StagedFiles,
};

pub use cron::CronInstaller;

use crate::{
    control::Systemctl,
    model::Services,
    systemd::{SystemdRenderer, read_unit},
};

/// Where systemd looks for the administrator's units.
pub(crate) const UNIT_FOLDER: &str = "/etc/systemd/system";

/// Installs rendered units into systemd, through [`apply`](seaworthy_core::apply): the files are in
/// `/etc/systemd/seaworthy/current`, and links in systemd's folder lead to them.
#[derive(Clone, Debug)]
pub struct SystemdInstaller {
    folder: PathBuf,
    systemctl: Systemctl,
    analyze: CommandLine,
    model: Services,
    files: FileSet,
    /// What systemd has read last.
    running: Arc<Mutex<Option<StagedFiles>>>,
}

impl SystemdInstaller {
    /// Installs `model` into this machine's systemd.
    pub fn new(model: Services) -> Result<Self> {
        let files = SystemdRenderer.render(&model)?;
        Ok(Self {
            folder: UNIT_FOLDER.into(),
            systemctl: Systemctl::default(),
            analyze: CommandLine::new(["systemd-analyze"])?,
            model,
            files,
            running: Arc::default(),
        })
    }

    /// Puts the links into `folder` instead, and the files next to it, such as
    /// `/run/systemd/system` for units that do not survive a reboot.
    #[must_use]
    pub fn with_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..self }
    }

    /// Uses this `systemctl` instead of the program of that name.
    #[must_use]
    pub fn with_systemctl(self, systemctl: Systemctl) -> Self {
        Self { systemctl, ..self }
    }

    /// The rendered files.
    pub fn files(&self) -> &FileSet {
        &self.files
    }

    /// Where the generations of files are.
    pub fn generations(&self) -> Generations {
        Generations::new(self.folder.parent().unwrap_or(Path::new("/")).join("seaworthy"))
    }

    /// Brings systemd from `old` to `new`.
    async fn change(&self, was: &StagedFiles, new: &FileSet, cx: &Context) -> Result<()> {
        let old = &was.files;
        let (before, after) = (Running::of(old), Running::of(new));
        // These are not in the live files any more: their links lead to the old files again.
        let gone = old.iter().map(|(name, _)| name).filter(|name| new.get(name).is_none());
        links::lead_to(&self.folder, &self.generations(), &was.folder, gone)?;
        // On rollback of a first installation that failed early there is nothing to stop.
        let there = |unit: &&String| {
            let template = unit.split_once('@').map(|(base, _)| format!("{base}@.service"));
            self.folder.join(template.as_ref().unwrap_or(unit)).exists()
        };
        let gone = before.installed.difference(&after.installed);
        let gone = gone.chain(before.processes.difference(&after.processes));
        for unit in gone.collect::<BTreeSet<_>>().into_iter().filter(there) {
            self.systemctl.run(&["stop", "--", unit], cx).await?;
        }
        links::set(&self.folder, &self.generations(), new)?;
        self.systemctl.run(&["daemon-reload"], cx).await?;
        for timer in after.installed.iter().filter(|unit| unit.ends_with(".timer")) {
            // A changed timer elapses by its old times until it is restarted.
            let verb = if old.get(timer).map(|f| &f.bytes) == new.get(timer).map(|f| &f.bytes) {
                "start"
            } else {
                "restart"
            };
            self.systemctl.run(&[verb, "--", timer], cx).await?;
        }
        // On rollback everything is tried, and the first failure is returned.
        let ours = *new == self.files;
        let mut first = None;
        for name in self.model.services.names() {
            if let Err(error) = self.bring_up(name, old, new, cx).await {
                if ours {
                    return Err(error);
                }
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Starts a service, or restarts it where its unit changed.
    async fn bring_up(
        &self,
        name: &Name,
        old: &FileSet,
        new: &FileSet,
        cx: &Context,
    ) -> Result<()> {
        let control = self.model.control(name, &self.systemctl)?;
        let file = [format!("seaworthy-{name}@.service"), format!("seaworthy-{name}.service")];
        let Some(file) = file.into_iter().find(|file| new.get(file).is_some()) else {
            return Ok(());
        };
        if control.lacks_release() {
            let message =
                format!("service {name} has no release yet: it starts with its first deploy");
            cx.emit(Event::warning(message));
            return Ok(());
        }
        let was = old.get(&file).map(|file| &file.bytes);
        let is = new.get(&file).map(|file| &file.bytes);
        if was.is_some() && was != is { control.restart(cx).await } else { control.start(cx).await }
    }

    fn running(&self) -> Result<StagedFiles> {
        let known = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let live = self.generations().link();
        match known {
            Some(staged) => Ok(staged),
            None => {
                let good = self.generations().last_good()?;
                Ok(good.unwrap_or_else(|| StagedFiles::new(&live, &live, FileSet::new())))
            }
        }
    }
}

/// What a set of unit files makes systemd do.
struct Running {
    /// Units that are started at boot.
    installed: BTreeSet<String>,
    /// Services that run all the time.
    processes: BTreeSet<String>,
}

impl Running {
    fn of(files: &FileSet) -> Self {
        let mut running = Self { installed: BTreeSet::new(), processes: BTreeSet::new() };
        for (path, file) in files.iter() {
            let unit = read_unit(&String::from_utf8_lossy(&file.bytes));
            if unit.installs() {
                running.installed.insert(path.to_owned());
            }
            if path.ends_with(".target") {
                running.processes.extend(unit.get("Unit", "Wants").iter().cloned());
            } else if path.ends_with(".service") && unit.installs() {
                running.processes.insert(path.to_owned());
            }
        }
        running
    }
}

#[async_trait]
impl Installer for SystemdInstaller {
    async fn check(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        links::check(&self.folder, &self.generations(), &staged.files)?;
        self.verify(staged, cx).await
    }

    async fn activate(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        let old = self.running()?;
        *self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(staged.clone());
        self.change(&old, &staged.files, cx).await
    }

    async fn prove(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        for (path, _) in staged.files.iter().filter(|(path, _)| path.ends_with(".timer")) {
            if !self.systemctl.is_active(path, cx).await? {
                let message = format!("{path} is not active");
                return Err(Error::new(ErrorKind::Unavailable, "service.prove", message));
            }
        }
        for name in self.model.services.names() {
            let control = self.model.control(name, &self.systemctl)?;
            if !control.lacks_release() {
                control.wait(cx).await?;
            }
        }
        Ok(())
    }
}
