//! Everything that the file describes: what is due, and what is not yet as the file says.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::command::{ApplyRequest, RunRequest};
use serde::Deserialize;

use super::service::Kind;
use crate::{
    callback::CallTable,
    context::ContextHandle,
    error::ErrorHandle,
    run::{Arguments, command},
    string::StringHandle,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Run {
    dry_run: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Apply {
    dry_run: bool,
    r#type: Kind,
    folder: Option<PathBuf>,
}

/// Does everything that is due now: backups, copies, retention, drills, certificates.
///
/// `request` has `dry_run`, which only says what is due. The document is that of `seaworthy run --json`; where
/// nothing was due its `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run(
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
        command(arguments, "run", |seaworthy, Run { dry_run }: Run, cx| async move {
            seaworthy.run(RunRequest { dry_run, detailed_exit_code: true }, &cx).await
        })
    }
}

/// Brings certificates, the proxy and services to what the file says, in order, or leaves all of it as it was.
///
/// `request` has `dry_run`, which changes nothing and says every file and command; `type` and `folder`, as
/// `sw_service` with `apply`. The document is that of `seaworthy apply --json`; where nothing had to be done its
/// `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_apply(
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
        command(arguments, "apply", |seaworthy, request: Apply, cx| async move {
            let Apply { dry_run, r#type, folder } = request;
            let kind = r#type.into();
            let request = ApplyRequest { dry_run, detailed_exit_code: true, kind, folder };
            seaworthy.apply(&request, &cx).await
        })
    }
}
