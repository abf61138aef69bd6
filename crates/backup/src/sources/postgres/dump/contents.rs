//! What a database contains besides its definitions, and which worker copies what.

use std::sync::Arc;

use seaworthy_core::Result;

use super::{
    catalog::{self, Scope, Sequence, Table},
    plan::{self, Queue, Task},
    values,
};
use crate::{
    format::index::ServerRecord,
    sources::postgres::{connect::session::Session, server},
};

/// What to dump, as seen by the snapshot.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) record: ServerRecord,
    /// How many tables there are; those without rows of their own have no task.
    pub(crate) tables: u64,
    pub(crate) tasks: Vec<Arc<Task>>,
    pub(crate) queue: Queue,
    pub(crate) sequences: Vec<Sequence>,
    /// The numbers of the large objects.
    pub(crate) objects: Vec<u32>,
}

impl Contents {
    /// Reads what `leader` sees, which has locked `tables`.
    pub(crate) async fn read(leader: &Session, scope: &Scope, tables: Vec<Table>) -> Result<Self> {
        let mut record = server::read(leader).await?;
        // Large objects belong to no schema.
        let objects = match &scope.schemas {
            None => values::large_objects(leader).await?,
            Some(_) => Vec::new(),
        };
        record.large_objects = objects.len() as u64;
        let sequences = catalog::sequences(leader, scope, &tables).await?;
        let sizes = catalog::sizes(leader, &tables).await?;
        let count = tables.len() as u64;
        let (tasks, queue) = plan::plan(leader, tables, &sizes).await?;
        Ok(Self { record, tables: count, tasks, queue, sequences, objects })
    }
}
