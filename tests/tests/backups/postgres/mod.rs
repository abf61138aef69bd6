//! PostgreSQL through the program, against a real server: backups, both ways back, drills, faults.

mod backup;
mod connections;
mod drill;
mod encrypted;
mod faults;
mod memory;
mod restore;
mod support;
