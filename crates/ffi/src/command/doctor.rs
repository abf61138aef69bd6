//! Whether each part can work here.

use std::ffi::c_char;

use seaworthy::doctor::DoctorRequest;
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
struct Examine {
    notify: bool,
}

/// Tries each part of the configuration for real, and says what to do about what does not work.
///
/// `request` has `notify`: whether each notifier is sent a test message. The document is that of
/// `seaworthy doctor --json`; its `outcome` is `findings` where a check failed. Nothing that is made
/// is left behind. Ownership, threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_doctor(
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
        command(arguments, "doctor", |seaworthy, Examine { notify }: Examine, cx| async move {
            seaworthy.doctor(&DoctorRequest { notify }, &cx).await
        })
    }
}
