//! What needs no context: the file itself, a plan without any sink, new keys.

use std::ffi::c_char;

use seaworthy::{
    Reply,
    command::{KeygenRequest, PlanRequest, check_file, keygen, plan_retention},
};

use crate::{
    boundary::{enter, outside_callbacks},
    code,
    context::{clear, find},
    error::{ErrorHandle, Failure},
    input,
    run::{Finished, answer},
    string::StringHandle,
};

/// For `sw_schema`: the schema of `seaworthy.toml`.
pub const SW_SCHEMA_CONFIG: u32 = 0;
/// For `sw_schema`: the schema of the documents.
pub const SW_SCHEMA_DOCUMENT: u32 = 1;

/// Checks the file at `path` (UTF-8, `path_len` bytes; NULL with 0 searches the same places as the
/// program) without opening anything in it.
///
/// `*document` is that of `seaworthy config check --json`, owned by the caller. `document` and `error` may
/// be NULL; the caller must free what is put there. Any thread, but not inside a callback. Answers
/// SW_E_CONFIG for an invalid file, the codes of one that cannot be read, SW_E_NULL, SW_E_UTF8,
/// SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_config_check(
    path: *const c_char,
    path_len: usize,
    document: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { clear(document) };
    let work = || {
        outside_callbacks()?;
        // SAFETY: as this function's.
        let path = unsafe { input::optional_text(path, path_len, "path") }?;
        let reply = match find(path) {
            Ok(path) => check_file(&path),
            Err(error) => Reply::from(error),
        };
        // SAFETY: as this function's.
        unsafe { answer(Finished::new("config check", reply), document) }
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}

/// The JSON Schema of the file (SW_SCHEMA_CONFIG) or of the documents (SW_SCHEMA_DOCUMENT).
///
/// `*schema` is owned by the caller. `error` may be NULL; the caller must free what is put there.
/// Any thread, but not inside a callback. Answers SW_E_INVALID_INPUT for an unknown number,
/// SW_E_NULL, SW_E_REENTRANT, SW_E_PANIC.
///
/// # Safety
/// Pointers are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schema(
    which: u32,
    schema: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { clear(schema) };
    let work = || {
        outside_callbacks()?;
        // SAFETY: as this function's.
        let place = unsafe { input::out(schema, "schema") }?;
        let found = match which {
            SW_SCHEMA_CONFIG => seaworthy::config::schema(),
            SW_SCHEMA_DOCUMENT => seaworthy::document_schema(),
            unknown => {
                let message = format!("there is no schema {unknown}");
                return Err(Failure::new(code::SW_E_INVALID_INPUT, "schema", message));
            }
        };
        *place = StringHandle::give(found.to_string());
        Ok(())
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}

/// Decides which snapshots a policy would keep, and why. Changes nothing and needs no context.
///
/// `request` (JSON, `request_len` bytes) has `keep`, as in the file; `time_zone` (default: UTC);
/// `now`, such as `"2026-11-22T02:30:00Z"`; `snapshots`, each with its `id`, and if relevant
/// `pinned`, `kind`, `state` and `host`, as listed by `sw_snapshots`; and `host`, the machine whose
/// snapshots are planned (default: that of the first one). `*document` is owned by the caller:
/// `{"result":{"decisions":[{"id","keep","reasons","text"}]}}` with the usual members. `document`
/// and `error` may be NULL; the caller must free what is put there.
///
/// Any thread, but not inside a callback. Answers SW_E_REQUEST, also for rules that would keep nothing,
/// SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_plan_retention(
    request: *const c_char,
    request_len: usize,
    document: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { clear(document) };
    let work = || {
        outside_callbacks()?;
        // SAFETY: as this function's.
        let request: PlanRequest = unsafe { input::request(request, request_len) }?;
        // SAFETY: as this function's.
        unsafe { answer(Finished::new("plan retention", plan_retention(request)), document) }
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}

/// Makes a key pair. Needs no context.
///
/// `request` (JSON, `request_len` bytes) has `kind`, `"age"` to encrypt or `"sign"` to sign, and
/// `out`, the new file for the secret key; an existing file is never replaced. Without `out` the
/// secret key is in the document, which is that of `seaworthy keygen --json` and owned by the
/// caller. `document` and `error` may be NULL; the caller must free what is put there.
///
/// Any thread, but not inside a callback. Answers SW_E_REQUEST, SW_E_ALREADY_EXISTS, the codes of a file that
/// cannot be written, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_keygen(
    request: *const c_char,
    request_len: usize,
    document: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { clear(document) };
    let work = || {
        outside_callbacks()?;
        // SAFETY: as this function's.
        let request: KeygenRequest = unsafe { input::request(request, request_len) }?;
        // SAFETY: as this function's.
        unsafe { answer(Finished::new(KeygenRequest::NAME, keygen(&request)), document) }
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}
