//! systemd: units, template units, targets and timers.

mod harden;
mod read;
mod syntax;
mod timer;
mod unit;

use seaworthy_core::{ConfigRenderer, FileSet, Name, Origin, Result};

pub use read::{ReadUnit, read_unit};
pub(crate) use syntax::HEADER;

use crate::model::{Service, Services};

/// Renders [`Services`] as unit files for systemd 247 and later.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemdRenderer;

impl ConfigRenderer for SystemdRenderer {
    type Model = Services;

    fn render(&self, model: &Services) -> Result<FileSet> {
        model.check()?;
        let mut files = FileSet::new();
        for (name, service) in model.services.iter() {
            let origin = Origin::new("service").field(name);
            let units = Units::of(name, service, model.processors);
            let file = unit::service(name, service, &origin)?;
            files.insert(units.file(), file)?;
            if let Some(target) = &units.target {
                files.insert(target, unit::target(name, service, &units, &origin)?)?;
            }
            if let Some(schedule) = &service.restart_schedule {
                let origin = origin.field("restart_schedule");
                let job = timer::restart(name, service, model, &origin)?;
                files.insert(format!("{}-restart.service", base(name)), job)?;
                let what = format!("Restart of the service {name}, instance by instance");
                let timer = timer::timer(&what, schedule, model, &origin)?;
                files.insert(format!("{}-restart.timer", base(name)), timer)?;
            }
        }
        if let Some(runner) = &model.runner {
            // Names of services come after "seaworthy-", so nothing else is called like this.
            let origin = Origin::default();
            files.insert("seaworthy.service", timer::runner(model, runner, &origin)?)?;
            let what = "What is due in Seaworthy";
            let timer = timer::timer(what, &runner.schedule, model, &origin)?;
            files.insert("seaworthy.timer", timer)?;
        }
        Ok(files)
    }
}

/// The prefix of all units of the service `name`.
fn base(name: &Name) -> String {
    format!("seaworthy-{name}")
}

/// The units of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Units {
    base: String,
    /// The target that starts and stops all instances; `None` for a service of one process.
    pub target: Option<String>,
    /// The unit of each instance, in order.
    pub instances: Vec<String>,
}

impl Units {
    /// The units of `service`, which is called `name`, on a machine with `processors`.
    pub fn of(name: &Name, service: &Service, processors: u16) -> Self {
        let base = base(name);
        match service.instance_names(processors) {
            None => Self { target: None, instances: vec![format!("{base}.service")], base },
            Some(names) => Self {
                target: Some(format!("{base}.target")),
                instances: names.iter().map(|name| format!("{base}@{name}.service")).collect(),
                base,
            },
        }
    }

    /// The unit of the whole service.
    pub fn whole(&self) -> &str {
        self.target.as_ref().or(self.instances.first()).map_or(&self.base, |unit| unit)
    }

    /// The prefix of the unit of each instance.
    pub(crate) fn instance_prefix(&self) -> String {
        format!("{}@", self.base)
    }

    /// The file that describes its processes.
    pub(crate) fn file(&self) -> String {
        match self.target {
            None => format!("{}.service", self.base),
            Some(_) => format!("{}@.service", self.base),
        }
    }
}
