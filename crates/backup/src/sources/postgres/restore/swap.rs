//! Replaces one database with another, by renaming.

use seaworthy_core::{Error, ErrorKind, Result};

use crate::sources::postgres::connect::session::{Session, literal, quote};

/// Checks that the role can rename `name`, and that the database exists.
pub(crate) async fn check(maintenance: &Session, name: &str) -> Result<()> {
    let sql = "SELECT pg_has_role(d.datdba, 'USAGE') FROM pg_database d WHERE d.datname = $1";
    let rows = maintenance.rows(sql, &[&name]).await?;
    let Some(row) = rows.first() else {
        let message = format!("there is no database {name} to replace");
        return Err(Error::new(ErrorKind::NotFound, "postgres.restore", message)
            .remedy_with("restore it with `to`: the database is created", &["to"]));
    };
    if row.get(0) {
        return Ok(());
    }
    let message = format!("the role is not allowed to rename the database {name}");
    Err(Error::new(ErrorKind::PermissionDenied, "postgres.restore", message)
        .remedy_is("restore as its owner or as a superuser"))
}

/// Renames `name` to `aside` and `loaded` to `name`. Sessions of both are ended. If the second
/// rename fails, the first is undone.
pub(crate) async fn swap(
    maintenance: &Session,
    name: &str,
    aside: &str,
    loaded: &str,
) -> Result<()> {
    let sql = "SELECT datallowconn FROM pg_database WHERE datname = $1";
    let open: bool = maintenance.row(sql, &[&name]).await?.get(0);
    let allow = |database: &str, allow: bool| {
        format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", quote(database))
    };
    let rename =
        |from: &str, to: &str| format!("ALTER DATABASE {} RENAME TO {}", quote(from), quote(to));
    // No session may connect between the end of the sessions and the rename.
    maintenance.run(&allow(name, false)).await?;
    let renamed = async {
        end_sessions(maintenance, name).await?;
        maintenance.run(&rename(name, aside)).await
    };
    if let Err(error) = renamed.await {
        let undone = maintenance.run(&allow(name, open)).await;
        return Err(after(error, undone, name));
    }
    let placed = async {
        end_sessions(maintenance, loaded).await?;
        maintenance.run(&rename(loaded, name)).await
    };
    if let Err(error) = placed.await {
        let mut undone = maintenance.run(&rename(aside, name)).await;
        if undone.is_ok() {
            undone = maintenance.run(&allow(name, open)).await;
        }
        return Err(after(error, undone, name));
    }
    maintenance.run(&allow(aside, open)).await
}

async fn end_sessions(maintenance: &Session, name: &str) -> Result<()> {
    maintenance
        .run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = {} AND pid <> pg_backend_pid()",
            literal(name)
        ))
        .await
}

fn after(error: Error, undone: Result<()>, name: &str) -> Error {
    match undone {
        Ok(()) => error,
        Err(undo) => error.with("undo failed too", undo.chain()).remedy_is(format!(
            "rename the database back by hand: ALTER DATABASE … RENAME TO {}; ALTER DATABASE \
             {0} ALLOW_CONNECTIONS true",
            quote(name)
        )),
    }
}
