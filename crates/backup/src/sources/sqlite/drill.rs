//! SQLite: restored into a scratch folder, checked by SQLite itself, and queried.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags, types::ValueRef};
use seaworthy_core::{Context, Error, ErrorKind, Result};

use super::SqliteTarget;
use crate::{
    drill::{Drill, DrillPayload, Found, Scratch, is_true, panicked},
    format::index::{DatabaseRecord, Record},
};

/// The drill of an SQLite database: SQLite checks it, and it is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct SqliteDrill;

#[async_trait]
impl Drill for SqliteDrill {
    async fn run(&self, payload: DrillPayload<'_>, cx: &Context) -> Result<Found> {
        let scratch = Scratch::new(&payload.options.temp)?;
        let target = SqliteTarget::to_folder(scratch.path().join("database"));
        let report = payload.restore(target, cx).await?;
        let records = payload.reader(cx).await?.records()?;
        let checks = payload.checks.to_vec();
        let (interrupt, handles) = std::sync::mpsc::channel();
        let mut looking = tokio::task::spawn_blocking(move || {
            let mut found =
                Found { bytes: report.bytes, notes: report.warnings, ..Found::default() };
            let databases = records.filter_map(|record| match record {
                Ok(Record::Database(database)) => Some(Ok(database)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            });
            for (path, record) in report.placed.iter().zip(databases) {
                let looked = look(path, &record?, &checks, &interrupt, &mut found);
                looked.map_err(|e| {
                    Error::new(ErrorKind::Source, "drill", format!("SQLite cannot open it: {e}"))
                })?;
                found.compared += 1;
            }
            drop(scratch);
            Ok(found)
        });
        tokio::select! {
            looked = &mut looking => return looked.map_err(panicked)?,
            () = cx.cancel().triggered() => {}
        }
        // A check of a large database takes minutes: SQLite can interrupt it.
        handles.try_iter().for_each(|handle: rusqlite::InterruptHandle| handle.interrupt());
        let _ = looking.await;
        Err(Error::cancelled("drill"))
    }
}

fn look(
    path: &Path,
    record: &DatabaseRecord,
    checks: &[String],
    interrupt: &std::sync::mpsc::Sender<rusqlite::InterruptHandle>,
    found: &mut Found,
) -> rusqlite::Result<()> {
    // Opened for writing: a database in WAL mode cannot be read otherwise.
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let _ = interrupt.send(database.get_interrupt_handle());
    database.pragma_query(None, "integrity_check", |row| {
        let problem: String = row.get(0)?;
        if problem != "ok" {
            found.faults.push(format!("its integrity check reports: {problem}"));
        }
        Ok(())
    })?;
    let mut violations = 0;
    database.pragma_query(None, "foreign_key_check", |_| {
        violations += 1;
        Ok(())
    })?;
    if violations != record.foreign_key_violations {
        let before = record.foreign_key_violations;
        found.faults.push(format!("{violations} rows refer to missing rows, instead of {before}"));
    }
    for sql in checks {
        match ask(&database, sql) {
            Ok(true) => found.checks += 1,
            Ok(false) => found.faults.push(format!("`{sql}` does not return true")),
            Err(error) => found.faults.push(format!("`{sql}` fails: {error}")),
        }
    }
    Ok(())
}

/// Whether the first value of the first row is true.
fn ask(database: &Connection, sql: &str) -> rusqlite::Result<bool> {
    let mut statement = database.prepare(sql)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    Ok(match row.get_ref(0)? {
        ValueRef::Integer(number) => number != 0,
        ValueRef::Real(number) => number != 0.0,
        ValueRef::Text(text) => is_true(&String::from_utf8_lossy(text)),
        ValueRef::Null | ValueRef::Blob(_) => false,
    })
}
