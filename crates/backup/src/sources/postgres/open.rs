//! From the file's words to a database that can be read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use seaworthy_core::{Context, Environment, Event, Name, Result};

use super::{
    ConnectOptions, PostgresConfig, PostgresGlobals, PostgresSource, config::GLOBALS, connect,
};
use crate::{
    format::SnapshotKind,
    sources::{OpenedSource, Place, part_name},
};

/// How many connections copy rows where the file does not say.
const CONNECTIONS: usize = 2;

/// What libpq would look at in our environment.
pub(super) fn libpq(environment: &Environment) -> connect::Environment {
    let texts = environment.variables().texts();
    connect::Environment::from_variables(
        texts.map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
}

impl PostgresConfig {
    /// How many connections copy the rows.
    pub(super) fn lanes(&self) -> usize {
        self.connections.map_or(CONNECTIONS, usize::from)
    }

    /// How the database is reached.
    pub(super) async fn connect_options(
        &self,
        environment: &Environment,
        cx: &Context,
    ) -> Result<ConnectOptions> {
        let libpq = libpq(environment);
        let mut options = match (&self.url, &self.service) {
            (Some(place), _) => {
                let url = environment.secret(place, cx).await?;
                ConnectOptions::parse(url.expose(), &libpq)?
            }
            (None, Some(service)) => {
                let service = service.replace('\\', "\\\\").replace('\'', "\\'");
                ConnectOptions::parse(&format!("service='{service}'"), &libpq)?
            }
            (None, None) => ConnectOptions::parse("", &libpq)?,
        };
        if let Some(database) = &self.database {
            options = options.with_database(database);
        }
        if let Some(name) = &self.application_name {
            options = options.with_application_name(name);
        }
        Ok(options)
    }

    /// What reads the database.
    pub(super) fn source(&self, options: ConnectOptions) -> PostgresSource {
        let mut source = PostgresSource::new(options)
            .connections(self.lanes())
            .schemas(&self.schemas)
            .exclude_tables(&self.exclude_tables)
            .exclude_table_data(&self.exclude_table_data);
        if let Some(lock_timeout) = &self.lock_timeout {
            source = source.lock_timeout(lock_timeout.as_duration());
        }
        if let Some(pg_dump) = &self.pg_dump {
            source = source.pg_dump(pg_dump);
        }
        source
    }
}

/// The database, and the globals of its server, once it is known that the server answers and that
/// there is a `pg_dump` for it.
pub(super) async fn expand(
    config: &PostgresConfig,
    name: &Name,
    kind: SnapshotKind,
    environment: &Environment,
    cx: &Context,
) -> Result<Vec<OpenedSource>> {
    let options = config.connect_options(environment, cx).await?;
    let place = Place::named(format!("the database {options}"));
    let source = config.source(options.clone());
    let opened = |source| vec![OpenedSource::new(name.clone(), Arc::new(source), place)];
    if kind != SnapshotKind::Backup || config.globals == Some(false) {
        source.check().await?;
        return Ok(opened(source));
    }
    let mut globals = PostgresGlobals::new(options);
    if let Some(beside) = config.pg_dump.as_deref().and_then(beside) {
        globals = globals.pg_dumpall(beside);
    }
    let (checked, globals) = tokio::join!(source.check(), globals.read());
    checked?;
    let mut opened = opened(source);
    match globals {
        Ok(globals) => {
            opened.push(OpenedSource::along(part_name(name, GLOBALS)?, Arc::new(globals)));
        }
        Err(error) if config.globals == Some(true) => return Err(error),
        Err(error) => cx.emit(Event::warning(format!(
            "the roles of the server of {name} are not stored: {}; `globals = false` in its section \
             says that this is right",
            error.chain()
        ))),
    }
    Ok(opened)
}

/// `pg_dumpall` in the folder of `pg_dump`, where that has one.
fn beside(pg_dump: &Path) -> Option<PathBuf> {
    (pg_dump.components().count() > 1).then(|| pg_dump.with_file_name("pg_dumpall"))
}
