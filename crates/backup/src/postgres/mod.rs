//! PostgreSQL databases, dumped and restored as plain SQL.
//!
//! [`PostgresSource`] locks every table, exports a snapshot, lets `pg_dump` write the definitions
//! under it, and copies the rows over several connections that share it. [`PostgresGlobals`] holds
//! what belongs to the whole server.

mod catalog;
mod connect;
mod conninfo;
mod copy;
mod dump;
mod error;
mod hold;
mod pattern;
mod pg_dump;
mod plan;
mod server;
mod session;
mod sql_out;
mod tls;
mod values;

pub use connect::{ConnectOptions, Environment};
pub use dump::PostgresSource;
