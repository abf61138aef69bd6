//! Other copies of a snapshot, looked for once something of it turns out damaged.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use seaworthy_core::{Error, ErrorKind};

use super::Snapshot;

/// Where else a snapshot lies.
///
/// A restore asks only once it needs to: every other place may be slow, far away, or closed.
#[async_trait]
pub trait FallbackCopies: Debug + Send + Sync + 'static {
    /// The same snapshot in the next place that has it, with the place's name for people; nothing
    /// once there are no more. Places that cannot be reached are passed over.
    async fn next(&self) -> Option<(String, Snapshot)>;

    /// What is read of `object` comes from `place` from now on, because of `error`. To be said
    /// aloud: told once for each object and place.
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

    /// Tells that `object` is taken from copy `n`, which is called `place`, after `error`.
    pub(crate) fn tell(&self, object: &str, n: usize, place: &str, error: &Error) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert((object.to_owned(), n)) {
            self.0.elsewhere.taken(object, place, error);
        }
    }
}

/// Whether another copy may do where one failed with `error`. A wrong identity may be a damaged
/// header that looks like one for somebody else.
pub(crate) fn another_may_do(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Internal | ErrorKind::NoSpace)
}
