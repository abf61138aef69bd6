//! Services, and new versions of them.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::{
    Seaworthy,
    command::{DeployFrom, DeployRequest, ServiceApplyRequest, ServiceKind, ServiceVerb},
    core::{Context, Name},
};
use serde::Deserialize;

use crate::{
    callback::CallTable,
    context::ContextHandle,
    error::ErrorHandle,
    run::{Arguments, Finished, commands},
    string::StringHandle,
};

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
enum Service {
    Render(Render),
    Check(Check),
    Diff(Diff),
    Apply(Apply),
    Start(One),
    Stop(One),
    Restart(One),
    Status(Named),
    Deploy(Deploy),
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    #[default]
    Systemd,
    Pm2,
    Cron,
    GithubActions,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Render {
    r#type: Kind,
    out: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Check {
    r#type: Kind,
    folder: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Diff {
    r#type: Kind,
    out: Option<PathBuf>,
    folder: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Apply {
    r#type: Kind,
    dry_run: bool,
    folder: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    name: Name,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Named {
    names: Vec<Name>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deploy {
    service: Name,
    from: Option<PathBuf>,
}

impl From<Kind> for ServiceKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Systemd => Self::Systemd,
            Kind::Pm2 => Self::Pm2,
            Kind::Cron => Self::Cron,
            Kind::GithubActions => Self::GithubActions,
        }
    }
}

async fn run(seaworthy: &Seaworthy, request: Service, cx: &Context) -> Finished {
    let verb = async |name, verb, One { name: service }: One| {
        Finished::new(name, seaworthy.service_run(verb, &service, cx).await)
    };
    match request {
        Service::Render(Render { r#type, out }) => {
            let reply = seaworthy.service_render(r#type.into(), out.as_deref());
            Finished::new("service render", reply)
        }
        Service::Check(Check { r#type, folder }) => {
            let reply = seaworthy.service_check(r#type.into(), folder, cx).await;
            Finished::new("service check", reply)
        }
        Service::Diff(Diff { r#type, out, folder }) => {
            let reply = seaworthy.service_diff(r#type.into(), out.as_deref(), folder.as_deref());
            Finished::new("service diff", reply)
        }
        Service::Apply(Apply { r#type, dry_run, folder }) => {
            let kind = r#type.into();
            let request = ServiceApplyRequest { kind, dry_run, detailed_exit_code: true, folder };
            Finished::new("service apply", seaworthy.service_apply(&request, cx).await)
        }
        Service::Start(one) => verb("service start", ServiceVerb::Start, one).await,
        Service::Stop(one) => verb("service stop", ServiceVerb::Stop, one).await,
        Service::Restart(one) => verb("service restart", ServiceVerb::Restart, one).await,
        Service::Status(Named { names }) => {
            Finished::new("service status", seaworthy.service_status(&names, cx).await)
        }
        Service::Deploy(Deploy { service, from }) => {
            let from = from.map_or(DeployFrom::Before, DeployFrom::Files);
            let request = DeployRequest { service, from };
            Finished::new("deploy", seaworthy.deploy(&request, cx).await)
        }
    }
}

/// Renders, checks, compares, installs and runs services, and brings new versions of them into use.
///
/// `request` has `command` and what belongs to it; the document is that of `seaworthy service COMMAND --json`:
/// `render` with `type` (`"systemd"`, which is the usual one, `"pm2"`, `"cron"` or `"github-actions"`) and
/// `out`, a folder that the files are written to; `check` with `type` and `folder`, where systemd or cron
/// looks; `diff` with `type`, `out` and `folder`; `apply` with `type`, `dry_run` and `folder`; `start`, `stop`
/// and `restart` with `name`; `status` with `names`, all of them where it is empty; and `deploy`, as
/// `seaworthy deploy`, with `service` and `from`, a folder or an archive, the release before this one
/// where nothing is said. Where nothing had to be done the document's `outcome` is `nothing_to_do`.
/// Ownership, threads and errors are those of `sw_backup`; SW_E_FINDINGS where something differs, or is
/// not well.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_service(
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
        commands(arguments, |seaworthy, request: Service, cx| async move {
            run(&seaworthy, request, &cx).await
        })
    }
}
