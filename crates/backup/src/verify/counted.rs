//! Readers that count and hash the data they read.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use crate::{format::Digest256, sinks::BlockingReader};

/// The size and SHA-256 of what was read of an object.
#[derive(Clone, Default)]
pub(super) struct Whole(Arc<Mutex<(u64, Sha256)>>);

impl Whole {
    fn update(&self, bytes: &[u8]) {
        let mut whole = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        whole.0 += bytes.len() as u64;
        whole.1.update(bytes);
    }

    pub(super) fn finish(&self) -> (u64, Digest256) {
        let (size, hash) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (size, Digest256::from(hash.finalize()))
    }
}

/// An object as stored, hashed while it is read.
pub(super) struct Hashed {
    stored: BlockingReader,
    whole: Whole,
}

impl Hashed {
    pub(super) fn new(stored: BlockingReader, whole: Whole) -> Self {
        Self { stored, whole }
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.stored.read(buffer)?;
        self.whole.update(&buffer[..n]);
        Ok(n)
    }
}

/// Counts and hashes what is consumed.
pub(super) struct Counted {
    input: BufReader<Box<dyn Read + Send>>,
    frame: Sha256,
    size: u64,
}

impl Counted {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        let input = BufReader::with_capacity(1 << 20, input);
        Self { input, frame: Sha256::new(), size: 0 }
    }

    /// How many bytes were consumed.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 of what was consumed since the last frame.
    pub(super) fn end_frame(&mut self) -> Digest256 {
        Digest256::from(std::mem::take(&mut self.frame).finalize())
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        let consumed = &self.input.buffer()[..amount];
        self.frame.update(consumed);
        self.size += amount as u64;
        self.input.consume(amount);
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut available = self.fill_buf()?;
        let n = available.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}
