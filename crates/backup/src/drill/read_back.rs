//! A payload of unknown content: every frame is fetched, checked and decoded.

use async_trait::async_trait;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result};

use super::{Drill, DrillPayload, Found};
use crate::{format::index::Record, snapshot::PayloadReader};

/// The drill of a payload of which nothing is known but its bytes: it is restored nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadBack;

#[async_trait]
impl Drill for ReadBack {
    async fn run(&self, payload: DrillPayload<'_>, cx: &Context) -> Result<Found> {
        let bytes = read_frames(payload.reader(cx).await?, cx, |_| {}).await?;
        let mut found = Found { compared: 1, bytes, ..Found::default() };
        let note = "its bytes were read back; there is no drill that restores this kind of payload";
        found.notes.push(note.to_owned());
        Ok(found)
    }
}

/// Passes the plain bytes of every frame to `each`, in order, and returns how many there were.
pub(crate) async fn read_frames(
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
