//! When certificates are renewed, and what the seams promise.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod decide;
mod seams;
