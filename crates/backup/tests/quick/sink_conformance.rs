//! The conformance suite on the sinks of this crate.

use std::sync::Arc;

use seaworthy_backup::{
    ObjectKey, sink_conformance,
    sinks::{Capabilities, ObjectStoreSink, StorePreset},
    testing::FaultySink,
};

fn local() -> (ObjectStoreSink, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (ObjectStoreSink::local(folder.path().join("not/yet/there")).unwrap(), folder)
}

mod memory {
    seaworthy_backup::sink_conformance!((seaworthy_backup::MemorySink::new(), ()));
}

mod local_folder {
    seaworthy_backup::sink_conformance!(super::local());
}

mod faultless_wrapper {
    use super::*;
    sink_conformance!({
        let (sink, folder) = local();
        (FaultySink::new(sink), folder)
    });
}

/// A store that can do neither, below a prefix.
mod claims_nothing {
    use super::*;
    sink_conformance!({
        let store = Arc::new(object_store::memory::InMemory::new());
        let preset = StorePreset::new(Capabilities::default());
        let prefix: ObjectKey = "deep/prefix".parse().unwrap();
        (ObjectStoreSink::new(store, "nothing", prefix, preset), ())
    });
}

/// Any other store of the crate: its own files, parts and dropping.
mod store_of_the_crate {
    use super::*;
    sink_conformance!({
        let folder = tempfile::tempdir().unwrap();
        let store = object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let mut preset = StorePreset::new(Capabilities::all());
        preset.drop_frees = true;
        let prefix: ObjectKey = "prefix".parse().unwrap();
        (ObjectStoreSink::new(Arc::new(store), "files", prefix, preset), folder)
    });
}
