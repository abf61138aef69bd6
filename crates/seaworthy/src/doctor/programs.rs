//! Programs in the file, and nginx.

use seaworthy_core::{CommandLine, Context, Findings};
use seaworthy_proxy_config::NEWER_NGINX;
use seaworthy_tls::manage::missing_programs;

use crate::Seaworthy;

impl Seaworthy {
    /// Checks that each program exists, and that nginx accepts the sites.
    pub(super) async fn try_programs(&self, cx: &Context) -> Vec<Findings> {
        let mut all = Vec::new();
        let mut look = |part: String, commands: Vec<&CommandLine>| {
            if commands.is_empty() {
                return;
            }
            let mut checks = Findings::of(part);
            let missing = missing_programs(
                commands.iter().copied(),
                self.environment.variables().get("PATH"),
            );
            for finding in &missing {
                checks.fail("programs", &finding.message, &finding.remedy);
            }
            if missing.is_empty() {
                let mut names: Vec<_> = commands.iter().map(|command| command.program()).collect();
                names.sort_unstable();
                names.dedup();
                checks.ok("programs", format!("{} can be run", names.join(", ")));
            }
            all.push(checks);
        };
        for (name, job) in self.config.backup.iter() {
            let sources = self.sources(name).flat_map(|(_, source)| source.programs());
            let around = job.restore.before.iter().chain(&job.restore.after);
            look(format!("backup {name}"), sources.chain(around).collect());
        }
        for (name, certificate) in self.config.certificate.iter() {
            let commands = certificate.check.iter().chain(&certificate.deploy);
            look(format!("certificate {name}"), commands.collect());
        }
        for (name, notifier) in self.config.notify.iter() {
            let commands = notifier.notifier.as_kind().commands();
            if !commands.is_empty() {
                look(format!("notify {name}"), commands);
            }
        }
        let systemctl = CommandLine::new(["systemctl"]).ok();
        if !self.config.service.is_empty() {
            look("services".to_owned(), systemctl.iter().collect());
        }
        if self.config.proxy.is_some() || !self.config.site.is_empty() {
            all.push(self.try_nginx(cx).await);
        }
        all
    }

    async fn try_nginx(&self, cx: &Context) -> Findings {
        let mut checks = Findings::of("proxy");
        let reply = self.proxy_check(&Default::default(), cx).await;
        if let Some(result) = &reply.result {
            let runs = format!("nginx {} runs", result.nginx);
            match result.lacks.as_slice() {
                [] => checks.ok("program", runs),
                lacks => {
                    checks.warn("program", format!("{runs}, but {}", lacks.join("; ")), NEWER_NGINX)
                }
            }
        }
        match &reply.error {
            Some(error) => checks.error("sites", error),
            None => checks.ok("sites", "nginx accepts the sites"),
        }
        for finding in reply.result.iter().flat_map(|result| &result.findings) {
            let message = format!("{}: {}", finding.field, finding.message);
            checks.warn("sites", message, "`seaworthy proxy check` says more");
        }
        checks
    }
}
