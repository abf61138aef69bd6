//! Loads HTTP servers and measures what their users would see.
//!
//! - [`LoadConfig`]: what is tested, from a file or for one URL: endpoints with weights or request
//!   counts of their own, a rate (the open model) or a concurrency (the closed one), warm-up, ramp,
//!   [`Thresholds`]
//! - [`LoadTest`]: runs it; [`Live`] figures meanwhile
//! - [`Report`]: rates, percentiles, errors by kind, a [`Verdict`]; as JSON through serde, as a page
//!   through [`html`](Report::html)
//!
//! With a rate, the response time of a request counts from when it was due, also while it waits for
//! a free connection: a server that stalls keeps getting requests, as from its users. The time from
//! when it was sent is reported as the service time.
//!
//! ```no_run
//! # async fn example() -> seaworthy_core::Result<()> {
//! use std::sync::Arc;
//! use seaworthy_core::Context;
//! use seaworthy_load_test::{LoadConfig, LoadTest};
//!
//! let config = LoadConfig::of_url("http://127.0.0.1:8000/health");
//! let test = Arc::new(LoadTest::new(&config, &|_| None, false, 1).await?);
//! test.clone().run_shard(0, &Context::new()).await?;
//! println!("{}", test.report().verdict);
//! # Ok(())
//! # }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod body;
mod client;
mod config;
mod dial;
mod html;
mod http1;
mod pace;
mod prepare;
mod report;
mod run;
mod tally;
mod wire;

#[cfg(test)]
mod model_tests;

pub use config::{EndpointConfig, HeaderConfig, HttpVersion, LoadConfig, Thresholds, Time};
pub use report::{EndpointReport, Figures, Report, SecondReport, Times, Verdict};
pub use run::{Live, LoadTest};

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
