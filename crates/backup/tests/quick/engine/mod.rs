//! The engine end to end, on a sink in memory and a source of plain bytes.

mod damage;
mod elsewhere;
#[cfg(feature = "encryption")]
mod encryption;
mod replicas;
#[cfg(feature = "encryption")]
mod signing;
mod snapshot;
mod support;
mod worth;
