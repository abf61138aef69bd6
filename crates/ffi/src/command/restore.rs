//! Restoring.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::{
    command::{Destination, RestoreIntent, RestoreRequest},
    core::{Error, ErrorKind, Name, Result},
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    snapshot: String,
    source: Option<Name>,
    sink: Option<Name>,
    #[serde(default)]
    only: Vec<PathBuf>,
    to: Option<PathBuf>,
    #[serde(default)]
    in_place: bool,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    yes: bool,
    #[serde(default)]
    identity: Vec<PathBuf>,
}

impl Restore {
    fn request(self) -> Result<RestoreRequest> {
        let to = match (self.to, self.in_place) {
            (Some(target), false) => match Destination::parse(target.as_os_str())? {
                Destination::Folder(folder) => {
                    Destination::Folder(std::path::absolute(&folder).map_err(|e| {
                        let message = format!("cannot find {}", folder.display());
                        Error::io("restore.prepare", message, e)
                    })?)
                }
                database => database,
            },
            (None, true) => Destination::InPlace,
            _ => {
                let message = "a restore goes either `to` a folder or `in_place`";
                return Err(Error::new(ErrorKind::InvalidInput, "restore.prepare", message));
            }
        };
        let Self { source, sink, only, force, .. } = self;
        Ok(RestoreRequest { snapshot: self.snapshot.parse()?, source, sink, only, force, to })
    }
}

/// Without a `yes` a restore in place says what it would do, and does not.
fn confirm(intent: &RestoreIntent, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let list = |items: Vec<String>| serde_json::Value::from(items).to_string();
    let places = intent.places.clone();
    let before = intent.before.iter().map(ToString::to_string).collect();
    let message = format!("restoring {}@{} in place replaces data", intent.job, intent.id);
    Err(Error::new(ErrorKind::InvalidInput, "restore.confirm", message)
        .with("places", list(places))
        .with("before", list(before))
        .remedy_is("say `yes`, or restore `to` a folder"))
}

/// Restores a snapshot, or a part of it, to a new or empty folder or in place.
///
/// `request` has `snapshot`, `"JOB"` or `"JOB@ID"`; `to`, a folder or a database's URL, or `in_place`; `source`, to restore only
/// that one; `sink`, to take it from that one; `only`, a list of paths or tables; `force`, for one that is not trusted;
/// `identity`, as with `sw_show`. A restore in place also needs
/// `yes`: without it SW_E_INVALID_INPUT is answered, with `places` and `before` in the error's context,
/// and nothing is touched. The document is that of `seaworthy restore --json`. Ownership, threads and
/// errors are those of `sw_backup`.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_restore(
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
        command(arguments, "restore", |seaworthy, request: Restore, cx| async move {
            let yes = request.yes;
            let seaworthy = match with_identities(&seaworthy, &request.identity) {
                Ok(seaworthy) => seaworthy,
                Err(error) => return error.into(),
            };
            match request.request() {
                Ok(request) => {
                    seaworthy.restore(&request, &move |intent| confirm(intent, yes), &cx).await
                }
                Err(error) => error.into(),
            }
        })
    }
}
