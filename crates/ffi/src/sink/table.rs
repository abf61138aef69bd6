//! `sw_sink` and the arguments of its functions.

use std::ffi::{c_char, c_void};

use crate::{error::ErrorHandle, input::Table, string::StringHandle};

/// In `sw_sink.capabilities`: `delete_object` works.
pub const SW_SINK_DELETE: u32 = 1;
/// In `sw_sink.capabilities`: `sw_put_options.if_absent` is honoured, also against other processes.
pub const SW_SINK_IF_ABSENT: u32 = 2;

/// A place for snapshots that the host implements.
///
/// Every function returns 0 or one of SW_E_*, and may give details by putting an error made with
/// `sw_error_new` where `error` points to; the library frees it. Functions are called on a thread
/// that is inside a call of the library, so on several at the same time if several calls run; they
/// may block. Their arguments are borrowed until they return. Inside them only `sw_cancel_trigger`,
/// `sw_error_*` and `sw_string_*` may be used. They must return: no exception, no longjmp.
///
/// A key is names joined by `/`, each of letters, digits, `.`, `_`, `-`, and begins and ends without a slash.
/// Keys and prefixes are NUL-terminated too.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SinkTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// What it can do: SW_SINK_DELETE, SW_SINK_IF_ABSENT. What is not claimed is never used.
    pub capabilities: u32,
    /// Passed to the functions unchanged.
    pub user_data: *mut c_void,
    /// Called once with `user_data` when the sink is no longer used: when its context is freed,
    /// also if it was replaced before, or when it was not accepted. May be NULL.
    pub finalizer: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Starts writing the object `key`, and returns a number for it, chosen by the sink. Nothing is
    /// visible before `commit`.
    pub begin: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            key: *const c_char,
            key_len: usize,
            options: *const PutTable,
            upload: *mut u64,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Appends `len` bytes to the object.
    pub write: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            upload: u64,
            data: *const u8,
            len: usize,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Makes the object visible, complete and durable, and fills `info`. The upload is over,
    /// whatever the result. SW_E_ALREADY_EXISTS if `if_absent` was set and the object exists.
    pub commit: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            upload: u64,
            info: *mut InfoTable,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Aborts an upload and frees what was stored of it. The upload is over, whatever the result.
    pub abort: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            upload: u64,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Reads the object `key` from byte `offset` on: fills `buffer` (`capacity` bytes) and sets
    /// `*filled` to the number of bytes. Less than `capacity` only at the end of the object.
    /// SW_E_NOT_FOUND if it does not exist.
    pub read: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            key: *const c_char,
            key_len: usize,
            offset: u64,
            buffer: *mut u8,
            capacity: usize,
            filled: *mut usize,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Fills `info` about the object `key`. SW_E_NOT_FOUND if it does not exist; a folder is not an
    /// object.
    pub stat: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            key: *const c_char,
            key_len: usize,
            info: *mut InfoTable,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Every object below `prefix` (empty: all), at any depth, in any order, as JSON:
    /// `[{"key":…,"length":…,"modified":…}]`, in a string made with `sw_string_new`, which the library
    /// frees. `ab` is not below `a`, and neither is `a` itself. Empty if it does not exist.
    pub list: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            prefix: *const c_char,
            prefix_len: usize,
            listing: *mut *mut StringHandle,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Deletes the object `key`, durably. It is not an error if it does not exist. NULL without
    /// SW_SINK_DELETE.
    pub delete_object: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            key: *const c_char,
            key_len: usize,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Frees what unfinished uploads below `prefix` left behind, such as those of a process that was killed,
    /// and counts them. May be NULL.
    pub discard_unfinished: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            prefix: *const c_char,
            prefix_len: usize,
            discarded: *mut u64,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
}

// SAFETY: numbers, pointers and optional functions may be zero.
unsafe impl Table for SinkTable {
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// How to write an object. The library fills it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PutTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// 1: `commit` fails with SW_E_ALREADY_EXISTS when the object exists by then. Else 0.
    pub if_absent: u32,
    /// The object's size in bytes; UINT64_MAX if it is not known yet.
    pub length: u64,
}

/// Facts about an object. The library sets `size`, the sink the rest.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct InfoTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// The object's size in bytes.
    pub length: u64,
    /// When it was written, in seconds since 1970.
    pub modified: i64,
}
