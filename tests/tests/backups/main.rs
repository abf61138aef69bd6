//! Backups, copies, drills and restores, on real disks, databases and buckets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drill;
mod encryption;
mod events;
mod faults;
mod hosts;
mod in_place;
mod interrupted;
mod postgres;
mod quickstart;
mod replicas;
mod run;
mod s3;
mod small_disk;
