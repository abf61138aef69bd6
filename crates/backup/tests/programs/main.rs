//! PostgreSQL and S3: real servers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(all(feature = "s3", feature = "testing"))]
mod s3;
