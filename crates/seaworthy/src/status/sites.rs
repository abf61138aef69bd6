//! The responses of the web server for each host.

use seaworthy_core::{Context, Error, Result};
use seaworthy_proxy_config::{NginxInstaller, SiteAnswer};

use super::{Finding, Severity, SiteStatus};
use crate::Seaworthy;

impl Seaworthy {
    /// The status of every host of every site.
    pub(super) async fn site_states(&self, cx: &Context) -> Vec<(SiteStatus, Vec<Finding>)> {
        if self.config.site.is_empty() {
            return Vec::new();
        }
        let answers = async {
            let installer = NginxInstaller::new(&self.config.web()?)?;
            let look = installer.look();
            tokio::select! {
                answers = look => Ok(answers),
                () = cx.cancel().triggered() => Err(Error::cancelled("status")),
            }
        };
        let answers: Result<Vec<SiteAnswer>> = answers.await;
        // Unreadable sites were already refused with the file; a cancellation reports itself.
        answers.unwrap_or_default().into_iter().map(state).collect()
    }
}

fn state(answer: SiteAnswer) -> (SiteStatus, Vec<Finding>) {
    let mut findings = Vec::new();
    let why = answer.why.clone();
    if let Some(why) = &why {
        let subject = format!("{} ({})", answer.site, answer.host);
        let message = format!("it does not respond correctly: {why}");
        let remedy = match answer.code {
            Some(_) => "the error log of nginx and that of the service say why",
            None => "is nginx running? `seaworthy proxy diff` says whether it has these sites",
        };
        let finding = Finding::new(Severity::Error, "site.down", subject, message);
        findings.push(finding.remedy(remedy));
    }
    let status = SiteStatus {
        site: answer.site,
        host: answer.host,
        address: answer.address.to_string(),
        tls: answer.tls,
        well: why.is_none(),
        code: answer.code,
        milliseconds: u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
        why,
    };
    (status, findings)
}
