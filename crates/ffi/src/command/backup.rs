//! Backing up, and looking at what there is.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::{
    Reply, SnapshotName,
    command::{BackupRequest, ShowRequest, VerifyKind, VerifyRequest},
    core::{Error, ErrorKind, Name, Result},
};
use serde::Deserialize;

use super::{Jobs, with_identities};
use crate::{
    callback::CallTable,
    context::ContextHandle,
    error::ErrorHandle,
    run::{Arguments, command},
    string::StringHandle,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Backup {
    jobs: Vec<Name>,
    dry_run: bool,
    accept: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Show {
    snapshot: String,
    #[serde(default)]
    files: bool,
    #[serde(default)]
    tables: bool,
    #[serde(default)]
    identity: Vec<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Verify {
    snapshots: Vec<String>,
    sink: Option<Name>,
    sample: Option<f64>,
    rebuild_index: bool,
    identity: Vec<PathBuf>,
}

impl Verify {
    fn request(self) -> Result<VerifyRequest> {
        let kind = match (self.sample, self.rebuild_index) {
            (None, false) => VerifyKind::Everything,
            (Some(part), false) => VerifyKind::Sample(part),
            (None, true) => VerifyKind::RebuildIndex,
            (Some(_), true) => {
                let message = "`sample` and `rebuild_index` exclude each other";
                return Err(Error::new(ErrorKind::InvalidInput, "verify", message));
            }
        };
        let snapshots = self.snapshots.iter().map(|name| name.parse());
        let snapshots = snapshots.collect::<Result<Vec<SnapshotName>>>()?;
        Ok(VerifyRequest { snapshots, sink: self.sink, kind })
    }
}

/// Runs backup jobs, one after another.
///
/// `request` (JSON, `request_len` bytes; NULL with 0 is `{}`) has `jobs`, a list of names, all of them where
/// it is empty; `dry_run`; `accept`, which takes a suspect result as good. `call` may be NULL.
/// `*document` is the document that `seaworthy backup --json` prints, there also when a job failed, and owned
/// by the caller, until `sw_string_free`; it stays NULL where the call could not begin. `document` and
/// `error` may be NULL; what is put there is the caller's to free.
///
/// Any thread, several at once, but not inside a callback. Blocks until all its work has ended. Answers 0
/// for success, also with losses, which the document's `outcome` says; SW_E_CANCELLED after a trigger;
/// the kind of the first error; SW_E_FAILED or SW_E_FINDINGS where only the document says what is
/// wrong; SW_E_REQUEST, SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, SW_E_STRUCT_SIZE, SW_E_REENTRANT,
/// SW_E_FORKED, SW_E_PANIC.
///
/// # Safety
/// `ctx` is NULL or a living context; pointers are valid for what is said above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_backup(
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
        command(arguments, "backup", |seaworthy, request: Backup, cx| async move {
            let Backup { jobs, dry_run, accept } = request;
            seaworthy.backup(&BackupRequest { jobs, dry_run, accept }, &cx).await
        })
    }
}

/// Lists snapshots, newest first, per job and sink.
///
/// `request` has `jobs`, as with `sw_backup`. The document is that of `seaworthy snapshots --json`. Ownership,
/// threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_snapshots(
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
        command(arguments, "snapshots", |seaworthy, request: Jobs, cx| async move {
            seaworthy.snapshots(&request.jobs, &cx).await
        })
    }
}

/// Shows what one snapshot holds.
///
/// `request` has `snapshot`, `"JOB"` or `"JOB@ID"`, `files` and `tables`, which list what is in it, and
/// `identity`, files with private keys, those that SEAWORTHY_IDENTITY names where there are none. The document is
/// that of `seaworthy show --json`. Ownership, threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_show(
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
        command(arguments, "show", |seaworthy, request: Show, cx| async move {
            let snapshot = match request.snapshot.parse() {
                Ok(snapshot) => snapshot,
                Err(error) => return Reply::from(error),
            };
            let Show { files, tables, .. } = request;
            let seaworthy = match with_identities(&seaworthy, &request.identity) {
                Ok(seaworthy) => seaworthy,
                Err(error) => return error.into(),
            };
            seaworthy.show_whole(&ShowRequest { snapshot, files, tables }, &cx).await
        })
    }
}

/// Reads snapshots back and checks every byte, in each of their sinks.
///
/// `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, the latest of each job where it is empty;
/// `sink`, to look in that one only; `sample`, the part of the frames to read, above 0 and at most 1; or
/// `rebuild_index`; and `identity`, as with `sw_show`. The document is that of `seaworthy verify --json`. Ownership, threads and errors are
/// those of `sw_backup`; SW_E_FINDINGS where something is damaged.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_verify(
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
        command(arguments, "verify", |seaworthy, request: Verify, cx| async move {
            let seaworthy = match with_identities(&seaworthy, &request.identity) {
                Ok(seaworthy) => seaworthy,
                Err(error) => return error.into(),
            };
            match request.request() {
                Ok(request) => seaworthy.verify(&request, &cx).await,
                Err(error) => error.into(),
            }
        })
    }
}

/// Copies snapshots that other sinks of the jobs still lack.
///
/// `request` has `jobs`, as with `sw_backup`. The document is that of `seaworthy sync --json`. Ownership,
/// threads and errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_sync(
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
        command(arguments, "sync", |seaworthy, request: Jobs, cx| async move {
            seaworthy.sync(&request.jobs, &cx).await
        })
    }
}
