//! PostgreSQL databases, dumped and restored as plain SQL.
//!
//! [`PostgresSource`] locks every table, exports a snapshot, lets `pg_dump` write the definitions
//! under it, and copies the rows over several connections that share it. Each frame holds whole
//! `COPY … FROM stdin;` blocks, so that [`PostgresTarget`] loads them side by side, and so that
//! `zstd -dc … | psql` restores them as well. [`PostgresGlobals`] holds what belongs to the whole
//! server.

mod batch;
mod catalog;
mod channel;
mod compare;
mod connect;
mod conninfo;
mod contents;
mod copy;
mod dump;
mod error;
mod examine;
mod globals;
mod hold;
mod index_memory;
mod jobs;
mod lanes;
mod load;
mod machine;
mod out;
mod pattern;
mod pg_dump;
mod plan;
mod post_data;
mod restore;
mod rows;
mod scratch;
mod server;
mod session;
mod sql_out;
mod sql_split;
mod statements;
mod statistics;
mod swap;
mod throw_away;
mod tls;
mod units;
mod values;

pub use compare::{TableDifference, compare_tables};
pub use connect::{ConnectOptions, Environment};
pub use dump::PostgresSource;
pub use examine::{Examination, Pooling, ServerSeen};
pub use globals::PostgresGlobals;
pub use restore::PostgresTarget;
pub(crate) use scratch::ScratchDatabase;
pub(crate) use throw_away::RunningServer;
pub use throw_away::ThrowAwayServer;
