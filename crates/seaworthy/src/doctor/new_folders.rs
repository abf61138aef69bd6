//! Folders that a check creates and that are not needed yet.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Seaworthy;

/// Folders that were missing, the deepest last. They are removed when this is dropped, if they are
/// still empty.
pub(super) struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Those of `folders`, and of their parents, that do not exist.
    fn missing(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut missing: Vec<PathBuf> = Vec::new();
        for folder in folders {
            let around = folder.ancestors().take_while(|path| !path.exists());
            missing.extend(around.map(Path::to_owned));
        }
        missing.sort();
        missing.dedup();
        Self(missing)
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // This fails if the folder is not empty: it is used by now.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Seaworthy {
    /// The folders for our own files in the configuration that do not exist yet.
    pub(super) fn new_folders(&self) -> NewFolders {
        let sinks = self.config.sink_folders().map(|(_, folder)| folder.to_owned());
        let store = self.certificate_manager().store().root().to_owned();
        let own = [self.state.path().to_owned(), store.join("live"), store.join("versions")];
        NewFolders::missing(sinks.chain(own))
    }
}
