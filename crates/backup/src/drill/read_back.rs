//! A payload of which nothing is known but its bytes: every frame is fetched, checked and decoded.

use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result};

use super::{DrillOptions, Found};
use crate::{
    format::index::Record,
    snapshot::{PayloadReader, Snapshot},
};

pub(crate) async fn drill(
    snapshot: &Snapshot,
    source: &Name,
    options: &DrillOptions,
    cx: &Context,
) -> Result<Found> {
    let index = snapshot.index(&options.temp, cx).await?;
    let payload = snapshot.payload(&index, source, options.workers)?;
    let bytes = read(payload, cx, |_| {}).await?;
    let mut found = Found { compared: 1, bytes, ..Found::default() };
    found
        .notes
        .push("its bytes were read back; they are restored nowhere by themselves".to_owned());
    Ok(found)
}

/// Gives the plain bytes of every frame to `each`, in order, and says how many they were.
pub(crate) async fn read(
    payload: PayloadReader,
    cx: &Context,
    mut each: impl FnMut(&[u8]) + Send + 'static,
) -> Result<u64> {
    let cx = cx.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let (mut decoder, mut plain, mut bytes) = (payload.decoder()?, Vec::new(), 0);
        for record in payload.records()? {
            let Record::Frame(frame) = record? else { continue };
            cx.check("drill")?;
            decoder.decode(&frame, &payload.fetch_blocking(&frame)?, &mut plain)?;
            each(&plain);
            bytes += plain.len() as u64;
            cx.emit(Event::Advanced { bytes: frame.plain, items: 0 });
        }
        Ok(bytes)
    });
    reading.await.map_err(panicked)?
}

pub(crate) fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "drill", "a worker panicked").caused_by(source)
}
