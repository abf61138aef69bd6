//! Reads logs: several files and the systemd journal at once, merged by time, filtered, coloured, and
//! followed through rotation and truncation.
//!
//! - [`Source`]: a file, a file with its rotated predecessors, a folder, the [`Journal`]
//! - [`Filter`]: by [`Level`] or HTTP status, by time, by regular expression
//! - [`View`]: several sources as one; [`read`](View::read), [`follow`](View::follow), or summarise
//!   them with [`top`](View::top)
//! - [`Painter`]: lines as a terminal may show them: no control character in a log takes effect,
//!   see [`neutralise`]
//! - [`Clean`]: removes old rotated logs, and nothing else
//!
//! JSON, the common and combined formats of access logs, nginx's error log, Python's logging,
//! uvicorn and gunicorn, Node's pino, winston and PM2, syslog and PostgreSQL are understood. Lines
//! without a timestamp and level, such as those of a stack trace, belong to the record before.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use seaworthy_core::Context;
//! use seaworthy_log_view::{Filter, Level, LogSink, Painter, Record, Source, View};
//!
//! struct Print(Painter);
//!
//! impl LogSink for Print {
//!     fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
//!         let mut line = Vec::new();
//!         self.0.write(record, &mut line);
//!         print!("{}", String::from_utf8_lossy(&line));
//!         ControlFlow::Continue(())
//!     }
//!
//!     fn pause(&mut self) -> ControlFlow<()> {
//!         ControlFlow::Continue(())
//!     }
//! }
//!
//! let view = View::new(vec![Source::file("/var/log/nginx/error.log"), Source::file("app.log")])
//!     .with_filter(Filter::new().at_least(Level::Error));
//! let painter = Painter::new(&view.names(), false);
//! view.read(&mut Print(painter), &Context::new())?;
//! # Ok::<(), seaworthy_core::Error>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clean;
mod clock;
mod durations;
mod evidence;
mod filter;
mod follow;
mod format;
mod grow;
mod journal;
mod level;
mod neutral;
mod paint;
mod pipeline;
mod record;
mod rotated;
mod scan;
mod source;
mod tail;
mod top;
mod view;
mod when;

pub use clean::{Clean, CleanReport, FailedLog, KeptBecause, KeptLog, RemovedLog};
pub use filter::Filter;
pub use journal::Journal;
pub use level::Level;
pub use neutral::neutralise;
pub use paint::Painter;
pub use record::Record;
pub use source::Source;
pub use top::{ClientCount, RouteCount, StatusCount, Top};
pub use view::{LogSink, Summary, View};
pub use when::parse_moment;

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
