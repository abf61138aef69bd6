//! `sw_callback` and `sw_call`: functions of the host that a call uses.

use std::ffi::{c_char, c_void};

use seaworthy::core::{Cancel, Error};

use crate::{
    boundary::InsideCallback,
    cancel::CancelHandle,
    code,
    error::{ErrorHandle, Failure},
    input::{self, Table},
};

/// A function of the host that gets JSON.
///
/// It is called on the thread that made the call, and only during the call. Its arguments are
/// borrowed until it returns. Any result other than 0 cancels the call. Inside it only
/// `sw_cancel_trigger`, `sw_error_*` and `sw_string_*` may be used. It must return: no exception,
/// no longjmp.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CallbackTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// The function: its own data, and `json_len` bytes of NUL-terminated JSON.
    pub call: Option<
        unsafe extern "C" fn(user_data: *mut c_void, json: *const c_char, json_len: usize) -> i32,
    >,
    /// Passed to the function unchanged.
    pub user_data: *mut c_void,
    /// Called once with `user_data`, on the same thread, before the call returns, whatever its
    /// result, if this struct could be read. May be NULL.
    pub finalizer: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

// SAFETY: numbers, pointers and optional functions may be zero.
unsafe impl Table for CallbackTable {
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Options of a call. NULL, or zero in a member, means the default: no callbacks.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CallTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// The log level of `log`: 0 warnings and errors, 1 errors, 2 warnings, 3 information, 4
    /// debugging, 5 everything.
    pub log_level: u32,
    /// Stops the call when it is triggered. Borrowed while the call starts. May be NULL.
    pub cancel: *const CancelHandle,
    /// Called with events: `{"schema":1,"time":…,"event":"started","task":…,"total_bytes":…}`, with
    /// `"event":"advanced","bytes":…,"items":…` (combined, at most 20 per second),
    /// `"event":"finished","task":…,"seconds":…`, `"event":"warning","message":…` and those that
    /// docs/events.md lists; in later versions others, which must be ignored. Borrowed while
    /// the call starts. May be NULL.
    pub progress: *const CallbackTable,
    /// Called with log records of the library:
    /// `{"level":"warn","target":…,"message":…,"fields":{…}}`. If several calls of a context run at
    /// the same time, each gets all records. Borrowed while the call starts. May be NULL.
    pub log: *const CallbackTable,
}

// SAFETY: numbers and pointers may be zero.
unsafe impl Table for CallTable {
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// A registered function of the host; dropping it runs its finalizer.
#[derive(Debug)]
pub(crate) struct Callback(CallbackTable);

impl Callback {
    /// # Safety
    /// That of [`input::table`], and the functions keep what [`CallbackTable`] says.
    unsafe fn read(table: *const CallbackTable, name: &str) -> Result<Option<Self>, Failure> {
        if table.is_null() {
            return Ok(None);
        }
        // SAFETY: as this function's.
        let callback = Self(unsafe { input::table(table, name) }?);
        if callback.0.call.is_none() {
            return Err(input::null(&format!("the function of {name}")));
        }
        Ok(Some(callback))
    }

    /// Calls it with `json`; returns true if it wants the call to stop.
    pub(crate) fn tell(&self, json: String) -> bool {
        let Some(call) = self.0.call else { return false };
        let (len, json) = (json.len(), json + "\0");
        let _inside = InsideCallback::enter();
        // SAFETY: the host gave this function for such arguments; the text lives until it returns.
        unsafe { call(self.0.user_data, json.as_ptr().cast(), len) != 0 }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Some(finalizer) = self.0.finalizer {
            let _inside = InsideCallback::enter();
            // SAFETY: the host gave this function for this pointer, and this is the only call.
            unsafe { finalizer(self.0.user_data) };
        }
    }
}

/// Calls a function of the host, which belongs to `whom`, and converts its code and error to a
/// result.
pub(crate) fn host_answer(
    operation: &'static str,
    whom: impl FnOnce() -> String,
    call: impl FnOnce(*mut *mut ErrorHandle) -> i32,
) -> Result<(), Error> {
    let mut error = std::ptr::null_mut();
    let code = {
        let _inside = InsideCallback::enter();
        call(&mut error)
    };
    // SAFETY: the host made it with `sw_error_new` and hands it over.
    let error = unsafe { ErrorHandle::take(error) };
    if code == code::SW_OK {
        return Ok(());
    }
    let message = match &error {
        Some(error) => error.message().to_owned(),
        None => format!("{} returned {code}", whom()),
    };
    Err(Failure::new(code, operation, message).into_error(operation))
}

/// A function of the host that gets JSON, and returns 0 or one of SW_E_*.
pub(crate) type Tell = unsafe extern "C" fn(
    user_data: *mut c_void,
    json: *const c_char,
    json_len: usize,
    error: *mut *mut ErrorHandle,
) -> i32;

/// Calls `tell`, which belongs to `whom`, with `json`.
///
/// # Safety
/// The host gave `tell` to be called with `user_data`, on this thread.
pub(crate) unsafe fn host_told(
    operation: &'static str,
    whom: impl FnOnce() -> String,
    (tell, user_data): (Tell, *mut c_void),
    json: String,
) -> Result<(), Error> {
    let (len, json) = (json.len(), json + "\0");
    host_answer(operation, whom, |error| {
        // SAFETY: as this function's; the text lives until it returns.
        unsafe { tell(user_data, json.as_ptr().cast(), len, error) }
    })
}

/// How much is logged, from 1 (errors) to 5 (everything).
pub(crate) type LogLevel = u8;

/// The options of a call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) cancel: Option<Cancel>,
    pub(crate) progress: Option<Callback>,
    pub(crate) log: Option<(Callback, LogLevel)>,
}

impl Call {
    /// Reads the options in `table`; NULL for the defaults.
    ///
    /// # Safety
    /// `table` and the structs that it points to are NULL or as [`input::table`] wants them, and the
    /// trigger is NULL or alive.
    pub(crate) unsafe fn read(table: *const CallTable) -> Result<Self, Failure> {
        if table.is_null() {
            return Ok(Self::default());
        }
        // SAFETY: as this function's.
        let table: CallTable = unsafe { input::table(table, "call") }?;
        // Both are read before either is checked, so that each finalizer runs.
        // SAFETY: as this function's.
        let (progress, log) = unsafe {
            (Callback::read(table.progress, "progress"), Callback::read(table.log, "log"))
        };
        let (progress, log) = (progress?, log?);
        let level = match table.log_level {
            0 => 2,
            level @ 1..=5 => level as LogLevel,
            unknown => {
                let message = format!("there is no log level {unknown}");
                return Err(Failure::new(code::SW_E_INVALID_INPUT, "argument", message)
                    .remedy("use 0 to 5"));
            }
        };
        // SAFETY: as this function's.
        let cancel = unsafe { table.cancel.as_ref() }.map(CancelHandle::cancel);
        Ok(Self { cancel, progress, log: log.map(|log| (log, level)) })
    }
}
