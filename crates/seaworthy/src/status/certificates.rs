//! The state of certificates on disk and on servers.

use futures_util::{StreamExt, stream};
use seaworthy_core::{Context, Error, Name, Result};
use seaworthy_tls::Action;

use super::{CertificateStatus, Finding, ServerStatus, Severity};
use crate::Seaworthy;

/// How many certificates are checked in parallel.
const SIDE_BY_SIDE: usize = 256;

impl Seaworthy {
    /// The status of the certificates of the file, in its order.
    pub(super) async fn certificate_states(
        &self,
        cx: &Context,
    ) -> Vec<(CertificateStatus, Vec<Finding>)> {
        let names = self.config.certificate.names();
        let looks = names.map(|name| async move {
            self.certificate_state(name, cx)
                .await
                .unwrap_or_else(|error| could_not_look(name, &error))
        });
        let looks: Vec<_> = looks.collect();
        stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await
    }

    async fn certificate_state(
        &self,
        name: &Name,
        cx: &Context,
    ) -> Result<(CertificateStatus, Vec<Finding>)> {
        let manager = self.certificate_manager();
        let state = self.cert_state(&manager, name, cx)?;
        let checked = self.check_certificate(name, cx).await?;
        let mut status = CertificateStatus {
            name: name.clone(),
            names: state.names.iter().map(ToString::to_string).collect(),
            issuer: state.issuer,
            not_before: state.not_before,
            not_after: state.not_after,
            days_left: state.not_after.map(|end| end.since(cx.now()).as_secs() / 86_400),
            renewal: match state.action {
                Some(Action::Rest { until } | Action::Wait { until }) => Some(until),
                Some(Action::Renew { .. }) => Some(cx.now()),
                _ => None,
            },
            served: None,
            servers: Vec::new(),
        };
        let mut findings = Vec::new();
        for one in &checked {
            let well = one.findings.is_empty();
            // The first one is the one on disk.
            let is_server = one.target != name.as_str();
            if is_server {
                status.served = Some(status.served.unwrap_or(true) && well);
                status.servers.push(ServerStatus {
                    target: one.target.clone(),
                    address: one.address.map(|address| address.to_string()),
                    well,
                });
            }
            for message in &one.findings {
                let (subject, rule) = match one.address {
                    Some(address) => {
                        (format!("{name} at {} ({address})", one.target), "certificate.served")
                    }
                    None if is_server => {
                        (format!("{name} at {}", one.target), "certificate.served")
                    }
                    None => (name.to_string(), "certificate.disk"),
                };
                let finding = Finding::new(Severity::Error, rule, subject, message);
                findings.push(finding.remedy(format!("`seaworthy cert renew {name}`")));
            }
        }
        Ok((status, findings))
    }
}

fn could_not_look(name: &Name, error: &Error) -> (CertificateStatus, Vec<Finding>) {
    let status = CertificateStatus {
        name: name.clone(),
        names: Vec::new(),
        issuer: None,
        not_before: None,
        not_after: None,
        days_left: None,
        renewal: None,
        served: None,
        servers: Vec::new(),
    };
    let subject = name.to_string();
    let mut finding = Finding::new(Severity::Error, "certificate.disk", subject, error.chain());
    finding.remedy = error.remedy().map(Into::into);
    (status, vec![finding])
}
