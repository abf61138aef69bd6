//! The typed model: `[service.*]`, and what is rendered from it.

mod check;
mod deploy;
mod instances;
mod limits;
mod relax;
mod service;
pub(crate) mod text;

use std::path::Path;

use seaworthy_core::{CommandLine, Name, Named, Result, Schedule, TimeZone};

pub use check::{Fault, faults};
pub use deploy::{Ci, CiDeploy, Deploy, Steps};
pub use instances::Instances;
pub use limits::{Percent, RestartPolicy, Restarts, Signal};
pub use relax::Relax;
pub use service::{Port, Service};
pub use text::{FilePath, InnerPath, Line, Token, UnitName, Url, UrlPath, UserName, VariableName};

/// Everything that is rendered: the services of the file, and the machine that they are for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Services {
    /// `[service.*]`.
    pub services: Named<Service>,
    /// The machine's processors: what `instances = "max"` stands for.
    pub processors: u16,
    /// The time zone of schedules. Default: the machine's.
    pub time_zone: Option<TimeZone>,
    /// The program that restarts services on a schedule: `seaworthy --config FILE`.
    pub program: CommandLine,
    /// The timer that runs what is due; `None` if nothing is scheduled.
    pub runner: Option<Runner>,
}

/// The timer that calls `seaworthy run`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Runner {
    /// How often it checks whether something is due.
    pub schedule: Schedule,
    /// Folders that it writes to, in addition to its state.
    pub writes: Vec<FilePath>,
    /// Files with environment variables, for secrets.
    pub environment_files: Vec<FilePath>,
    /// Whether it answers ACME challenges on ports below 1024.
    pub low_ports: bool,
}

impl Runner {
    /// A timer that runs on `schedule`.
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, writes: Vec::new(), environment_files: Vec::new(), low_ports: false }
    }
}

impl Services {
    /// Services of a machine with `processors`, restarted by `program`.
    pub fn new(services: Named<Service>, processors: u16, program: CommandLine) -> Self {
        Self { services, processors, time_zone: None, program, runner: None }
    }

    /// Resolves every relative path against `base`, the folder of the file.
    pub fn resolve_paths(&mut self, base: &Path) -> Result<()> {
        self.services.iter_mut().try_for_each(|(_, service)| service.resolve_paths(base))
    }

    /// The ports of the service `name`, one for each instance; empty if it has none.
    pub fn ports(&self, name: &Name) -> Vec<u16> {
        let service = self.services.get(name.as_str());
        service.map_or_else(Vec::new, |service| service.ports(self.processors))
    }
}
