//! systemd, PM2, cron and others read what is rendered, and run it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calendar;
mod hostile;
mod install;
mod lab;
mod oracles;
mod pm2;
#[path = "../support/mod.rs"]
mod support;
