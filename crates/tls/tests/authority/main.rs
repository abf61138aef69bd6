//! The whole against real parts: Pebble, its DNS, a fault proxy of ours, bind9, nginx.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(feature = "acme", feature = "local-ca", feature = "rfc2136"))]

mod certbot;
mod challenges;
mod disk;
mod faults;
mod interrupted;
mod issue;
mod lab;
mod life;
mod preflight;
mod proxy;
