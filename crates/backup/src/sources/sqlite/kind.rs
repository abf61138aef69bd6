//! An SQLite database as a kind of source.

use std::path::Path;
#[cfg(feature = "sqlite")]
use std::sync::Arc;

use async_trait::async_trait;
#[cfg(feature = "sqlite")]
use seaworthy_core::{Context, Environment, Result};
use seaworthy_core::{Name, Section};

use super::SqliteConfig;
#[cfg(feature = "sqlite")]
use super::{SqliteSource, SqliteTarget};
#[cfg(feature = "sqlite")]
use crate::{
    format::SnapshotKind,
    sources::{OpenedSource, Place, PlacedTarget},
};
use crate::{paths::resolve, sources::SourceKind};

#[async_trait]
impl SourceKind for SqliteConfig {
    fn resolve(&mut self, base: &Path) {
        resolve(&mut self.path, base);
    }

    fn check(&self, _: &[&Name], section: &mut Section) {
        if self.path.as_os_str().is_empty() {
            let message = format!("`path` in {section} is empty");
            section.fault(&["path"], message, "say what to back up");
        }
    }

    fn answers_sql(&self) -> bool {
        true
    }

    #[cfg(feature = "sqlite")]
    async fn expand(
        &self,
        name: &Name,
        _: SnapshotKind,
        environment: &Environment,
        _: &Context,
    ) -> Result<Vec<OpenedSource>> {
        let source =
            SqliteSource::new(&self.path).temp(environment.temp()).foreign_keys(self.foreign_keys);
        let place = Place::paths([self.path.clone()]);
        Ok(vec![OpenedSource::new(name.clone(), Arc::new(source), place)])
    }

    #[cfg(feature = "sqlite")]
    async fn in_place(
        &self,
        _: Option<&str>,
        stamp: &str,
        _: &Environment,
        _: &Context,
    ) -> Result<PlacedTarget> {
        let target = SqliteTarget::in_place(&self.path, stamp);
        Ok(PlacedTarget::new(target, Place::paths([self.path.clone()])))
    }
}
