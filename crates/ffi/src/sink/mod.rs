//! Sinks of the host: a table of functions becomes a `BackupSink`.

mod bound;
mod host;
mod register;
mod table;

pub(crate) use bound::BoundSink;
pub(crate) use host::HostSink;
pub use register::{sw_ctx_add_sink, sw_sink_conformance};
pub use table::{InfoTable, PutTable, SW_SINK_DELETE, SW_SINK_IF_ABSENT, SinkTable};
