//! The `service` commands.

use seaworthy::{
    Outcome, Seaworthy,
    command::{ServiceApplyRequest, ServiceKind, ServiceVerb},
    core::Context,
};

use crate::{
    arguments::{ServiceCommand, ServiceType, ServiceTypeName},
    run::Finish,
};

pub(crate) async fn run(
    seaworthy: &Seaworthy,
    command: ServiceCommand,
    finish: &Finish<'_>,
    cx: &Context,
) -> Outcome {
    match command {
        ServiceCommand::Render { kind, out } => {
            finish.with(seaworthy.service_render(kind.into(), out.as_deref()))
        }
        ServiceCommand::Check { kind, place } => {
            finish.with(seaworthy.service_check(kind.into(), place.folder, cx).await)
        }
        ServiceCommand::Diff { kind, out, place } => finish.with(seaworthy.service_diff(
            kind.into(),
            out.as_deref(),
            place.folder.as_deref(),
        )),
        ServiceCommand::Apply { kind, dry_run, detailed_exit_code, place } => {
            let (kind, folder) = (kind.into(), place.folder);
            let request = ServiceApplyRequest { kind, dry_run, detailed_exit_code, folder };
            finish.with(seaworthy.service_apply(&request, cx).await)
        }
        ServiceCommand::Start { name } => {
            finish.with(seaworthy.service_run(ServiceVerb::Start, &name, cx).await)
        }
        ServiceCommand::Stop { name } => {
            finish.with(seaworthy.service_run(ServiceVerb::Stop, &name, cx).await)
        }
        ServiceCommand::Restart { name } => {
            finish.with(seaworthy.service_run(ServiceVerb::Restart, &name, cx).await)
        }
        ServiceCommand::Status { names } => finish.with(seaworthy.service_status(&names, cx).await),
    }
}

impl From<ServiceType> for ServiceKind {
    fn from(kind: ServiceType) -> Self {
        match kind.kind {
            ServiceTypeName::Systemd => Self::Systemd,
            ServiceTypeName::Pm2 => Self::Pm2,
            ServiceTypeName::Cron => Self::Cron,
            ServiceTypeName::GithubActions => Self::GithubActions,
        }
    }
}
