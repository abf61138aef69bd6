//! Everything in one configuration.

use std::{path::Path, sync::Arc};

use seaworthy_backup::{BackupSink, HostId, StateFolder, encryption::Identities};
use seaworthy_core::{
    CommandLine, Context, Environment, Error, ErrorKind, Name, Result, Secret, SecretRef, Variables,
};
use seaworthy_tls::ChallengeSolver;

use crate::{Config, StateVariables, default_state_folder, machine, open::BroughtSource};

/// Everything in the configuration, ready to use: one async function for each command, each
/// returning a [`Reply`](crate::Reply) that can be serialised.
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
    /// The machine whose snapshots are used, if it is another one.
    pub(crate) meant: Option<HostId>,
    pub(crate) state: StateFolder,
    /// What surrounds each part of the file.
    pub(crate) environment: Environment,
    pub(crate) brought_sources: Vec<BroughtSource>,
    pub(crate) identities: Identities,
    /// This program with its file, as called by timers.
    pub(crate) program: Option<CommandLine>,
}

impl Seaworthy {
    /// `config` on this machine. The state is in the folder in the file, else in `default_state`;
    /// see [`default_state_folder`](crate::default_state_folder).
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

    /// The command for timers: the program and its configuration file, both with absolute paths.
    /// Without it they call the `seaworthy` in their PATH with the file that it finds.
    #[must_use]
    pub fn with_program(self, program: CommandLine) -> Self {
        Self { program: Some(program), ..self }
    }

    /// `config` for a frontend: if the file has no state folder, it is taken from `variables`, and
    /// secrets are looked up in them.
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

    /// Uses `variables` as the environment. Without this it is empty.
    #[must_use]
    pub fn with_variables(mut self, variables: Variables) -> Self {
        self.environment = self.environment.with_variables(variables);
        self
    }

    /// Registers `sink` as the implementation of the custom sink `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the file has no such sink or it has another type.
    pub fn add_sink(&mut self, name: &Name, sink: Arc<dyn BackupSink>) -> Result<()> {
        if !self.sink_kind(name).is_ok_and(|kind| kind.is_brought()) {
            let message = format!("the file has no custom sink {:?}", name.as_str());
            return Err(Error::new(ErrorKind::InvalidInput, "sink.add", message)
                .remedy_is(format!("add [sink.{name}] with type = \"custom\"")));
        }
        self.environment.bring(name, sink);
        Ok(())
    }

    /// Registers `solver` for challenges with `custom = "NAME"` in the file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the file has no such solver, or for another kind of
    /// challenge.
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
                "solver {name} answers {kind}, but the file requires {}",
                other.as_kind().kind()
            ));
        }
        self.environment.bring(name, solver);
        Ok(())
    }

    /// The secret at `place`. Its path, if it has one, must be absolute.
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

    /// The machine whose snapshots count as our own.
    pub fn host(&self) -> &HostId {
        &self.host
    }
}
