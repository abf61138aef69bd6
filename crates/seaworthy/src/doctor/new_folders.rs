//! Folders that a part makes when it is tried, and that nobody needs yet.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Seaworthy;

/// Folders that were missing, the deepest last. They go when this does, if they are empty still.
pub(super) struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    /// Those of `folders`, and of the folders around them, that are not there.
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
            // Refused where something lies in it: somebody else's by now.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Seaworthy {
    /// The folders that do not exist yet, of those that the file names for our own things.
    pub(super) fn new_folders(&self) -> NewFolders {
        let sinks = self.config.sink_folders().map(|(_, folder)| folder.to_owned());
        let store = self.certificate_manager().store().root().to_owned();
        let own = [self.state.path().to_owned(), store.join("live"), store.join("versions")];
        NewFolders::missing(sinks.chain(own))
    }
}
