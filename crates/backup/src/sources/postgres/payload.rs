//! Plain SQL as a kind of payload.

#[cfg(feature = "postgres")]
use std::sync::Arc;

#[cfg(feature = "postgres")]
use seaworthy_core::Environment;
use seaworthy_core::{Error, ErrorKind, Name, Result};

#[cfg(feature = "postgres")]
use super::{PostgresConfig, PostgresDrill};
#[cfg(feature = "postgres")]
use crate::{drill::Drill, restore::RestoreTarget, sources::SourceKind};
use crate::{
    format::index::{Record, SqlSection},
    snapshot::Records,
    sources::PayloadHandler,
};

/// Plain SQL, as `psql` reads it.
#[derive(Debug)]
pub(crate) struct SqlPayload;

impl PayloadHandler for SqlPayload {
    fn noun(&self) -> &'static str {
        "database"
    }

    fn counted(&self, rows: Option<u64>) -> &'static str {
        if rows.is_some() { "table" } else { "item" }
    }

    fn takes_url(&self) -> bool {
        true
    }

    #[cfg(feature = "postgres")]
    fn target_at(
        &self,
        url: &str,
        environment: &Environment,
    ) -> Result<Option<Box<dyn RestoreTarget>>> {
        PostgresConfig::default().target_at(url, environment)
    }

    fn folder_only(&self, source: &Name, records: Records) -> Result<Option<Error>> {
        if !is_globals(records)? {
            return Ok(None);
        }
        // Roles are made by hand, from a look at them; no database is theirs.
        let message = format!("{source} holds the roles of a server, and no database");
        let error = Error::new(ErrorKind::InvalidInput, "restore.choose", message);
        Ok(Some(error.remedy_is(format!(
            "write it to a folder with --to FOLDER, look at it, then \
             `psql -f FOLDER/{source}.sql postgres`"
        ))))
    }

    #[cfg(feature = "postgres")]
    fn drill(&self) -> Arc<dyn Drill> {
        Arc::new(PostgresDrill::default())
    }
}

/// Whether `records` are of a payload that holds the roles of a server.
fn is_globals(records: Records) -> Result<bool> {
    for record in records {
        match record? {
            Record::Sql(sql) => return Ok(sql.section == SqlSection::Globals),
            Record::Server(_) | Record::Rows(_) => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}
