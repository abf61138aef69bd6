//! Reusable buffers: new memory for one frame costs a thousand page faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// How many idle buffers are kept.
const IDLE: usize = 16;

/// Idle buffers of about one size. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer, with whatever an earlier use left in it.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.idle().pop().unwrap_or_default()
    }

    /// Keeps `buffer` for later use.
    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut idle = self.idle();
        if idle.len() < IDLE && buffer.capacity() > 0 {
            idle.push(buffer);
        }
    }

    /// The contents of `buffer`, which is returned here when the last reference is dropped.
    pub(crate) fn lend(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, home: self.clone() })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    buffer: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lent_buffer_comes_back_when_the_last_holder_lets_go() {
        let buffers = Buffers::default();
        let bytes = buffers.lend(vec![1, 2, 3]);
        let part = bytes.slice(1..2);
        drop(bytes);
        assert!(buffers.idle().is_empty());
        assert_eq!(&part[..], [2]);
        drop(part);
        assert_eq!(buffers.take(), [1, 2, 3]);
    }
}
