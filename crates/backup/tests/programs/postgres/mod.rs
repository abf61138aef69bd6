//! PostgreSQL, dumped and restored: against a real server in a temporary folder.

mod back;
mod equality;
mod faults;
mod live;
mod schemas;
mod support;
mod tls;
