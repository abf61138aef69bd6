//! What a store can do besides what crate `object_store` has calls for.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use seaworthy_core::{Error, Timestamp};

use super::ObjectHistory;

/// What a call of a store gives.
pub(super) type Result<T> = std::result::Result<T, object_store::Error>;

/// A store behind an [`ObjectStoreSink`](super::ObjectStoreSink). What has a default is right for
/// any object store without versions.
#[async_trait]
pub(super) trait Store: Send + Sync {
    /// Its calls that `object_store` knows.
    fn objects(&self) -> &dyn ObjectStore;

    /// Makes sure that objects can be written.
    async fn ready_to_write(&self) -> seaworthy_core::Result<()> {
        Ok(())
    }

    /// Deletes the object at `path` so that nothing of it is left.
    async fn delete(&self, path: &Path) -> Result<()> {
        self.objects().delete(path).await
    }

    /// What is stored at `path`, also what is no longer shown.
    async fn history(&self, path: &Path) -> Result<ObjectHistory> {
        match self.objects().head(path).await {
            Ok(_) => Ok(ObjectHistory::present()),
            Err(object_store::Error::NotFound { .. }) => Ok(ObjectHistory::default()),
            Err(error) => Err(error),
        }
    }

    /// Frees what unfinished uploads below `prefix` left behind: all of them, or those that began
    /// before `before`. `object_store` has no call that lists them.
    async fn discard_unfinished(&self, prefix: &Path, before: Option<Timestamp>) -> Result<u64> {
        let _ = (prefix, before);
        Ok(0)
    }

    /// What is doubtful about it though it works, in sentences for people.
    async fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// `error` in the words of the store, where it has some: `operation` failed, as `message` says.
    fn explain(
        &self,
        operation: &'static str,
        message: &str,
        error: &object_store::Error,
    ) -> Option<Error> {
        let _ = (operation, message, error);
        None
    }

    /// Whether what failed with `error` may have been done all the same.
    fn is_ambiguous(&self, error: &object_store::Error) -> bool {
        matches!(error, object_store::Error::Generic { .. })
    }
}

/// A store that can do nothing besides.
pub(super) struct Plain(pub(super) Arc<dyn ObjectStore>);

impl Store for Plain {
    fn objects(&self) -> &dyn ObjectStore {
        &*self.0
    }
}
