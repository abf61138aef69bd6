//! PostgreSQL, dumped and restored: against a real server in a temporary folder.

mod equality;
mod schemas;
mod support;
