//! Encrypting an object while it is written.

use std::{
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use age::stream::StreamWriter;
use bytes::Bytes;
use seaworthy_core::{Error, Result};

use super::Recipients;

/// Encrypts one object. If it is not finished, the object is invalid for every program.
pub(crate) struct Sealer {
    writer: StreamWriter<Shared>,
    out: Shared,
}

impl Sealer {
    /// Starts an object for `recipients`. Call it on a blocking thread: a passphrase takes a
    /// second.
    pub(crate) fn begin(recipients: &Recipients) -> Result<Self> {
        let out = Shared::default();
        let writer = recipients.encryptor()?.wrap_output(out.clone()).map_err(failed)?;
        Ok(Self { writer, out })
    }

    /// Encrypts `plain`; whole chunks can be [taken](Self::take) afterwards.
    pub(crate) fn write(&mut self, plain: &[u8]) -> Result<()> {
        self.out.lock().reserve(plain.len() + plain.len() / 4096 + (64 << 10));
        self.writer.write_all(plain).map_err(failed)
    }

    /// The encrypted bytes so far.
    pub(crate) fn take(&mut self) -> Bytes {
        std::mem::take(&mut *self.out.lock()).into()
    }

    /// The rest of the encrypted bytes.
    pub(crate) fn finish(self) -> Result<Bytes> {
        self.writer.finish().map_err(failed)?;
        Ok(std::mem::take(&mut *self.out.lock()).into())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::io("encrypt", "cannot encrypt", error)
}

/// The writer owns its output: this is a second handle to it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
