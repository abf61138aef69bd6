//! Which session loads which rows.
//!
//! Sessions that load the same table wait for each other whenever it grows, so each has its own
//! tables, and helps with those of others when it is done.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use seaworthy_core::{Error, ErrorKind, Result};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

use super::units::{self, LaneOf, Share, Unit, blocking};
use crate::{format::index::Record, restore::Selection, snapshot::PayloadReader};

/// How many units wait in each lane.
const UNITS: usize = 2;

/// The rows to load between the definitions: a lane for each session.
#[derive(Debug)]
pub(crate) struct Lanes {
    units: Vec<Mutex<mpsc::Receiver<Unit>>>,
    readers: Mutex<JoinSet<Result<()>>>,
}

impl Lanes {
    /// Starts reading what `selection` contains.
    pub(crate) async fn open(
        payload: &PayloadReader,
        selection: &Selection,
        sessions: usize,
    ) -> Result<Arc<Self>> {
        let lane_of = Arc::new(lane_of(payload.clone(), selection.clone(), sessions).await?);
        let (mut receivers, mut readers) = (Vec::new(), JoinSet::new());
        for lane in 0..sessions {
            let (sender, units) = mpsc::channel(UNITS);
            let share = Share::Lane { lane_of: lane_of.clone(), lane };
            readers.spawn(units::send(payload.clone(), selection.clone(), share, sender));
            receivers.push(Mutex::new(units));
        }
        Ok(Arc::new(Self { units: receivers, readers: Mutex::new(readers) }))
    }

    /// The next unit of this lane, or of another one if it is empty.
    pub(crate) async fn next(&self, lane: usize) -> Option<Unit> {
        for at in 0..self.units.len() {
            let units = &self.units[(lane + at) % self.units.len()];
            let next = units.lock().await.recv().await;
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// Fails if not everything could be read.
    pub(crate) async fn finish(&self) -> Result<()> {
        let mut readers = self.readers.lock().await;
        while let Some(done) = readers.join_next().await {
            done.map_err(|source| {
                Error::new(ErrorKind::Internal, "postgres.restore", "the index's reader panicked")
                    .caused_by(source)
            })??;
        }
        Ok(())
    }
}

/// Distributes the tables, so that all lanes have about the same amount.
async fn lane_of(payload: PayloadReader, selection: Selection, lanes: usize) -> Result<LaneOf> {
    blocking(move || {
        let mut sizes: HashMap<(String, String), u64> = HashMap::new();
        for record in payload.records()? {
            if let Record::Rows(rows) = record?
                && selection.contains_table(&rows.schema, &rows.name)
            {
                *sizes.entry((rows.schema, rows.name)).or_default() += rows.len;
            }
        }
        Ok(share_out(sizes, lanes))
    })
    .await
}

fn share_out(sizes: HashMap<(String, String), u64>, lanes: usize) -> LaneOf {
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_unstable_by(|(a, m), (b, n)| (Reverse(m), a).cmp(&(Reverse(n), b)));
    let mut filled = vec![0_u64; lanes.max(1)];
    let share = |(table, size): ((String, String), u64)| {
        let lane = (0..filled.len()).min_by_key(|lane| filled[*lane]).unwrap_or_default();
        filled[lane] += size;
        (table, lane)
    };
    sizes.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_table_has_a_lane_and_no_lane_is_much_fuller(
            sizes in prop::collection::vec(0..1000_u64, 0..40), lanes in 1..5_usize
        ) {
            let named = sizes.iter().enumerate().map(|(n, size)| (("s".to_owned(), n.to_string()), *size));
            let lane_of = share_out(named.collect(), lanes);
            let mut filled = vec![0; lanes];
            for (n, size) in sizes.iter().enumerate() {
                filled[lane_of[&("s".to_owned(), n.to_string())]] += size;
            }
            let largest = sizes.iter().max().copied().unwrap_or_default();
            let (most, least) = (filled.iter().max().unwrap(), filled.iter().min().unwrap());
            prop_assert!(most - least <= largest);
        }
    }
}
