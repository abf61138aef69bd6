//! From the command line of `cert` to the facade and back.

use seaworthy::{
    Outcome, Seaworthy,
    command::{CertRequest, CleanupRequest, ImportRequest},
    core::Context,
};

use crate::{
    cert_arguments::{CertCommand, Run},
    run::Finish,
};

/// Does what the command line asks for.
pub(crate) async fn run(
    command: CertCommand,
    seaworthy: &Seaworthy,
    finish: &Finish<'_>,
    cx: &Context,
) -> Outcome {
    match command {
        CertCommand::Issue(run) => {
            finish.with(seaworthy.cert_issue(&request(run, false), cx).await)
        }
        CertCommand::Renew { run, detailed_exit_code } => {
            finish.with(seaworthy.cert_renew(&request(run, detailed_exit_code), cx).await)
        }
        CertCommand::List => finish.with(seaworthy.cert_list(cx).await),
        CertCommand::Show { names } => finish.with(seaworthy.cert_show(&names, cx).await),
        CertCommand::Check { targets } => finish.with(seaworthy.cert_check(&targets, cx).await),
        CertCommand::Revoke { names, reason } => {
            finish.with(seaworthy.cert_revoke(&names, reason.into(), cx).await)
        }
        CertCommand::ImportCertbot { names, from, dry_run, roll_over } => {
            let request = ImportRequest { from, names, dry_run, roll_over };
            finish.with(seaworthy.cert_import(&request, cx).await)
        }
        CertCommand::Cleanup { dry_run, look_in } => {
            finish.with(seaworthy.cert_cleanup(&CleanupRequest { dry_run, look_in }, cx).await)
        }
    }
}

fn request(run: Run, detailed: bool) -> CertRequest {
    let Run { names, dry_run, staging, force, strict, skip_checks } = run;
    CertRequest { names, dry_run, staging, force, strict, skip_checks, detailed }
}
