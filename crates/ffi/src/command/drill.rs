//! Proving that snapshots can be restored.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::{
    SnapshotName,
    command::DrillRequest,
    core::{Name, Result},
};
use serde::Deserialize;

use super::with_identities;
use crate::{
    callback::CallTable,
    context::ContextHandle,
    error::ErrorHandle,
    run::{Arguments, command},
    string::StringHandle,
};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Drill {
    snapshots: Vec<String>,
    sink: Option<Name>,
    identity: Vec<PathBuf>,
}

impl Drill {
    fn request(self) -> Result<DrillRequest> {
        let snapshots = self.snapshots.iter().map(|name| name.parse());
        let snapshots = snapshots.collect::<Result<Vec<SnapshotName>>>()?;
        Ok(DrillRequest { snapshots, sink: self.sink })
    }
}

/// Restores snapshots into a place that is thrown away, compares it with what was backed up, and records
/// what came of it.
///
/// `request` has `snapshots`, a list of `"JOB"` or `"JOB@ID"`, the latest of each job where it is empty; `sink`,
/// to take them from that one; and `identity`, files with private keys, those that SEAWORTHY_IDENTITY
/// names where there are none. The document is that of `seaworthy drill --json`. Ownership, threads and
/// errors are those of `sw_backup`; SW_E_FINDINGS where something differs.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_drill(
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
        command(arguments, "drill", |seaworthy, request: Drill, cx| async move {
            let seaworthy = match with_identities(&seaworthy, &request.identity) {
                Ok(seaworthy) => seaworthy,
                Err(error) => return error.into(),
            };
            match request.request() {
                Ok(request) => seaworthy.drill(&request, &cx).await,
                Err(error) => error.into(),
            }
        })
    }
}
