//! The frame writer: puts compressed segments in order, into an object and the index.

use std::collections::BTreeMap;

use seaworthy_core::{Context, Error, Name, Result};

use crate::{
    encryption::Recipients,
    format::{
        ManifestObject, ManifestSource, ObjectKey,
        index::{FrameRecord, PayloadRecord, Record},
    },
    payload::{
        Compression,
        segment::{Frame, FrameReceiver, segments},
    },
    sinks::BackupSink,
    snapshot::{index_file::IndexWriter, upload::HashedUpload},
    sources::BackupSource,
};

/// Where payloads are written, and how.
pub(crate) struct PayloadWriter<'a> {
    pub(crate) sink: &'a dyn BackupSink,
    /// The snapshot's folder.
    pub(crate) folder: &'a ObjectKey,
    pub(crate) compression: Compression,
    /// Its recipients.
    pub(crate) recipients: Option<&'a Recipients>,
    pub(crate) workers: usize,
    pub(crate) cx: &'a Context,
}

impl PayloadWriter<'_> {
    /// Stores what `source` holds as one payload and describes it in `index`.
    ///
    /// On failure, nothing of the payload is visible.
    pub(crate) async fn write(
        &self,
        name: &Name,
        source: &dyn BackupSource,
        index: &mut IndexWriter,
    ) -> Result<(ManifestSource, ManifestObject)> {
        let (kind, codec) = (source.payload(), self.compression.codec);
        let object = format!("{name}.{}{}", kind.as_str(), codec.suffix());
        let record = PayloadRecord::new(name.clone(), kind.as_str(), codec);
        index.push(&Record::Payload(record)).await?;

        let mut upload =
            HashedUpload::begin_for(self.recipients, self.sink, self.folder, object).await?;
        let (sender, receiver) = segments(self.compression, self.workers, self.cx);
        let mut described =
            ManifestSource::new(name.clone(), kind.as_str(), upload.name().to_owned(), codec);
        let write = write_frames(receiver, &mut upload, index, &mut described);
        let (dumped, written) = tokio::join!(source.dump(sender, self.cx), write);
        let summary = match (written, dumped) {
            (Ok(()), Ok(summary)) => summary,
            // The writer's failure is the cause; the source only noticed that the channel is
            // closed.
            (Err(error), _) | (Ok(()), Err(error)) => {
                upload.abort().await;
                return Err(in_source(name, error));
            }
        };
        described.stored = upload.written();
        let object = upload.commit().await.map_err(|error| in_source(name, error))?;
        described.summary = summary;
        Ok((described, object))
    }
}

fn in_source(name: &Name, error: Error) -> Error {
    error.with("source", name)
}

async fn write_frames(
    mut receiver: FrameReceiver,
    upload: &mut HashedUpload,
    index: &mut IndexWriter,
    described: &mut ManifestSource,
) -> Result<()> {
    // At most as many frames wait here as there are slots.
    let mut early: BTreeMap<u64, Option<Frame>> = BTreeMap::new();
    let mut next = 0;
    while let Some((place, frame)) = receiver.next().await {
        early.insert(place, frame);
        while let Some(frame) = early.remove(&next) {
            next += 1;
            if let Some(frame) = frame {
                write_frame(frame, upload, index, described).await?;
            }
        }
    }
    Ok(())
}

async fn write_frame(
    frame: Frame,
    upload: &mut HashedUpload,
    index: &mut IndexWriter,
    described: &mut ManifestSource,
) -> Result<()> {
    if frame.plain_len > 0 {
        let record = FrameRecord {
            object: described.object.clone(),
            offset: upload.written(),
            stored: frame.stored.len() as u64,
            plain_offset: described.plain,
            plain: frame.plain_len,
            sha256: frame.sha256,
        };
        index.push(&Record::Frame(record)).await?;
        described.frames += 1;
    }
    for entry in frame.entries {
        index.push(&entry.into_record(described.plain)).await?;
    }
    if frame.plain_len == 0 {
        return Ok(());
    }
    described.plain += frame.plain_len;
    upload.write(frame.stored).await
}
