//! PostgreSQL databases, from the file's words to the parts that do the work.

use std::{path::Path, sync::Arc};

use seaworthy_backup::{
    BackupJob,
    config::PostgresConfig,
    format::SnapshotKind,
    sources::postgres::{ConnectOptions, Environment, PostgresGlobals, PostgresSource},
};
use seaworthy_core::{Context, Error, Event, Name, Result};

use crate::Seaworthy;

/// How many connections copy rows where the file does not say.
pub(crate) const CONNECTIONS: usize = 2;

/// How many connections copy the rows of a source.
pub(crate) fn connections(config: &PostgresConfig) -> usize {
    config.connections.map_or(CONNECTIONS, usize::from)
}

impl Seaworthy {
    /// What libpq would look at in our environment.
    pub(crate) fn postgres_environment(&self) -> Environment {
        let texts = self.environment.variables().texts();
        Environment::from_variables(texts.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }

    /// How the database of a source is reached.
    pub(crate) async fn connect_options(
        &self,
        config: &PostgresConfig,
        cx: &Context,
    ) -> Result<ConnectOptions> {
        let environment = self.postgres_environment();
        let mut options = match (&config.url, &config.service) {
            (Some(place), _) => {
                let url = self.secret(place, cx).await?;
                ConnectOptions::parse(url.expose(), &environment)?
            }
            (None, Some(service)) => {
                let service = service.replace('\\', "\\\\").replace('\'', "\\'");
                ConnectOptions::parse(&format!("service='{service}'"), &environment)?
            }
            (None, None) => ConnectOptions::parse("", &environment)?,
        };
        if let Some(database) = &config.database {
            options = options.with_database(database);
        }
        if let Some(name) = &config.application_name {
            options = options.with_application_name(name);
        }
        Ok(options)
    }

    /// Adds a database to a run, and the globals of its server, once it is known that the server
    /// answers and that there is a `pg_dump` for it.
    pub(crate) async fn add_database(
        &self,
        job: BackupJob,
        name: &Name,
        config: &PostgresConfig,
        kind: SnapshotKind,
        cx: &Context,
    ) -> Result<BackupJob> {
        let of_source = |error: Error| error.with("source", name.as_str());
        let options = self.connect_options(config, cx).await.map_err(of_source)?;
        let source = postgres_source(options.clone(), config);
        if kind != SnapshotKind::Backup || config.globals == Some(false) {
            source.check().await.map_err(of_source)?;
            return Ok(job.source(name.clone(), Arc::new(source)));
        }
        let mut globals = PostgresGlobals::new(options);
        if let Some(beside) = config.pg_dump.as_deref().and_then(beside) {
            globals = globals.pg_dumpall(beside);
        }
        let (checked, globals) = tokio::join!(source.check(), globals.read());
        checked.map_err(of_source)?;
        let job = job.source(name.clone(), Arc::new(source));
        match globals {
            Ok(globals) => Ok(job.source(PostgresGlobals::name_beside(name)?, Arc::new(globals))),
            Err(error) if config.globals == Some(true) => Err(of_source(error)),
            Err(error) => {
                cx.emit(Event::warning(format!(
                    "the roles of the server of {name} are not stored: {}; `globals = false` in its \
                     section says that this is right",
                    error.chain()
                )));
                Ok(job)
            }
        }
    }
}

/// `pg_dumpall` in the folder of `pg_dump`, where that has one.
fn beside(pg_dump: &Path) -> Option<std::path::PathBuf> {
    (pg_dump.components().count() > 1).then(|| pg_dump.with_file_name("pg_dumpall"))
}

pub(crate) fn postgres_source(options: ConnectOptions, config: &PostgresConfig) -> PostgresSource {
    let mut source = PostgresSource::new(options)
        .connections(connections(config))
        .schemas(&config.schemas)
        .exclude_tables(&config.exclude_tables)
        .exclude_table_data(&config.exclude_table_data);
    if let Some(lock_timeout) = &config.lock_timeout {
        source = source.lock_timeout(lock_timeout.as_duration());
    }
    if let Some(pg_dump) = &config.pg_dump {
        source = source.pg_dump(pg_dump);
    }
    source
}

/// What is wrong with the section of a PostgreSQL source: the key, the message and the remedy.
pub(crate) fn check(config: &PostgresConfig) -> Vec<(&'static str, String, String)> {
    let mut wrong = Vec::new();
    let mut find = |key, message: &str, remedy: &str| {
        wrong.push((key, message.to_owned(), remedy.to_owned()));
    };
    if config.url.is_none() && config.service.is_none() && config.database.is_none() {
        let remedy = "add url = { env = \"DATABASE_URL\" }, a service or a database";
        find("", "no database is named", remedy);
    }
    if config.url.is_some() && config.service.is_some() {
        find("service", "`url` and `service` are both given", "leave one of them out");
    }
    if config.connections.is_some_and(|connections| !(1..=64).contains(&connections)) {
        let remedy = "write a number from 1 to 64, or leave it out";
        find("connections", "a source cannot have so many connections", remedy);
    }
    wrong
}
