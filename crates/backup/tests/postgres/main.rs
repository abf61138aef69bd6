//! PostgreSQL, dumped and restored: against a real server in a temporary folder.

#![allow(clippy::unwrap_used)]

mod back;
mod equality;
mod faults;
mod live;
mod schemas;
mod support;
mod tls;
