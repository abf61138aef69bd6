//! Schedules against an oracle, and what `apply` does when each step fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apply;
mod schedule;
