//! A database's definitions and rows on their way into a payload.

pub(crate) mod catalog;
pub(crate) mod contents;
pub(crate) mod copy;
pub(crate) mod hold;
pub(crate) mod out;
pub(crate) mod pattern;
pub(crate) mod pg_dump;
pub(crate) mod plan;
pub(crate) mod sql_out;
pub(crate) mod values;
