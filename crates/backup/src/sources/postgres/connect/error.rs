//! PostgreSQL's errors, with our messages and kinds.

use seaworthy_core::{Error, ErrorKind};
use tokio_postgres::error::SqlState;

/// What to do about a server that cannot be reached.
pub(crate) const IS_IT_RUNNING: &str =
    "is the server running and reachable? try `psql` with the same settings";

/// A server's error that no other code path handles. All of it is in our message, which is one
/// line; as a cause it would be repeated.
pub(crate) fn failed(
    operation: &'static str,
    message: impl Into<String>,
    source: tokio_postgres::Error,
) -> Error {
    let (kind, why, remedy) = explain(&source);
    let error = Error::new(kind, operation, format!("{}: {why}", message.into()));
    match remedy.or_else(|| source.as_db_error()?.hint()) {
        Some(remedy) => error.remedy_is(remedy.replace('\n', " ")),
        None => error,
    }
}

fn explain(error: &tokio_postgres::Error) -> (ErrorKind, String, Option<&'static str>) {
    let Some(db) = error.as_db_error() else {
        let mut why = error.to_string();
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            let cause_text = cause.to_string();
            if !why.ends_with(&cause_text) {
                why = format!("{why}: {cause_text}");
            }
            next = cause.source();
        }
        return (ErrorKind::Unavailable, why, Some(IS_IT_RUNNING));
    };
    let parts: Vec<_> =
        [Some(db.message()), db.detail(), db.where_()].into_iter().flatten().collect();
    let why = parts.join("; ").replace('\n', " ");
    let (kind, remedy) = match db.code() {
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => (
            ErrorKind::PermissionDenied,
            Some("check the user and the password (URL, PGPASSWORD or .pgpass) and pg_hba.conf"),
        ),
        &SqlState::INVALID_CATALOG_NAME => {
            (ErrorKind::NotFound, Some("check the name of the database"))
        }
        &SqlState::INSUFFICIENT_PRIVILEGE => (
            ErrorKind::PermissionDenied,
            Some("grant it, or use a role that has it (pg_read_all_data, or the owner)"),
        ),
        &SqlState::UNDEFINED_OBJECT => (
            ErrorKind::NotFound,
            Some("if it is a role: create it first; the globals of the server list them all"),
        ),
        &SqlState::DISK_FULL => {
            (ErrorKind::NoSpace, Some("free some space on the database server"))
        }
        // An extension or a library that is not installed there.
        &SqlState::FEATURE_NOT_SUPPORTED | &SqlState::UNDEFINED_FILE => (
            ErrorKind::Unsupported,
            Some("if it is an extension: install it on the database server"),
        ),
        &SqlState::OUT_OF_MEMORY => (
            ErrorKind::Unavailable,
            Some("if it is out of shared memory: raise max_locks_per_transaction on the server"),
        ),
        &SqlState::LOCK_NOT_AVAILABLE => (ErrorKind::Locked, None),
        &SqlState::QUERY_CANCELED => (ErrorKind::TimedOut, None),
        &SqlState::TOO_MANY_CONNECTIONS => (
            ErrorKind::Unavailable,
            Some("use fewer `connections`, or raise max_connections on the server"),
        ),
        &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::CANNOT_CONNECT_NOW
        | &SqlState::CONNECTION_FAILURE => {
            (ErrorKind::Unavailable, Some("run it again when the server is up"))
        }
        _ => (ErrorKind::Source, None),
    };
    (kind, why, remedy)
}

/// Whether the server refused because a lock was not available, or because the object to lock has
/// just changed: starting again may help.
pub(crate) fn is_passing(error: &tokio_postgres::Error) -> bool {
    let passing = [
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::UNDEFINED_TABLE,
        &SqlState::INVALID_SCHEMA_NAME,
        &SqlState::WRONG_OBJECT_TYPE,
    ];
    error.code().is_some_and(|code| passing.contains(&code))
}
