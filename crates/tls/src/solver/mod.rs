//! Solvers: they answer an authority's challenges.
//!
//! - [`Webroot`]: files below a folder that a web server serves on port 80
//! - [`Standalone`]: our own listener on port 80, while a challenge is open
//! - [`TlsAlpn`]: one on port 443
//! - [`DnsHook`]: a program that sets TXT records
//! - [`DnsUpdate`] (feature `rfc2136`): signed dynamic updates of DNS

mod exec;
mod propagation;
#[cfg(feature = "rfc2136")]
mod rfc2136;
mod standalone;
mod tls_alpn;
mod webroot;

pub use exec::DnsHook;
pub use propagation::Propagation;
#[cfg(feature = "rfc2136")]
pub use rfc2136::{DnsUpdate, TsigAlgorithm, TsigKey};
pub use standalone::Standalone;
pub use tls_alpn::TlsAlpn;
pub use webroot::Webroot;
