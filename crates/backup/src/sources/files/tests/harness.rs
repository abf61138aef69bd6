//! Backs a source up into memory and reads it back.

use std::{path::Path, sync::Arc};

use seaworthy_core::{Context, Name, Result, Timestamp};

use crate::{
    encryption::Identities,
    format::{
        Codec, FORMAT, HostId, Manifest, ObjectKey, SnapshotId, SnapshotKind, SourceSummary,
        index::{FileRecord, FrameRecord, Loss, LossRecord, Record},
    },
    payload::Compression,
    restore::{RestoreReport, RestoreTarget, Selection},
    run::writer::PayloadWriter,
    sinks::{BackupSink, BackupSinkExt, MemorySink},
    snapshot::{PayloadReader, Snapshot, index_file::IndexWriter},
    sources::{BackupSource, FilesSource, FilesTarget},
};

/// A snapshot of one source.
pub(super) struct Stored {
    pub(super) snapshot: Snapshot,
    pub(super) reader: PayloadReader,
    pub(super) summary: SourceSummary,
}

pub(super) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(super) async fn try_store(source: &dyn BackupSource, workers: usize) -> Result<Stored> {
    let (cx, sink) = (Context::new(), MemorySink::new());
    let name = Name::new("files").unwrap();
    let job = Name::new("job").unwrap();
    let id = SnapshotId::from_parts(Timestamp::from_unix(1_700_000_000), [1, 2, 3]);
    let folder: ObjectKey = format!("{job}/{id}").parse().unwrap();
    let compression = Compression::new(Codec::Zstd, Some(1)).unwrap();
    let mut index = IndexWriter::begin(&sink, &folder, compression, None).await?;
    let writer = PayloadWriter {
        sink: &sink,
        folder: &folder,
        compression,
        recipients: None,
        workers,
        cx: &cx,
    };
    let (described, object) = writer.write(&name, source, &mut index).await?;
    let index = index.commit().await?;
    let manifest = Manifest {
        format: FORMAT,
        job,
        started: id.time(),
        finished: id.time(),
        id,
        kind: SnapshotKind::Backup,
        host: HostId::from_machine_id("x"),
        host_name: None,
        version: "0".into(),
        encryption: None,
        sources: vec![described.clone()],
        index: index.name.clone(),
        objects: vec![object, index],
        suspicions: Vec::new(),
        accepted: false,
        unknown: serde_json::Map::new(),
    };
    let sink: Arc<dyn BackupSink> = Arc::new(sink);
    let snapshot = Snapshot::new(sink, folder, manifest, Identities::default());
    let index = snapshot.index(&std::env::temp_dir(), &cx).await?;
    let reader = snapshot.payload(&index, &name, workers)?;
    Ok(Stored { snapshot, reader, summary: described.summary })
}

pub(super) async fn store(source: &dyn BackupSource, workers: usize) -> Stored {
    try_store(source, workers).await.unwrap()
}

pub(super) fn files(path: &Path) -> FilesSource {
    FilesSource::new([path]).unwrap()
}

/// The name of `path` in an archive.
pub(super) fn archived(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes()[1..].to_vec()
}

impl Stored {
    pub(super) fn records(&self) -> Vec<Record> {
        self.reader.records().unwrap().collect::<Result<_>>().unwrap()
    }

    pub(super) fn entries(&self) -> Vec<FileRecord> {
        let records = self.records().into_iter();
        records.filter_map(|r| if let Record::File(file) = r { Some(file) } else { None }).collect()
    }

    /// The names of all entries below `root`, in order.
    pub(super) fn names(&self, root: &Path) -> Vec<String> {
        let root = archived(root);
        let entries = self.entries();
        let below = entries.iter().filter_map(|e| e.path.0.strip_prefix(&*root));
        below.map(|name| String::from_utf8_lossy(name).trim_start_matches('/').into()).collect()
    }

    pub(super) fn frames(&self) -> Vec<FrameRecord> {
        let records = self.records().into_iter();
        records.filter_map(|r| if let Record::Frame(f) = r { Some(f) } else { None }).collect()
    }

    pub(super) fn losses(&self) -> Vec<(Loss, String)> {
        let losses = self.records().into_iter().filter_map(|r| match r {
            Record::Loss(LossRecord { path, loss, .. }) => Some((loss, path.to_string())),
            _ => None,
        });
        losses.collect()
    }

    pub(super) async fn compressed(&self) -> Vec<u8> {
        let key = self.snapshot.folder().join(&self.reader.source().object).unwrap();
        self.snapshot.sink().get(&key, u64::MAX).await.unwrap()
    }

    /// The archive.
    pub(super) async fn plain(&self) -> Vec<u8> {
        zstd::decode_all(&*self.compressed().await).unwrap()
    }
}

/// Restores as the engine does: an error aborts.
pub(super) async fn try_restore(
    stored: &Stored,
    target: FilesTarget,
    selection: &Selection,
) -> Result<RestoreReport> {
    let cx = Context::new();
    let mut target = Box::new(target);
    let loaded = match target.prepare(&stored.snapshot, &cx).await {
        Ok(()) => target.load(stored.reader.clone(), selection, &cx).await,
        Err(error) => Err(error),
    };
    match loaded {
        Ok(()) => target.finish(&cx).await,
        Err(error) => {
            target.abort().await.unwrap();
            Err(error)
        }
    }
}

pub(super) async fn restore(stored: &Stored, to: &Path) -> RestoreReport {
    try_restore(stored, FilesTarget::to_folder(to), &Selection::all()).await.unwrap()
}

/// Where `path` is after a restore to `folder`.
pub(super) fn below(folder: &Path, path: &Path) -> std::path::PathBuf {
    folder.join(path.strip_prefix("/").unwrap())
}
