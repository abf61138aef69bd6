//! New key pairs.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::command::{KeyKind, KeygenRequest, keygen};
use serde::Deserialize;

use crate::{
    boundary::{enter, outside_callbacks},
    context::clear,
    error::ErrorHandle,
    input,
    run::{Finished, answer},
    string::StringHandle,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keygen {
    kind: Kind,
    out: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Age,
    Sign,
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
        let Keygen { kind, out } = unsafe { input::request(request, request_len) }?;
        let kind = match kind {
            Kind::Age => KeyKind::Age,
            Kind::Sign => KeyKind::Sign,
        };
        let reply = keygen(&KeygenRequest { kind, out });
        // SAFETY: as this function's.
        unsafe { answer(Finished::new("keygen", reply), document) }
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}
