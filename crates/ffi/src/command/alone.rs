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

/// Checks the file at `path` (UTF-8, `path_len` bytes; NULL with 0 looks where the program does) without
/// opening anything that it names.
///
/// `*document` is that of `seaworthy config check --json`, owned by the caller. `document` and `error` may
/// be NULL; what is put there is the caller's to free. Any thread, but not inside a callback. Answers
/// SW_E_CONFIG for a file that is wrong, the codes of one that cannot be read, SW_E_NULL, SW_E_UTF8,
/// SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid for what is said above.
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
/// `*schema` is owned by the caller. `error` may be NULL; what is put there is the caller's to free. Any
/// thread, but not inside a callback. Answers SW_E_INVALID_INPUT for an unknown number, SW_E_NULL,
/// SW_E_REENTRANT, SW_E_PANIC.
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

/// Decides which snapshots a policy would keep, and why. Touches nothing and needs no context.
///
/// `request` (JSON, `request_len` bytes) has `keep`, as in the file; `time_zone`, UTC where nothing is said;
/// `now`, such as `"2026-11-22T02:30:00Z"`; `snapshots`, each with its `id`, and where it matters `pinned`,
/// `kind`, `state` and `host`, as `sw_snapshots` lists them; and `host`, whose snapshots it is about, the
/// first one's where nothing is said. `*document` is owned by the caller:
/// `{"result":{"decisions":[{"id","keep","reasons","text"}]}}` among the usual members. `document` and
/// `error` may be NULL; what is put there is the caller's to free.
///
/// Any thread, but not inside a callback. Answers SW_E_REQUEST, also for rules that would keep nothing,
/// SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid for what is said above.
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
/// `request` (JSON, `request_len` bytes) has `kind`, `"age"` to encrypt or `"sign"` to sign, and `out`, the
/// new file that the secret half is written to; one that is there is never replaced. Without `out` the secret
/// half is in the document, which is that of `seaworthy keygen --json` and owned by the caller. `document` and
/// `error` may be NULL; what is put there is the caller's to free.
///
/// Any thread, but not inside a callback. Answers SW_E_REQUEST, SW_E_ALREADY_EXISTS, the codes of a file that
/// cannot be written, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_REENTRANT, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid for what is said above.
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
