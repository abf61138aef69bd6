//! PostgreSQL databases: reached, read, and not through a pooler that would break a backup.

use futures_util::future::join_all;
use seaworthy_backup::{
    config::{PostgresConfig, SourceConfig},
    sources::postgres::{Examination, Pooling},
};
use seaworthy_core::{Context, Findings, Name};

use crate::{Seaworthy, database};

impl Seaworthy {
    /// Tries each PostgreSQL source.
    pub(super) async fn try_databases(&self, cx: &Context) -> Vec<Findings> {
        let jobs = self.config.backup.iter();
        let sources = jobs.flat_map(|(job, config)| {
            config.sources.iter().filter_map(move |(name, source)| match source {
                SourceConfig::Postgres(postgres) => Some((job, name, &**postgres)),
                _ => None,
            })
        });
        join_all(sources.map(|(job, name, config)| self.try_database(job, name, config, cx))).await
    }

    async fn try_database(
        &self,
        job: &Name,
        name: &Name,
        config: &PostgresConfig,
        cx: &Context,
    ) -> Findings {
        let mut checks = Findings::of(format!("backup {job}: {name}"));
        let options = match self.connect_options(config, cx).await {
            Ok(options) => options,
            Err(error) => {
                checks.error("connect", &error);
                return checks;
            }
        };
        let shown = options.to_string();
        let source = database::postgres_source(options, config);
        let examined = tokio::select! {
            examined = source.examine() => examined,
            () = cx.cancel().triggered() => return checks,
        };
        match examined {
            Err(error) => checks.error("connect", &error),
            Ok(examination) => judge(&shown, &examination, &mut checks),
        }
        checks
    }
}

fn judge(shown: &str, found: &Examination, checks: &mut Findings) {
    let direct = "connect to the server itself, past the pooler: write its own port in the URL; a \
                  pooler in session mode does too";
    match found.pooling {
        Pooling::Transaction => {
            let message = format!(
                "{shown} is a pooler that gives each transaction another session, as PgBouncer in \
                 transaction mode does: a backup needs sessions of its own"
            );
            checks.fail("pooler", message, direct);
        }
        Pooling::Exhausted => {
            let message = format!("{shown} has no session left while four are in use");
            let remedy = format!("raise the size of its pool, or {direct}");
            checks.fail("pooler", message, remedy);
        }
        _ => checks.ok("pooler", "each connection is a session of its own"),
    }
    let Some(server) = &found.server else { return };
    checks.ok("connect", format!("{shown} answers: PostgreSQL {}", server.version));
    match &server.pg_dump {
        Ok(path) => checks.ok("pg_dump", format!("{} is new enough", path.display())),
        Err(error) => checks.error("pg_dump", error),
    }
    if server.unreadable.is_empty() {
        checks.ok("rights", "every table can be read");
        return;
    }
    let message = format!("{} cannot be read by this role", server.unreadable.join(", "));
    let remedy = format!(
        "GRANT pg_read_all_data TO \"{}\" (PostgreSQL 14 or newer), or leave them out with \
         `exclude_tables`; row security needs BYPASSRLS",
        server.role
    );
    if server.filtered {
        checks.warn("rights", format!("{message}, unless they are left out"), remedy);
    } else {
        checks.fail("rights", message, remedy);
    }
}
