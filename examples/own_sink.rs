//! A custom sink, tested by the suite that Seaworthy's own sinks pass.
//!
//! This one keeps each object as a row of hexadecimal digits in memory, and cannot delete: an
//! archive that only grows. `cargo test -p seaworthy-examples` runs the suite on it.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "an example shows what it does")]

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use seaworthy_backup::{
    BackupSink, BackupSinkExt, ObjectKey, PutOptions, Upload,
    sinks::{ByteStream, Capabilities, ObjectHistory, ObjectInfo},
};
use seaworthy_core::{Clock, Error, ErrorKind, Result, SystemClock, Timestamp};

type Rows = Arc<Mutex<BTreeMap<ObjectKey, (String, Timestamp)>>>;

#[derive(Clone, Debug, Default)]
struct HexSink(Rows);

impl HexSink {
    fn row(&self, key: &ObjectKey) -> Result<(Vec<u8>, Timestamp)> {
        let rows = self.0.lock().unwrap();
        let absent = || Error::new(ErrorKind::NotFound, "hex.read", format!("no row for {key}"));
        let (row, written) = rows.get(key).ok_or_else(absent)?;
        let value = |digit: u8| if digit < b'a' { digit - b'0' } else { digit - b'a' + 10 };
        let pairs = row.as_bytes().chunks(2);
        Ok((pairs.map(|pair| value(pair[0]) << 4 | value(pair[1])).collect(), *written))
    }
}

impl fmt::Display for HexSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows of hexadecimal digits")
    }
}

#[async_trait]
impl BackupSink for HexSink {
    fn capabilities(&self) -> Capabilities {
        // Cannot delete and cannot refuse to replace: what is not claimed must return
        // `Unsupported`.
        Capabilities::default()
    }

    async fn begin(&self, key: &ObjectKey, options: PutOptions) -> Result<Box<dyn Upload>> {
        if options.if_absent {
            return Err(Error::new(ErrorKind::Unsupported, "hex.begin", "rows are replaced"));
        }
        Ok(Box::new(HexUpload { rows: self.0.clone(), key: key.clone(), row: String::new() }))
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<ByteStream> {
        let (bytes, _) = self.row(key)?;
        let size = bytes.len() as u64;
        let range = range.unwrap_or(0..size);
        if range.start > size || range.start > range.end {
            let message = format!("{key} has no bytes {range:?}");
            return Err(Error::new(ErrorKind::InvalidInput, "hex.read", message));
        }
        let part = range.start as usize..range.end.min(size) as usize;
        Ok(stream::iter([Ok(Bytes::from(bytes).slice(part))]).boxed())
    }

    async fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let (bytes, written) = self.row(key)?;
        Ok(ObjectInfo::new(key.clone(), bytes.len() as u64, written))
    }

    fn list(&self, prefix: &ObjectKey) -> BoxStream<'static, Result<ObjectInfo>> {
        let rows = self.0.lock().unwrap();
        let below = rows.iter().filter(|(key, _)| key.starts_with(prefix) && *key != prefix);
        let info = |(key, (row, written)): (&ObjectKey, &(String, Timestamp))| {
            Ok(ObjectInfo::new(key.clone(), row.len() as u64 / 2, *written))
        };
        stream::iter(below.map(info).collect::<Vec<_>>()).boxed()
    }

    async fn delete(&self, _: &ObjectKey) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "hex.delete", "the archive only grows"))
    }

    async fn history(&self, key: &ObjectKey) -> Result<ObjectHistory> {
        // Nothing is hidden here: what is visible is everything.
        let shown = self.row(key).is_ok();
        Ok(if shown { ObjectHistory::present() } else { ObjectHistory::default() })
    }

    async fn discard_unfinished(&self, _: &ObjectKey, _: Option<Timestamp>) -> Result<u64> {
        Ok(0)
    }
}

struct HexUpload {
    rows: Rows,
    key: ObjectKey,
    row: String,
}

#[async_trait]
impl Upload for HexUpload {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
        self.row.extend(chunk.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<ObjectInfo> {
        let (size, now) = (self.row.len() as u64 / 2, SystemClock.now());
        self.rows.lock().unwrap().insert(self.key.clone(), (self.row, now));
        Ok(ObjectInfo::new(self.key, size, now))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let (sink, key) = (HexSink::default(), "greeting".parse::<ObjectKey>()?);
    sink.put(&key, "hello".into(), PutOptions::default()).await?;
    println!("{key} is stored as {}", sink.0.lock().unwrap()[&key].0);
    println!("and read as {:?}", String::from_utf8(sink.get(&key, 100).await?).unwrap());
    Ok(())
}

#[cfg(test)]
mod conformance {
    seaworthy_backup::sink_conformance!((super::HexSink::default(), ()));
}
