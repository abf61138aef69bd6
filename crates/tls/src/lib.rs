//! Certificates: issued, renewed, deployed, and proved to be served.
//!
//! - [`CertificateProvider`] issues for a [`CertificateRequest`] and a [`CertificateKey`]; it gets
//!   what the key signs, never the key
//! - [`ChallengeSolver`] answers an authority's challenges
//! - [`config`] is what the file says about both: each kind of authority, and each that answers
//!   challenges, is a file of its own in this crate, and a line in a list
//! - [`decide`] says what to do about one certificate now: a pure function of its [`Validity`],
//!   its authority's [`RenewalHint`] and its [`History`]
//! - [`Store`] keeps each certificate with its key, and swaps both in one rename
//!
//! Feature `manage` adds private keys, the [`manage::Manager`] and handshakes that prove what is
//! served; `acme` the [`acme::AcmeProvider`], [`solver`]s and [`preflight`]; `local-ca` the
//! [`local_ca`]; `rfc2136` signed DNS updates; `schema` JSON Schemas; `testing` a provider and a
//! solver in memory, with test cases for other implementations. Without features there is no HTTP
//! client and no cryptography beyond SHA-256.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod certbot;
mod certificate;
mod challenge;
mod challenges;
pub mod config;
mod decide;
mod history;
mod identifier;
mod jwk;
mod key;
mod pem;
#[cfg(feature = "local-ca")]
mod placeholder;
mod provider;
mod providers;
mod store;

#[cfg(feature = "acme")]
pub mod acme;
#[cfg(feature = "local-ca")]
pub mod local_ca;
#[cfg(feature = "manage")]
pub mod manage;
#[cfg(feature = "manage")]
pub mod open;
#[cfg(feature = "acme")]
pub mod preflight;
#[cfg(feature = "manage")]
mod private_key;
#[cfg(feature = "manage")]
mod prove;
#[cfg(any(feature = "acme", feature = "local-ca"))]
mod remote_key;
#[cfg(feature = "acme")]
mod resolve;
#[cfg(feature = "acme")]
pub mod solver;
#[cfg(feature = "testing")]
pub mod testing;

pub use certificate::{Certificate, Fingerprint, IssuedChain, Validity};
pub use challenge::{Challenge, ChallengeKind, ChallengeSolver};
pub use decide::{Action, Reason, decide, renewal};
pub use history::{History, KnownHint};
pub use identifier::Identifier;
pub use key::{CertificateKey, KeyType};
#[cfg(feature = "local-ca")]
pub use placeholder::make_placeholder;
#[cfg(feature = "manage")]
pub use private_key::PrivateKey;
#[cfg(feature = "acme")]
pub use prove::trusted;
#[cfg(feature = "manage")]
pub use prove::{Served, served};
pub use provider::{
    CertificateProvider, CertificateRequest, Journal, NOT_BEFORE, RenewalHint, RevocationReason,
};
#[cfg(feature = "acme")]
pub use resolve::Resolver;
pub use store::{About, CertificateSummary, Store, Version};

/// The example of the README compiles.
#[cfg(all(doctest, feature = "acme"))]
#[doc = include_str!("../README.md")]
struct Readme;
