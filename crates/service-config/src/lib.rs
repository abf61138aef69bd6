//! A typed model of services and schedules, rendered for systemd, PM2, cron and GitHub Actions.
//!
//! - [`model`]: `[service.*]` as the file has it, together [`Services`]
//! - [`SystemdRenderer`]: units, template units, targets and timers, hardened by default
//! - [`Pm2Renderer`]: an `ecosystem.config.cjs`; [`CronRenderer`]: a file for `/etc/cron.d`;
//!   [`WorkflowRenderer`]: workflows of GitHub Actions
//! - [`on_calendar`]: a cron schedule in systemd's words
//!
//! What a format cannot say is refused with the reason. The kind of each value alone decides how it
//! is quoted.
//!
//! Feature `schema` adds JSON Schemas for the types that the file contains.

mod calendar;
mod cron;
pub mod model;
mod pm2;
mod shell;
pub mod systemd;
mod workflow;

pub use calendar::{crontab_fields, on_calendar};
pub use cron::CronRenderer;
pub use model::*;
pub use pm2::Pm2Renderer;
pub use systemd::{SystemdRenderer, Units};
pub use workflow::WorkflowRenderer;
