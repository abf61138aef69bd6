//! Other copies of a snapshot, searched for when something in it is damaged.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use seaworthy_core::{Error, ErrorKind};

use super::Snapshot;

/// Other places of a snapshot.
///
/// A restore only asks if it needs to: another place may be slow, far away, or unavailable.
#[async_trait]
pub trait FallbackCopies: Debug + Send + Sync + 'static {
    /// The same snapshot in the next place that has it, with the place's name for people; `None` if
    /// there are no more. Places that cannot be reached are skipped.
    async fn next(&self) -> Option<(String, Snapshot)>;

    /// Called when `object` is read from `place` from now on, because of `error`. Show it as a
    /// warning: called once for each object and place.
    fn taken(&self, object: &str, place: &str, error: &Error);
}

/// The other copies of a snapshot that were found so far. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct OtherCopies(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    elsewhere: Arc<dyn FallbackCopies>,
    found: tokio::sync::Mutex<Found>,
    told: Mutex<BTreeSet<(String, usize)>>,
}

#[derive(Debug, Default)]
struct Found {
    copies: Vec<(String, Snapshot)>,
    are_all: bool,
}

impl OtherCopies {
    pub(crate) fn new(elsewhere: Arc<dyn FallbackCopies>) -> Self {
        Self(Arc::new(Inner { elsewhere, found: Default::default(), told: Mutex::default() }))
    }

    /// Copy `n`, counted from 0, in the order in which they are found.
    pub(crate) async fn copy(&self, n: usize) -> Option<(String, Snapshot)> {
        let mut found = self.0.found.lock().await;
        while found.copies.len() <= n && !found.are_all {
            match self.0.elsewhere.next().await {
                Some(copy) => found.copies.push(copy),
                None => found.are_all = true,
            }
        }
        found.copies.get(n).cloned()
    }

    /// Reports that `object` is read from copy `n`, which is called `place`, after `error`.
    pub(crate) fn tell(&self, object: &str, n: usize, place: &str, error: &Error) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert((object.to_owned(), n)) {
            self.0.elsewhere.taken(object, place, error);
        }
    }
}

/// Whether another copy may work after `error`. A wrong identity may be a damaged header that looks
/// like one for another recipient.
pub(crate) fn another_may_do(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Internal | ErrorKind::NoSpace)
}
