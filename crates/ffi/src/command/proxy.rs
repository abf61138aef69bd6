//! nginx's configuration.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::{
    Seaworthy,
    command::{ProxyApplyRequest, ProxySwitchRequest},
    core::{Context, Name},
};
use serde::Deserialize;

use super::Nothing;
use crate::{
    callback::CallTable,
    context::ContextHandle,
    error::ErrorHandle,
    run::{Arguments, Finished, commands},
    string::StringHandle,
};

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
enum Proxy {
    Render(Render),
    Check(Nothing),
    Diff(Nothing),
    Apply(Apply),
    Switch(Switch),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Render {
    out: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Apply {
    dry_run: bool,
    keep_going: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    site: Name,
    to: Name,
}

async fn run(seaworthy: &Seaworthy, request: Proxy, cx: &Context) -> Finished {
    match request {
        Proxy::Render(Render { out }) => {
            Finished::new("proxy render", seaworthy.proxy_render(out.as_deref(), cx).await)
        }
        Proxy::Check(Nothing {}) => Finished::new("proxy check", seaworthy.proxy_check(cx).await),
        Proxy::Diff(Nothing {}) => Finished::new("proxy diff", seaworthy.proxy_diff(cx).await),
        Proxy::Apply(Apply { dry_run, keep_going }) => {
            let request = ProxyApplyRequest { dry_run, keep_going, detailed_exit_code: true };
            Finished::new("proxy apply", seaworthy.proxy_apply(request, cx).await)
        }
        Proxy::Switch(Switch { site, to }) => {
            let request = ProxySwitchRequest::new(site, to);
            Finished::new("proxy switch", seaworthy.proxy_switch(&request, cx).await)
        }
    }
}

/// Renders, checks, compares and installs nginx's configuration.
///
/// `request` has `command` and what belongs to it; the document is that of `seaworthy proxy COMMAND --json`:
/// `render` with `out`, a folder that the files are written to, too; `check`, which lints and lets nginx
/// try; `diff`; `apply` with `dry_run` and `keep_going`; `switch` with `site` and `to`, a pool of servers.
/// Where nothing had to be done the document's `outcome` is `nothing_to_do`. Ownership, threads and
/// errors are those of `sw_backup`; SW_E_FINDINGS where what is installed differs.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_proxy(
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
        commands(arguments, |seaworthy, request: Proxy, cx| async move {
            run(&seaworthy, request, &cx).await
        })
    }
}
