//! Certificates, sites, load tests and logs, with a real authority and a real nginx.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificate_files;
mod certificates;
mod load_test;
mod logs;
mod proxy;
