//! The whole behind one configuration.

use std::{path::Path, sync::Arc};

use seaworthy_backup::{BackupSink, HostId, StateFolder, encryption::Identities};
use seaworthy_core::{
    CommandLine, Context, Environment, Error, ErrorKind, Name, Result, Secret, SecretRef, Variables,
};
use seaworthy_tls::ChallengeSolver;

use crate::{Config, StateVariables, default_state_folder, machine, open::BroughtSource};

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
    /// The machine whose snapshots are meant, where it is another.
    pub(crate) meant: Option<HostId>,
    pub(crate) state: StateFolder,
    /// What surrounds each part of the file.
    pub(crate) environment: Environment,
    pub(crate) brought_sources: Vec<BroughtSource>,
    pub(crate) identities: Identities,
    /// This program with its file, as timers call it.
    pub(crate) program: Option<CommandLine>,
}

impl Seaworthy {
    /// What `config` describes, on this machine. State lies in the folder that the file names,
    /// else in `default_state`; see [`default_state_folder`](crate::default_state_folder).
    pub fn new(config: Config, default_state: &Path) -> Result<Self> {
        let state = config.state.clone().unwrap_or_else(|| default_state.to_owned());
        let host = machine::host_id(&state)?;
        let sinks = config.sink_folders().map(|(_, folder)| folder.to_owned());
        let own_folders: Vec<_> = sinks.chain([state.clone()]).collect();
        Ok(Self {
            config,
            host,
            meant: None,
            state: StateFolder::new(state),
            environment: Environment::new("/").with_own_folders(own_folders),
            brought_sources: Vec::new(),
            identities: Identities::new(),
            program: None,
        })
    }

    /// What timers call: `seaworthy --config FILE`, both with absolute paths. Without it they call
    /// the `seaworthy` of their PATH with the file that it finds.
    #[must_use]
    pub fn with_program(self, program: CommandLine) -> Self {
        Self { program: Some(program), ..self }
    }

    /// What `config` describes, for a frontend: where the file names no folder for state,
    /// `variables` say where it is, and secrets are looked up in them.
    ///
    /// # Errors
    /// Those of [`default_state_folder`] and of [`new`](Self::new).
    pub fn open(config: Config, variables: Variables) -> Result<Self> {
        let state = match &config.state {
            Some(state) => state.clone(),
            None => default_state_folder(StateVariables {
                state_directory: variables.get("STATE_DIRECTORY"),
                xdg_state_home: variables.get("XDG_STATE_HOME"),
                home: variables.get("HOME"),
            })?,
        };
        Ok(Self::new(config, &state)?.with_variables(variables))
    }

    /// Looks up in `variables` what the file says to be in the environment. Without this nothing is
    /// set there.
    #[must_use]
    pub fn with_variables(mut self, variables: Variables) -> Self {
        self.environment = self.environment.with_variables(variables);
        self
    }

    /// Fills the sink `name`, which the file calls `custom`, with `sink`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where the file has no such sink or calls it something else.
    pub fn add_sink(&mut self, name: &Name, sink: Arc<dyn BackupSink>) -> Result<()> {
        if !self.sink_kind(name).is_ok_and(|kind| kind.is_brought()) {
            let message = format!("the file has no custom sink {:?}", name.as_str());
            return Err(Error::new(ErrorKind::InvalidInput, "sink.add", message)
                .remedy_is(format!("write [sink.{name}] with type = \"custom\"")));
        }
        self.environment.bring(name, sink);
        Ok(())
    }

    /// Answers with `solver` where the file has a `challenge` with `custom = "NAME"`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where the file names no such solver, or for another kind of challenge.
    pub fn add_solver(&mut self, name: &Name, solver: Arc<dyn ChallengeSolver>) -> Result<()> {
        let kind = solver.kind();
        let challenges =
            self.config.certificate.iter().filter_map(|(_, one)| one.challenge.as_ref());
        let mut named = challenges.filter(|one| one.as_kind().custom() == Some(name)).peekable();
        let wrong = |message| {
            Err(Error::new(ErrorKind::InvalidInput, "challenge.add", message).remedy_is(format!(
                "write challenge = {{ type = \"{kind}\", custom = \"{name}\" }}"
            )))
        };
        if named.peek().is_none() {
            return wrong(format!("the file has no challenge with custom = {:?}", name.as_str()));
        }
        if let Some(other) = named.find(|one| one.as_kind().kind() != kind) {
            return wrong(format!(
                "{name} answers {kind}, but the file wants {}",
                other.as_kind().kind()
            ));
        }
        self.environment.bring(name, solver);
        Ok(())
    }

    /// The secret that `place` names. Its path, if it has one, must be absolute.
    ///
    /// # Errors
    /// Those of [`find_secret`](crate::find_secret).
    pub async fn secret(&self, place: &SecretRef, cx: &Context) -> Result<Secret> {
        self.environment.secret(place, cx).await
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
