//! The other sinks of a job: where a restore continues if its own is damaged.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use seaworthy_backup::{Snapshot, SnapshotId, snapshot::FallbackCopies};
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result};

use crate::{Seaworthy, keys::Purpose};

/// The sinks that were not tried yet, in the order of the file.
#[derive(Debug)]
pub(super) struct OtherSinks {
    seaworthy: Seaworthy,
    job: Name,
    id: SnapshotId,
    /// Also if it is not signed by a key that the job trusts.
    force: bool,
    waiting: tokio::sync::Mutex<VecDeque<Name>>,
    helped: Mutex<Vec<String>>,
    cx: Context,
}

impl OtherSinks {
    /// Those of `job` other than `sink`, for its snapshot `id`.
    pub(super) fn new(
        seaworthy: &Seaworthy,
        (job, id): (&Name, &SnapshotId),
        sink: &Name,
        force: bool,
        cx: &Context,
    ) -> Result<Self> {
        let waiting = seaworthy.sinks_of(job, None)?.into_iter().filter(|other| other != sink);
        Ok(Self {
            waiting: tokio::sync::Mutex::new(waiting.collect()),
            seaworthy: seaworthy.clone(),
            job: job.clone(),
            id: id.clone(),
            force,
            helped: Mutex::default(),
            cx: cx.clone(),
        })
    }

    /// The sinks that were used.
    pub(super) fn helped(&self) -> Vec<Name> {
        let helped = self.helped.lock().unwrap_or_else(PoisonError::into_inner);
        helped.iter().filter_map(|name| Name::new(name).ok()).collect()
    }

    async fn open(&self, sink: &Name) -> Result<Snapshot> {
        let repository =
            self.seaworthy.repository(&self.job, sink, Purpose::Read, &self.cx).await?;
        match repository.open(&self.id).await {
            Err(error) if error.kind() == ErrorKind::Untrusted && self.force => {
                repository.open_untrusted(&self.id).await
            }
            opened => opened,
        }
    }
}

#[async_trait]
impl FallbackCopies for OtherSinks {
    async fn next(&self) -> Option<(String, Snapshot)> {
        let mut waiting = self.waiting.lock().await;
        while let Some(sink) = waiting.pop_front() {
            match self.open(&sink).await {
                Ok(snapshot) => return Some((sink.to_string(), snapshot)),
                Err(error) => {
                    let why = error.chain();
                    let message = format!("sink {sink} cannot replace a damaged sink: {why}");
                    self.cx.emit(Event::warning(message));
                }
            }
        }
        None
    }

    fn taken(&self, _: &str, place: &str, error: &Error) {
        let why = error.chain();
        self.cx.emit(Event::warning(format!("{why}: continuing from {place}")));
        let mut helped = self.helped.lock().unwrap_or_else(PoisonError::into_inner);
        if !helped.iter().any(|name| name == place) {
            helped.push(place.to_owned());
        }
    }
}
