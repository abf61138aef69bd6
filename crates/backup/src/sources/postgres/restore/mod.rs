//! A payload's statements and rows on their way into a database.

pub(crate) mod batch;
pub(crate) mod index_memory;
pub(crate) mod jobs;
pub(crate) mod lanes;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod post_data;
pub(crate) mod sql_split;
pub(crate) mod statements;
pub(crate) mod statistics;
pub(crate) mod swap;
pub(crate) mod units;
