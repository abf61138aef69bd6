//! Certificates.

use std::{ffi::c_char, path::PathBuf};

use seaworthy::{
    Seaworthy,
    command::{CertRequest, CleanupRequest, ImportRequest, Target},
    core::{Context, Name, Result},
    tls::RevocationReason,
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
enum Cert {
    Issue(Run),
    Renew(Run),
    List(Nothing),
    Show(Named),
    Check(Check),
    Revoke(Revoke),
    ImportCertbot(Import),
    Cleanup(Cleanup),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Run {
    names: Vec<Name>,
    dry_run: bool,
    staging: bool,
    force: bool,
    strict: bool,
    skip_checks: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Named {
    names: Vec<Name>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Check {
    targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    names: Vec<Name>,
    #[serde(default)]
    reason: RevocationReason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    from: PathBuf,
    #[serde(default)]
    names: Vec<Name>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    roll_over: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Cleanup {
    dry_run: bool,
    look_in: Vec<PathBuf>,
}

impl From<Run> for CertRequest {
    fn from(run: Run) -> Self {
        let Run { names, dry_run, staging, force, strict, skip_checks } = run;
        Self { names, dry_run, staging, force, strict, skip_checks, detailed: true }
    }
}

impl Check {
    fn targets(&self) -> Result<Vec<Target>> {
        self.targets.iter().map(|target| target.parse()).collect()
    }
}

async fn run(seaworthy: &Seaworthy, request: Cert, cx: &Context) -> Finished {
    match request {
        Cert::Issue(run) => {
            Finished::new("cert issue", seaworthy.cert_issue(&run.into(), cx).await)
        }
        Cert::Renew(run) => {
            Finished::new("cert renew", seaworthy.cert_renew(&run.into(), cx).await)
        }
        Cert::List(Nothing {}) => Finished::new("cert list", seaworthy.cert_list(cx).await),
        Cert::Show(Named { names }) => {
            Finished::new("cert show", seaworthy.cert_show(&names, cx).await)
        }
        Cert::Check(check) => {
            let reply = match check.targets() {
                Ok(targets) => seaworthy.cert_check(&targets, cx).await,
                Err(error) => error.into(),
            };
            Finished::new("cert check", reply)
        }
        Cert::Revoke(Revoke { names, reason }) => {
            Finished::new("cert revoke", seaworthy.cert_revoke(&names, reason, cx).await)
        }
        Cert::ImportCertbot(Import { from, names, dry_run, roll_over }) => {
            let request = ImportRequest { from, names, dry_run, roll_over };
            Finished::new("cert import-certbot", seaworthy.cert_import(&request, cx).await)
        }
        Cert::Cleanup(Cleanup { dry_run, look_in }) => {
            let request = CleanupRequest { dry_run, look_in };
            Finished::new("cert cleanup", seaworthy.cert_cleanup(&request, cx).await)
        }
    }
}

/// Issues, renews, lists and checks certificates.
///
/// `request` has `command` and what belongs to it; the document is that of `seaworthy cert COMMAND --json`:
/// `issue` and `renew` with `names`, all of them where it is empty, `dry_run`, `staging`, `force`, `strict`,
/// `skip_checks`; `list`; `show` with `names`; `check` with `targets`, certificates or `"HOST:PORT"`;
/// `revoke` with `names` and `reason`; `import-certbot` with `from`, certbot's folder, `names`, `dry_run`
/// and `roll_over`; `cleanup` with `dry_run` and `look_in`. Where nothing had to be done the document's
/// `outcome` is `nothing_to_do`. Ownership, threads and errors are those of `sw_backup`; SW_E_FINDINGS where a
/// certificate is not as it should be, SW_E_FAILED where one was issued and is not being served.
///
/// # Safety
/// That of `sw_backup`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cert(
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
        commands(arguments, |seaworthy, request: Cert, cx| async move {
            run(&seaworthy, request, &cx).await
        })
    }
}
