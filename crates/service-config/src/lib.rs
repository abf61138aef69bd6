//! A typed model of services and schedules, rendered for systemd, PM2, cron and GitHub Actions.
//!
//! - [`model`]: `[service.*]` as the file has it, together [`Services`]
//! - [`SystemdRenderer`]: units, template units, targets and timers, hardened by default
//! - [`Pm2Renderer`]: an `ecosystem.config.cjs`; [`CronRenderer`]: a file for `/etc/cron.d`;
//!   [`WorkflowRenderer`]: workflows of GitHub Actions
//! - [`SystemdInstaller`] and [`CronInstaller`]: activate them through [`seaworthy_core::apply`],
//!   with rollback
//! - [`Control`]: start, stop, rolling restart and status of a service
//! - [`Releases`]: versions of a service side by side, and a link to the current one
//! - [`on_calendar`]: a cron schedule in systemd's syntax
//!
//! What a format cannot express is refused with the reason. Only the kind of each value decides how
//! it is quoted.
//!
//! Feature `schema` adds JSON Schemas for the types that the file contains.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod calendar;
mod control;
mod cron;
mod install;
pub mod model;
mod pm2;
mod release;
mod shell;
pub mod systemd;
mod workflow;

pub use calendar::{crontab_fields, on_calendar};
pub use control::{Control, InstanceStatus, ServiceStatus, Systemctl};
pub use cron::CronRenderer;
pub use install::{CronInstaller, SystemdInstaller};
pub use model::*;
pub use pm2::Pm2Renderer;
pub use release::{Deployed, Release, Releases};
pub use systemd::{SystemdRenderer, Units};
pub use workflow::WorkflowRenderer;

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
