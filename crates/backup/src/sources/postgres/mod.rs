//! PostgreSQL databases, dumped and restored as plain SQL.
//!
//! `PostgresSource` locks every table, exports a snapshot, lets `pg_dump` write the definitions
//! under it, and copies the rows over several connections that share it. Each frame holds whole
//! `COPY … FROM stdin;` blocks, so that `PostgresTarget` loads them side by side, and so that
//! `zstd -dc … | psql` restores them as well. `PostgresGlobals` holds what belongs to the whole
//! server.

mod config;
#[cfg(feature = "postgres")]
mod connect;
#[cfg(feature = "postgres")]
mod drill;
#[cfg(feature = "postgres")]
mod dump;
#[cfg(feature = "postgres")]
mod examine;
#[cfg(feature = "postgres")]
mod globals;
mod kind;
#[cfg(feature = "postgres")]
mod open;
mod payload;
#[cfg(feature = "postgres")]
mod probe;
#[cfg(feature = "postgres")]
mod restore;
#[cfg(feature = "postgres")]
mod server;
#[cfg(feature = "postgres")]
mod source;
#[cfg(feature = "postgres")]
mod target;

pub use config::PostgresConfig;
pub(super) use payload::SqlPayload;
#[cfg(feature = "postgres")]
pub use {
    connect::{ConnectOptions, Environment},
    drill::{PostgresDrill, TableDifference, TemporaryServer, compare_tables},
    examine::{Examination, Pooling, ServerSeen},
    globals::PostgresGlobals,
    source::PostgresSource,
    target::PostgresTarget,
};
