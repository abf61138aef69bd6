//! Seaworthy for every other language: the C library libseaworthy, with the header
//! `include/seaworthy.h`.
//!
//! A context (`sw_ctx`) holds a configuration and the threads that work for it. A call passes a
//! request as JSON and gets the document that the program would print. The work runs on the
//! context's threads; meanwhile the thread that made the call serves a queue: it calls callbacks
//! with events, and sinks that the host implements. So the host's functions only run on threads of
//! the host.
//!
//! - `boundary`: stops panics, and refuses calls from inside callbacks
//! - `input`: every pointer and number from C is checked here
//! - `string`, `error`, `cancel`, `context`: the handles
//! - `callback`, `queue`, `run`: how a call runs
//! - `log`, `signals`: what a library must leave to its host
//! - `sink`, `solver`, `notifier`: what the host implements
//! - `command`: the commands
//!
//! This is the only crate with `unsafe` code. Each such block says why it is sound.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod boundary;
mod callback;
mod cancel;
mod code;
mod command;
mod context;
mod error;
mod input;
mod log;
mod notifier;
mod queue;
mod run;
mod signals;
mod sink;
mod solver;
mod string;
mod version;

pub use callback::{CallTable, CallbackTable};
pub use cancel::{
    CancelHandle, sw_cancel_free, sw_cancel_is_triggered, sw_cancel_new, sw_cancel_trigger,
};
pub use code::*;
pub use command::*;
pub use context::{ContextHandle, OptionsTable, sw_ctx_free, sw_ctx_open_file, sw_ctx_open_text};
pub use error::{
    ErrorHandle, sw_error_code, sw_error_context, sw_error_free, sw_error_message, sw_error_new,
    sw_error_operation, sw_error_remedy, sw_error_retryable,
};
pub use notifier::{NotifierTable, sw_ctx_add_notifier};
pub use sink::{
    InfoTable, PutTable, SW_SINK_DELETE, SW_SINK_IF_ABSENT, SinkTable, sw_ctx_add_sink,
    sw_sink_conformance,
};
pub use solver::{
    SW_CHALLENGE_DNS_01, SW_CHALLENGE_HTTP_01, SW_CHALLENGE_TLS_ALPN_01, SolverTable,
    sw_ctx_add_solver,
};
pub use string::{StringHandle, sw_string_data, sw_string_free, sw_string_new};
pub use version::{SW_ABI_VERSION, sw_abi_version, sw_version};
