//! What is kept, and why.

use std::ffi::c_char;

use seaworthy::{
    Reply,
    command::{PlanRequest, PruneRequest, plan_retention},
    core::Name,
};
use serde::Deserialize;

use super::OneSnapshot;
use crate::{
    boundary::{enter, outside_callbacks},
    callback::CallTable,
    context::{ContextHandle, clear},
    error::ErrorHandle,
    input,
    run::{Arguments, Finished, answer, command},
    string::StringHandle,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Prune {
    jobs: Vec<Name>,
    dry_run: bool,
}

/// Applies the retention policy of jobs, in each of their sinks, with a reason for each decision.
///
/// `request` has `jobs`, as with `sw_backup`, and `dry_run`. The document is that of
/// `seaworthy prune --json`. Ownership, threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_prune(
    ctx: *const ContextHandle,
    request: *const c_char,
    request_len: usize,
    call: *const CallTable,
    document: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let arguments = Arguments { ctx, request, request_len, call, document, error };
    // SAFETY: as this function's.
    unsafe {
        command(arguments, "prune", |seaworthy, request: Prune, cx| async move {
            let Prune { jobs, dry_run } = request;
            seaworthy.prune(&PruneRequest { jobs, dry_run }, &cx).await
        })
    }
}

/// Protects a snapshot from prune, in every sink that has it.
///
/// `request` has `snapshot`, `"JOB"` or `"JOB@ID"`. The document is that of `seaworthy pin --json`. Ownership,
/// threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_pin(
    ctx: *const ContextHandle,
    request: *const c_char,
    request_len: usize,
    call: *const CallTable,
    document: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let arguments = Arguments { ctx, request, request_len, call, document, error };
    // SAFETY: as this function's.
    unsafe {
        command(arguments, "pin", |seaworthy, request: OneSnapshot, cx| async move {
            match request.name() {
                Ok(name) => seaworthy.pin(&name, &cx).await,
                Err(error) => Reply::from(error),
            }
        })
    }
}

/// Takes a snapshot's protection from prune away.
///
/// Everything is as with `sw_pin`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_unpin(
    ctx: *const ContextHandle,
    request: *const c_char,
    request_len: usize,
    call: *const CallTable,
    document: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let arguments = Arguments { ctx, request, request_len, call, document, error };
    // SAFETY: as this function's.
    unsafe {
        command(arguments, "unpin", |seaworthy, request: OneSnapshot, cx| async move {
            match request.name() {
                Ok(name) => seaworthy.unpin(&name, &cx).await,
                Err(error) => Reply::from(error),
            }
        })
    }
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
