//! Programs in C and in other languages that use the library.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod c_programs;
mod languages;
mod solver;
mod support;
