//! A sink's stream as a blocking reader, for threads that may block.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::TryStreamExt;
use seaworthy_core::{Error, Result};
use tokio::runtime::Handle;

use super::ByteStream;
use crate::format::ObjectKey;

/// Reads a stream on a blocking thread of the runtime.
pub(crate) struct BlockingReader {
    stream: ByteStream,
    chunk: Bytes,
    key: ObjectKey,
}

impl BlockingReader {
    /// Reads `stream`, which came from the object `key`.
    pub(crate) fn new(stream: ByteStream, key: ObjectKey) -> Self {
        Self { stream, chunk: Bytes::new(), key }
    }

    /// Our own error, extracted from the reader's error.
    pub(crate) fn unwrap_error(error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::io("sink.read", "cannot read an object back", error),
        }
    }

    /// Fills `buffer` with up to `len` bytes; fewer only at the end.
    pub(crate) fn read_up_to(&mut self, len: u64, buffer: &mut Vec<u8>) -> Result<u64> {
        let read = self.take(len).read_to_end(buffer).map_err(Self::unwrap_error)?;
        Ok(read as u64)
    }
}

impl Read for BlockingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match Handle::current().block_on(self.stream.try_next()) {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => return Ok(0),
                Err(error) => return Err(io::Error::other(error.with("object", &self.key))),
            }
        }
        let n = buffer.len().min(self.chunk.len());
        buffer[..n].copy_from_slice(&self.chunk.split_to(n));
        Ok(n)
    }
}
