//! A typed model of web sites, rendered to nginx configuration that cannot be broken into.
//!
//! - [`model`]: `[proxy]`, `[site.*]` and `[upstream.*]` as the file has them, together a [`Web`].
//!   Hosts, paths, header values, rates and networks are types that refuse what could mean
//!   something else to nginx, and the model refuses parts that contradict each other
//! - [`NginxRenderer`]: a model as files for one nginx, its version and its modules ([`Target`])
//! - [`syntax`]: the tree that those files are printed from. It alone decides how words are quoted,
//!   and [`syntax::parse`] reads them back
//! - [`lint`]: what renders, but is probably a mistake
//! - [`NginxInstaller`]: checks the files in the real tree, makes nginx read them, and proves that
//!   it serves them; [`seaworthy_core::apply`] drives it and rolls back on failure
//!
//! Feature `schema` adds JSON Schemas for the types that the file contains, `tls` a handshake for
//! each site to the proof.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod install;
mod lint;
pub mod model;
mod render;
pub mod syntax;
mod target;

pub use install::{NginxInstaller, SiteAnswer};
pub use lint::{Finding, lint};
pub use model::*;
pub use render::NginxRenderer;
pub use target::{NEWER as NEWER_NGINX, Target, Version};

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
