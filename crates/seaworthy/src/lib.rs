//! Seaworthy behind one configuration file.
//!
//! - [`Config`]: the whole of `seaworthy.toml`, read with exact errors
//! - [`Seaworthy`]: the configured system, with one function for each [`command`]
//! - [`Reply`], [`Outcome`] and [`Document`]: how a command ended, for programs and people
//! - [`doctor`]: can each part work here?
//! - [`init`]: a first file from what there is on a machine
//! - [`notify`]: notifications about what happened
//! - [`find_secret`]: reads a secret from its place in the file
//!
//! It reads no environment variable and prints nothing: frontends pass in what they read. The
//! crates below it work without any file: see [`backup`] and [`proxy_config`].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod certificates;
pub mod command;
pub mod config;
pub mod doctor;
mod due;
mod hosts;
pub mod init;
mod keys;
mod machine;
pub mod notify;
mod open;
mod out;
mod outcome;
mod replicas;
mod seaworthy;
pub mod status;

pub use self::seaworthy::Seaworthy;
pub use command::SnapshotName;
pub use config::Config;
pub use due::Reason as DueReason;
pub use keys::find_identities;
pub use machine::{StateVariables, default_state_folder, host_id};
pub use outcome::{Document, ErrorDocument, Outcome, Reply};
#[cfg(feature = "schema")]
pub use outcome::{document_schema, event_schema};
pub use seaworthy_backup as backup;
pub use seaworthy_core as core;
pub use seaworthy_core::{Variables, find_secret};
pub use seaworthy_proxy_config as proxy_config;
pub use seaworthy_service_config as service_config;
pub use seaworthy_tls as tls;
pub use status::{Status, StatusRequest};

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
