//! The types that every crate of Seaworthy shares.
//!
//! - [`Error`]: what failed, on what, why, and what to do; its [`ErrorKind`]s are the C ABI's codes
//! - [`Context`]: cancellation, [`Progress`] and the [`Clock`] of one operation
//! - [`Name`], [`Named`], [`ByteSize`], [`ByteRate`], [`Span`], [`Schedule`], [`CommandLine`]: values as
//!   people write them in the file
//! - [`Secret`]: never printed; [`SecretRef`]: where to find it, as written in the file
//! - [`durable`] files and [`FileLock`]s
//! - [`FileSet`]: rendered configuration; [`apply`] makes it live through an [`Installer`]; [`go_live`]
//!   is the swap in it, with rollback, for any other [`Place`]
//!
//! It does no network I/O, starts no runtime, prints nothing and reads no global state.
//!
//! Feature `handshake` adds TLS handshakes that look which certificate a server shows; `schema` adds
//! JSON Schemas for the types that the file contains.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apply;
mod clock;
mod command;
mod context;
pub mod durable;
mod environment;
mod error;
mod find_secret;
mod finding;
mod generation;
mod go_live;
#[cfg(feature = "handshake")]
pub mod handshake;
mod lock;
mod name;
mod named;
mod progress;
mod rendered;
mod schedule;
mod secret;
mod section;
mod size;
mod tagged;
mod text;
mod text_type;
mod time;

pub use apply::{Applied, apply, undo};
pub use clock::{Clock, ManualClock, SystemClock};
pub use command::{CommandLine, StderrTail};
pub use context::{Cancel, Context};
pub use environment::{Environment, Variables};
pub use error::{Error, ErrorKind, Result};
pub use find_secret::find_secret;
pub use finding::{Finding, FindingState, Findings};
pub use generation::{Change, Generations};
pub use go_live::{NotLive, Place, WayBack, go_live};
pub use lock::FileLock;
pub use name::Name;
pub use named::Named;
pub use progress::{Event, EventRecord, Progress};
pub use rendered::{ConfigRenderer, FileSet, Installer, Origin, RenderedFile, StagedFiles};
pub use schedule::Schedule;
pub use secret::{Secret, SecretRef};
pub use section::{Fault, Section};
pub use size::{ByteRate, ByteSize};
pub use time::{Civil, Span, TimeZone, Timestamp};

/// What the code written by [`tagged!`], [`text_type!`] and [`written_as_string!`] calls.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "schema")]
    pub use crate::tagged::add_common_keys;
    pub use crate::tagged::{CommonKeys, Tagged, deserialize_tagged, read_with_common};
    pub use crate::text::deserialize_from_str;
    pub use serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{Error as DeserializeError, MapAccess},
    };
}

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
