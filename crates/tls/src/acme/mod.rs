//! Certificates from an ACME authority (RFC 8555), such as Let's Encrypt.
//!
//! An [`AcmeAuthority`] is one directory with one account; an [`AcmeProvider`] is an authority with
//! the solver that answers its challenges. Several providers share one authority.

mod account;
mod authority;
mod error;
mod hint;
mod http;
mod ledger;
mod note;
mod order;
mod poll;
mod provider;
mod take_over;

pub use authority::{AcmeAuthority, AcmeOptions, ExternalAccount};
pub(crate) use authority::{MAX_SKEW, wrong_clock};
pub use ledger::{Ledger, Limits};
pub use provider::AcmeProvider;

/// Let's Encrypt's directory.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Let's Encrypt's staging directory for tests: browsers do not trust its certificates.
pub const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
