//! A PostgreSQL database as a kind of source.

use std::path::Path;
#[cfg(feature = "postgres")]
use std::sync::Arc;

use async_trait::async_trait;
#[cfg(feature = "postgres")]
use seaworthy_core::{Context, Environment, Error, ErrorKind, Findings, Result};
use seaworthy_core::{Name, Section};

#[cfg(feature = "postgres")]
use super::{
    ConnectOptions, PostgresDrill, PostgresTarget, TemporaryServer,
    open::{expand, libpq},
    probe,
};
use super::{PostgresConfig, config::GLOBALS};
use crate::sources::{SourceKind, part_name};
#[cfg(feature = "postgres")]
use crate::{
    drill::{Drill, DrillConfig, DrillServer},
    format::SnapshotKind,
    restore::RestoreTarget,
    sources::{OpenedSource, Place, PlacedTarget},
};

#[async_trait]
impl SourceKind for PostgresConfig {
    fn resolve(&mut self, base: &Path) {
        self.resolve_paths(base);
    }

    fn check(&self, siblings: &[&Name], section: &mut Section) {
        check(self, section);
        check_globals(self, siblings, section);
    }

    fn answers_sql(&self) -> bool {
        true
    }

    fn has_part(&self, part: &str) -> bool {
        part == GLOBALS
    }

    #[cfg(feature = "postgres")]
    async fn expand(
        &self,
        name: &Name,
        kind: SnapshotKind,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Vec<OpenedSource>> {
        expand(self, name, kind, environment, cx)
            .await
            .map_err(|error| error.with("source", name.as_str()))
    }

    #[cfg(feature = "postgres")]
    async fn in_place(
        &self,
        part: Option<&str>,
        stamp: &str,
        environment: &Environment,
        cx: &Context,
    ) -> Result<PlacedTarget> {
        if let Some(part) = part {
            let message = format!("the {part} of {} belong in no database", environment.name());
            return Err(Error::new(ErrorKind::InvalidInput, "restore.choose", message)
                .remedy_with("restore them `to` a folder", &["to"]));
        }
        let options = self.connect_options(environment, cx).await?;
        let place = Place::named(format!("the database {options}"));
        let target = PostgresTarget::in_place(options, stamp).connections(self.lanes());
        Ok(PlacedTarget::new(target, place))
    }

    #[cfg(feature = "postgres")]
    fn target_at(
        &self,
        url: &str,
        environment: &Environment,
    ) -> Result<Option<Box<dyn RestoreTarget>>> {
        let options = ConnectOptions::parse(url, &libpq(environment))?;
        let target = PostgresTarget::to_database(options).connections(self.lanes());
        Ok(Some(Box::new(target)))
    }

    #[cfg(feature = "postgres")]
    async fn drill(
        &self,
        _: Option<&str>,
        config: &DrillConfig,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Option<Arc<dyn Drill>>> {
        let options = match &config.server {
            DrillServer::ThrowAway => {
                let mut server = TemporaryServer::new();
                if let Some(programs) = &config.programs {
                    server = server.programs(programs);
                }
                if let Some(user) = &config.user {
                    server = server.user(user);
                }
                return Ok(Some(Arc::new(PostgresDrill::on_temporary_server(
                    server,
                    self.lanes(),
                ))));
            }
            DrillServer::Url(place) => {
                let url = environment.secret(place, cx).await?;
                ConnectOptions::parse(url.expose(), &libpq(environment))?
            }
            DrillServer::Source => self.connect_options(environment, cx).await?,
        };
        Ok(Some(Arc::new(PostgresDrill::on_server(options, self.lanes()))))
    }

    #[cfg(feature = "postgres")]
    async fn probe(&self, environment: &Environment, findings: &mut Findings, cx: &Context) {
        probe::probe(self, environment, findings, cx).await;
    }
}

/// Says in `section` what is wrong with it.
fn check(config: &PostgresConfig, section: &mut Section) {
    if config.url.is_none() && config.service.is_none() && config.database.is_none() {
        let message = format!("no database is named in {section}");
        let remedy = "add url = { env = \"DATABASE_URL\" }, a service or a database";
        section.fault(&[], message, remedy);
    }
    if config.url.is_some() && config.service.is_some() {
        let message = format!("`url` and `service` are both given in {section}");
        section.fault(&["service"], message, "leave one of them out");
    }
    if config.connections.is_some_and(|connections| !(1..=64).contains(&connections)) {
        let message = format!("a source cannot have so many connections in {section}");
        let remedy = "write a number from 1 to 64, or leave it out";
        section.fault(&["connections"], message, remedy);
    }
}

/// Says in `section` where the globals of the server could not be stored beside the database.
fn check_globals(config: &PostgresConfig, siblings: &[&Name], section: &mut Section) {
    if config.globals == Some(false) {
        return;
    }
    let Ok(name) = Name::new(section.name()) else { return };
    match part_name(&name, GLOBALS) {
        Ok(taken) if siblings.contains(&&taken) => {
            let message = format!(
                "{section} stores the roles of its server as {taken}, and the job has a source of \
                 that name"
            );
            let remedy = format!("give {taken} another name, or say `globals = false` for {name}");
            section.fault(&[], message, remedy);
        }
        Ok(_) => {}
        Err(error) => {
            let remedy = "give the source a shorter name, or say `globals = false`";
            section.fault(&[], error.to_string(), remedy);
        }
    }
}
