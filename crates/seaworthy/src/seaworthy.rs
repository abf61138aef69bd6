//! The whole behind one configuration.

use seaworthy_backup::{HostId, StateFolder};
use seaworthy_core::Result;

use crate::{Config, machine};

/// Everything that the file describes, ready to be worked with: one async function for each
/// command, each giving a [`Reply`](crate::Reply) that serialises.
///
/// ```no_run
/// use seaworthy::{Config, Seaworthy, core::Context};
/// # async fn example() -> seaworthy::core::Result<()> {
/// let config = Config::load("/etc/seaworthy/seaworthy.toml".as_ref())?;
/// let seaworthy = Seaworthy::new(config, "/var/lib/seaworthy".as_ref())?;
/// let reply = seaworthy.backup(&Default::default(), &Context::new()).await;
/// println!("exit code {}", reply.outcome.exit_code());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Seaworthy {
    pub(crate) config: Config,
    pub(crate) host: HostId,
    pub(crate) state: StateFolder,
}

impl Seaworthy {
    /// What `config` describes, on this machine. State lies in the folder that the file names,
    /// else in `default_state`; see [`default_state_folder`](crate::default_state_folder).
    pub fn new(config: Config, default_state: &std::path::Path) -> Result<Self> {
        let state = config.state.clone().unwrap_or_else(|| default_state.to_owned());
        let host = machine::host_id(&state)?;
        Ok(Self { config, host, state: StateFolder::new(state) })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The machine whose snapshots are ours.
    pub fn host(&self) -> &HostId {
        &self.host
    }
}
