//! State of `run` between runs.

use std::{collections::BTreeMap, path::Path};

use seaworthy_core::{Error, ErrorKind, Event, Name, Result, Timestamp, durable};
use serde::{Deserialize, Serialize};

/// Its file in the state folder.
const FILE: &str = "run/memory.json";

/// When each thing ran, stored in the state folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    format: u32,
    /// Jobs.
    #[serde(default)]
    pub(crate) backups: BTreeMap<Name, Ran>,
    /// The sinks of jobs after the first one.
    #[serde(default)]
    pub(crate) copies: BTreeMap<Name, Ran>,
    /// Append-only sinks, by job and sink.
    #[serde(default)]
    pub(crate) prunes: BTreeMap<Name, BTreeMap<Name, Ran>>,
    /// Jobs with drills.
    #[serde(default)]
    pub(crate) drills: BTreeMap<Name, Ran>,
}

/// The history of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ran {
    /// When it began last.
    pub(crate) began: Option<Timestamp>,
    /// When it last ended, successfully or not.
    pub(crate) ended: Option<Timestamp>,
    /// When it last succeeded.
    pub(crate) well: Option<Timestamp>,
    /// How often it failed in a row.
    pub(crate) failures: u32,
    /// How often it was interrupted in a row.
    pub(crate) cut_off: u32,
}

impl Ran {
    /// It begins at `now`.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.cut_off = if self.is_cut_off() { self.cut_off.saturating_add(1) } else { 0 };
        self.began = Some(now);
        self.ended = None;
    }

    /// It ended at `now`.
    pub(crate) fn end(&mut self, now: Timestamp, well: bool) {
        self.ended = Some(now);
        self.cut_off = 0;
        if well {
            self.well = Some(now);
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Whether it began and never ended.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.began.is_some() && self.ended.is_none()
    }
}

impl Default for Memory {
    fn default() -> Self {
        let none = BTreeMap::new;
        let (backups, copies, drills) = (none(), none(), none());
        Self { format: 1, backups, copies, prunes: BTreeMap::new(), drills }
    }
}

impl Memory {
    /// Reads it from the folder `state`. Content that cannot be parsed is reported and dropped: an
    /// extra backup is better than none.
    pub(crate) fn read(state: &Path, cx: &seaworthy_core::Context) -> Result<Self> {
        let path = state.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => {
                let message = format!("cannot read {}", path.display());
                return Err(Error::io("run.memory", message, e));
            }
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(memory) if memory.format == 1 => Ok(memory),
            _ => {
                let message =
                    format!("{} cannot be parsed: starting with empty state", path.display());
                cx.emit(Event::warning(message));
                Ok(Self::default())
            }
        }
    }

    /// Stores it in the folder `state`.
    pub(crate) fn write(&self, state: &Path) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "run.memory", e.to_string()))?;
        durable::create_private_folder(&state.join("run"))?;
        durable::write_file(&state.join(FILE), &bytes, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::Context;

    #[test]
    fn it_reads_back_and_damage_is_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let cx = Context::new();
        assert_eq!(Memory::read(state.path(), &cx).unwrap(), Memory::default());
        let mut memory = Memory::default();
        memory.backups.entry(Name::new("nightly").unwrap()).or_default().begin(cx.now());
        memory.write(state.path()).unwrap();
        assert_eq!(Memory::read(state.path(), &cx).unwrap(), memory);
        for bad in ["", "{}", "{\"format\":2}"] {
            std::fs::write(state.path().join(FILE), bad).unwrap();
            assert_eq!(Memory::read(state.path(), &cx).unwrap(), Memory::default());
        }
    }
}
