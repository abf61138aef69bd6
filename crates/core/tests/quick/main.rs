//! Schedules against an oracle, what `apply` does when each step fails, and the words of this repository.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apply;
mod plain_words;
mod schedule;
