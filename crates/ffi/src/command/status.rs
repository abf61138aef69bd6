//! How everything does.

use std::ffi::c_char;

use seaworthy::StatusRequest;
use serde::Deserialize;

use crate::{
    callback::CallTable,
    context::ContextHandle,
    error::ErrorHandle,
    run::{Arguments, command},
    string::StringHandle,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Look {
    all_hosts: bool,
}

/// Says how backups, certificates, sites, services and disks do, as they themselves say.
///
/// `request` has `all_hosts`: whether the backups of other machines in the same sinks are told too.
/// The document is that of `seaworthy status --json`; its `outcome` is `findings` where something is
/// wrong. Ownership, threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_status(
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
        command(arguments, "status", |seaworthy, request: Look, cx| async move {
            seaworthy.status(&StatusRequest { all_hosts: request.all_hosts }, &cx).await
        })
    }
}
