//! Files and folders as a kind of source.

use std::path::Path;
#[cfg(feature = "files")]
use std::sync::Arc;

use async_trait::async_trait;
#[cfg(feature = "files")]
use seaworthy_core::{Context, Environment, Result};
use seaworthy_core::{Name, Section};

use super::FilesConfig;
#[cfg(feature = "files")]
use super::{FilesSource, FilesTarget};
#[cfg(feature = "files")]
use crate::{
    format::SnapshotKind,
    sources::{OpenedSource, Place, PlacedTarget},
};
use crate::{paths::resolve, sources::SourceKind};

#[async_trait]
impl SourceKind for FilesConfig {
    fn resolve(&mut self, base: &Path) {
        self.paths.iter_mut().for_each(|path| resolve(path, base));
    }

    fn check(&self, _: &[&Name], section: &mut Section) {
        if self.paths.is_empty() || self.paths.iter().any(|path| path.as_os_str().is_empty()) {
            let message = format!("`paths` in {section} is empty");
            section.fault(&["paths"], message, "say what to back up");
        }
    }

    #[cfg(feature = "files")]
    async fn expand(
        &self,
        name: &Name,
        _: SnapshotKind,
        environment: &Environment,
        _: &Context,
    ) -> Result<Vec<OpenedSource>> {
        let source = FilesSource::new(&self.paths)?.exclude(&self.exclude)?;
        let source = Arc::new(source.leave_out(environment.own_folders()));
        Ok(vec![OpenedSource::new(name.clone(), source, Place::paths(self.paths.clone()))])
    }

    #[cfg(feature = "files")]
    async fn in_place(
        &self,
        _: Option<&str>,
        stamp: &str,
        _: &Environment,
        _: &Context,
    ) -> Result<PlacedTarget> {
        let target = FilesTarget::in_place(&self.paths, stamp);
        Ok(PlacedTarget::new(target, Place::paths(self.paths.clone())))
    }
}
