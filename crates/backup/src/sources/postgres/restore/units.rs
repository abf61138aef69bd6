//! Which parts of a payload are fetched and loaded together.

use std::{collections::HashMap, sync::Arc};

use seaworthy_core::{Error, ErrorKind, Result};
use tokio::sync::mpsc;

use crate::{
    format::index::{FrameRecord, Record, RowsRecord, ServerRecord, SqlRecord, SqlSection},
    restore::Selection,
    snapshot::PayloadReader,
};

/// Something that begins in a frame.
#[derive(Debug)]
pub(crate) enum Part {
    Sql(SqlRecord),
    Rows(RowsRecord),
}

impl Part {
    fn end(&self) -> u64 {
        match self {
            Self::Sql(sql) => sql.at.saturating_add(sql.len),
            Self::Rows(rows) => rows.at.saturating_add(rows.len),
        }
    }
}

/// A frame, those in which its last part continues, and what of it is selected.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) frames: Vec<FrameRecord>,
    pub(crate) parts: Vec<Part>,
}

impl Unit {
    /// The section that it belongs to; `None` for rows.
    pub(crate) fn section(&self) -> Option<SqlSection> {
        match self.parts.first()? {
            Part::Sql(sql) => Some(sql.section),
            Part::Rows(_) => None,
        }
    }

    /// Whether it belongs to the definitions before or after all rows.
    pub(crate) fn is_of_definitions(&self) -> bool {
        matches!(self.section(), Some(SqlSection::PreData | SqlSection::PostData))
    }
}

/// The lanes of tables, by schema and name.
pub(crate) type LaneOf = HashMap<(String, String), usize>;

/// Which units of a payload to load.
#[derive(Clone, Debug)]
pub(crate) enum Share {
    /// The definitions before and after all rows.
    Definitions,
    /// The rows between them that belong to one lane.
    Lane { lane_of: Arc<LaneOf>, lane: usize },
}

impl Share {
    /// Whether `unit` belongs to it, which is decided by its first entry.
    fn has(&self, unit: &Unit) -> bool {
        match (self, unit.parts.first()) {
            (_, None) => false,
            (Self::Definitions, Some(_)) => unit.is_of_definitions(),
            (Self::Lane { lane_of, lane }, Some(Part::Rows(rows))) => {
                let table = (rows.schema.clone(), rows.name.clone());
                lane_of.get(&table).copied().unwrap_or_default() == *lane
            }
            (Self::Lane { lane, .. }, Some(Part::Sql(_))) => {
                *lane == 0 && !unit.is_of_definitions()
            }
        }
    }
}

/// The database's record in the index.
pub(crate) async fn server(payload: &PayloadReader) -> Result<ServerRecord> {
    let reader = payload.clone();
    let found = blocking(move || {
        for record in reader.records()? {
            if let Record::Server(server) = record? {
                return Ok(Some(*server));
            }
        }
        Ok(None)
    });
    found.await?.ok_or_else(|| {
        let message = format!("the index names no database in {}", payload.source().object);
        Error::new(ErrorKind::Damaged, "postgres.restore", message)
            .remedy_is("restore it with `zstd -dc … | psql -v ON_ERROR_STOP=1 NEW_DATABASE`")
    })
}

/// Fails if `selection` names a table that the payload does not have.
pub(crate) async fn check(payload: &PayloadReader, selection: &Selection) -> Result<()> {
    if selection.is_all() {
        return Ok(());
    }
    let (reader, mut wanted) = (payload.clone(), selection.paths().to_vec());
    let missing = blocking(move || {
        for record in reader.records()? {
            if let Record::Table(table) = record? {
                wanted.retain(|name| {
                    let name = Selection::only([name.clone()]);
                    !name.contains_table(&table.schema, &table.name)
                });
            }
        }
        Ok(wanted)
    });
    let Some(name) = missing.await?.into_iter().next() else { return Ok(()) };
    let message = format!("the snapshot has no rows of a table {name}");
    Err(Error::new(ErrorKind::NotFound, "postgres.restore", message)
        .remedy_with("show it with `tables`, and write schema.table as it is there", &["tables"]))
}

/// Sends the units of `payload` that are in `selection` and in `share`, in order, until the
/// receiver is dropped.
pub(crate) fn send(
    payload: PayloadReader,
    selection: Selection,
    share: Share,
    units: mpsc::Sender<Unit>,
) -> impl Future<Output = Result<()>> {
    blocking(move || {
        let mut present: Option<(Unit, u64)> = None;
        for record in payload.records()? {
            let part = match record? {
                Record::Frame(frame) => {
                    match &mut present {
                        Some((unit, end)) if *end > frame.plain_offset => unit.frames.push(frame),
                        _ => {
                            let next = Unit { frames: vec![frame], parts: Vec::new() };
                            if let Some((unit, _)) = present.replace((next, 0))
                                && !hand_on(unit, &share, &units)
                            {
                                return Ok(());
                            }
                        }
                    }
                    continue;
                }
                Record::Sql(sql) => Part::Sql(sql),
                Record::Rows(rows) => Part::Rows(rows),
                _ => continue,
            };
            let Some((unit, end)) = &mut present else { continue };
            *end = part.end();
            let wanted = match &part {
                Part::Rows(rows) => selection.contains_table(&rows.schema, &rows.name),
                Part::Sql(sql) => selection.is_all() || sql.section != SqlSection::LargeObjects,
            };
            if wanted {
                unit.parts.push(part);
            }
        }
        if let Some((unit, _)) = present {
            hand_on(unit, &share, &units);
        }
        Ok(())
    })
}

/// Sends a unit if something in it is selected; returns whether the receiver exists.
fn hand_on(unit: Unit, share: &Share, units: &mpsc::Sender<Unit>) -> bool {
    !share.has(&unit) || units.blocking_send(unit).is_ok()
}

/// Runs `work` on a blocking thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|source| {
        Error::new(ErrorKind::Internal, "postgres.restore", "a worker panicked").caused_by(source)
    })?
}
