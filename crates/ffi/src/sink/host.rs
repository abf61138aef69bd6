//! The functions of a sink of the host, called with Rust's types. On the calling thread only.

use std::{
    ffi::{CString, c_char},
    ptr,
    sync::{Mutex, PoisonError},
};

use seaworthy::{
    backup::{
        ObjectKey,
        sinks::{Capabilities, ObjectInfo},
    },
    core::{Error, ErrorKind, Result, Timestamp},
};
use serde::Deserialize;

use super::table::{InfoTable, PutTable, SW_SINK_DELETE, SW_SINK_IF_ABSENT, SinkTable};
use crate::{
    boundary::InsideCallback,
    callback::host_answer,
    code,
    error::{ErrorHandle, Failure},
    input,
    string::StringHandle,
};

/// A sink of the host. Dropping it runs its finalizer.
#[derive(Debug)]
pub(crate) struct HostSink {
    table: SinkTable,
    /// Uploads that were aborted while no call was active.
    forgotten: Mutex<Vec<u64>>,
}

// SAFETY: the host lets its functions be called with `user_data` on any thread.
unsafe impl Send for HostSink {}
// SAFETY: the same, and on several at once.
unsafe impl Sync for HostSink {}

/// An object in a listing.
#[derive(Deserialize)]
struct Listed {
    key: String,
    length: u64,
    modified: i64,
}

impl HostSink {
    /// Reads the sink at `table`.
    ///
    /// # Safety
    /// That of [`input::table`], and the functions keep what [`SinkTable`] says.
    pub(crate) unsafe fn read(table: *const SinkTable) -> std::result::Result<Self, Failure> {
        // SAFETY: as this function's.
        let table: SinkTable = unsafe { input::table(table, "sink") }?;
        let sink = Self { table, forgotten: Mutex::default() };
        if table.capabilities & !(SW_SINK_DELETE | SW_SINK_IF_ABSENT) != 0 {
            let message = "the sink claims capabilities that this version does not support";
            return Err(Failure::new(code::SW_E_INVALID_INPUT, "sink.add", message));
        }
        let needed = [
            ("begin", table.begin.is_some()),
            ("write", table.write.is_some()),
            ("commit", table.commit.is_some()),
            ("abort", table.abort.is_some()),
            ("read", table.read.is_some()),
            ("stat", table.stat.is_some()),
            ("list", table.list.is_some()),
            ("delete_object", table.delete_object.is_some() || !sink.capabilities().delete),
        ];
        match needed.iter().find(|(_, there)| !there) {
            Some((name, _)) => Err(input::null(&format!("{name} of the sink"))),
            None => Ok(sink),
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.delete = self.table.capabilities & SW_SINK_DELETE != 0;
        capabilities.if_absent = self.table.capabilities & SW_SINK_IF_ABSENT != 0;
        capabilities
    }

    /// Aborts `upload` during the next call.
    pub(crate) fn forget(&self, upload: u64) {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).push(upload);
    }

    pub(crate) fn begin(
        &self,
        key: &ObjectKey,
        if_absent: bool,
        length: Option<u64>,
    ) -> Result<u64> {
        self.abort_forgotten();
        let begin = function(self.table.begin)?;
        let options = PutTable {
            size: size_of::<PutTable>() as u32,
            if_absent: if_absent.into(),
            length: length.unwrap_or(u64::MAX),
        };
        let mut upload = 0;
        with_key(key, |data, len| {
            answer("sink.begin", key, |error| {
                // SAFETY: the host gave this function for such arguments, which live until it returns.
                unsafe { begin(self.table.user_data, data, len, &options, &mut upload, error) }
            })
        })?;
        Ok(upload)
    }

    pub(crate) fn write(&self, key: &ObjectKey, upload: u64, chunk: &[u8]) -> Result<()> {
        let write = function(self.table.write)?;
        answer("sink.write", key, |error| {
            // SAFETY: as in `begin`.
            unsafe { write(self.table.user_data, upload, chunk.as_ptr(), chunk.len(), error) }
        })
    }

    pub(crate) fn commit(&self, key: &ObjectKey, upload: u64) -> Result<ObjectInfo> {
        let commit = function(self.table.commit)?;
        let mut info = empty_info();
        answer("sink.commit", key, |error| {
            // SAFETY: as in `begin`.
            unsafe { commit(self.table.user_data, upload, &mut info, error) }
        })?;
        Ok(object_info(key, info))
    }

    pub(crate) fn abort(&self, key: &ObjectKey, upload: u64) -> Result<()> {
        let abort = function(self.table.abort)?;
        answer("sink.abort", key, |error| {
            // SAFETY: as in `begin`.
            unsafe { abort(self.table.user_data, upload, error) }
        })
    }

    /// Reads into `buffer` and returns how much.
    pub(crate) fn read_at(&self, key: &ObjectKey, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let read = function(self.table.read)?;
        let (data, capacity) = (buffer.as_mut_ptr(), buffer.len());
        let mut filled = 0;
        with_key(key, |key_data, len| {
            answer("sink.read", key, |error| {
                let user_data = self.table.user_data;
                // SAFETY: as in `begin`.
                unsafe {
                    read(user_data, key_data, len, offset, data, capacity, &mut filled, error)
                }
            })
        })?;
        if filled > capacity {
            return Err(broken(
                "sink.read",
                format!("filled {filled} of {capacity} bytes of {key}"),
            ));
        }
        Ok(filled)
    }

    pub(crate) fn stat(&self, key: &ObjectKey) -> Result<ObjectInfo> {
        let stat = function(self.table.stat)?;
        let mut info = empty_info();
        with_key(key, |data, len| {
            answer("sink.stat", key, |error| {
                // SAFETY: as in `begin`.
                unsafe { stat(self.table.user_data, data, len, &mut info, error) }
            })
        })?;
        Ok(object_info(key, info))
    }

    pub(crate) fn list(&self, prefix: &ObjectKey) -> Result<Vec<ObjectInfo>> {
        let list = function(self.table.list)?;
        let mut listing = ptr::null_mut();
        let answered = with_key(prefix, |data, len| {
            answer("sink.list", prefix, |error| {
                // SAFETY: as in `begin`.
                unsafe { list(self.table.user_data, data, len, &mut listing, error) }
            })
        });
        // SAFETY: the host made it with `sw_string_new` and hands it over.
        let listing = unsafe { StringHandle::take(listing) };
        answered?;
        let listing = listing.ok_or_else(|| broken("sink.list", "returned no listing"))?;
        let listed: Vec<Listed> = serde_json::from_str(listing.as_str()).map_err(|error| {
            broken("sink.list", format!("returned an invalid listing: {error}"))
        })?;
        // An object whose name is not a key is not ours.
        let keyed =
            listed.into_iter().filter_map(|listed| Some((listed.key.parse().ok()?, listed)));
        let info = |(key, listed): (ObjectKey, Listed)| {
            ObjectInfo::new(key, listed.length, Timestamp::from_unix(listed.modified))
        };
        Ok(keyed.map(info).collect())
    }

    pub(crate) fn delete(&self, key: &ObjectKey) -> Result<()> {
        let delete = function(self.table.delete_object)?;
        with_key(key, |data, len| {
            answer("sink.delete", key, |error| {
                // SAFETY: as in `begin`.
                unsafe { delete(self.table.user_data, data, len, error) }
            })
        })
    }

    pub(crate) fn discard_unfinished(&self, prefix: &ObjectKey) -> Result<u64> {
        self.abort_forgotten();
        let Some(discard) = self.table.discard_unfinished else { return Ok(0) };
        let mut discarded = 0;
        with_key(prefix, |data, len| {
            answer("sink.discard", prefix, |error| {
                // SAFETY: as in `begin`.
                unsafe { discard(self.table.user_data, data, len, &mut discarded, error) }
            })
        })?;
        Ok(discarded)
    }

    fn abort_forgotten(&self) {
        let forgotten =
            std::mem::take(&mut *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner));
        for upload in forgotten {
            // The error cannot be reported.
            drop(self.abort(&ObjectKey::root(), upload));
        }
    }
}

impl Drop for HostSink {
    fn drop(&mut self) {
        self.abort_forgotten();
        if let Some(finalizer) = self.table.finalizer {
            let _inside = InsideCallback::enter();
            // SAFETY: the host gave this function for this pointer, and this is the only call.
            unsafe { finalizer(self.table.user_data) };
        }
    }
}

/// Calls `work` with `key` as a C string.
fn with_key<T>(key: &ObjectKey, work: impl FnOnce(*const c_char, usize) -> Result<T>) -> Result<T> {
    // A key has no NUL.
    let text = CString::new(key.as_str()).map_err(|_| broken("sink", "a key with a NUL"))?;
    work(text.as_ptr(), key.as_str().len())
}

/// Calls `call`, which is about the object `key`.
fn answer(
    operation: &'static str,
    key: &ObjectKey,
    call: impl FnOnce(*mut *mut ErrorHandle) -> i32,
) -> Result<()> {
    host_answer(operation, || format!("the sink, about {:?}", key.as_str()), call)
}

fn function<F>(function: Option<F>) -> Result<F> {
    // The required ones were checked when the table was read.
    function.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "sink", "the sink does not have this function")
    })
}

fn broken(operation: &'static str, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, operation, format!("the sink broke its contract: {what}"))
}

fn empty_info() -> InfoTable {
    InfoTable { size: size_of::<InfoTable>() as u32, reserved: 0, length: 0, modified: 0 }
}

fn object_info(key: &ObjectKey, info: InfoTable) -> ObjectInfo {
    ObjectInfo::new(key.clone(), info.length, Timestamp::from_unix(info.modified))
}
