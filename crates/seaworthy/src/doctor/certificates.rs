//! Certificates: DNS, ports, CAA and the clock, as their authorities will see them.

use futures_util::future::join_all;
use seaworthy_core::{Context, Name};
use seaworthy_tls::manage::Weight;

use super::Checks;
use crate::{Seaworthy, certificates::Shared};

impl Seaworthy {
    /// Looks at everything that an authority would look at, without asking one for anything.
    pub(super) async fn try_certificates(&self, cx: &Context) -> Vec<Checks> {
        let mut shared = Shared::default();
        let mut all = Vec::new();
        let mut ready = Vec::new();
        for (name, config) in self.config.certificate.iter() {
            if let Some(files) = &config.external {
                all.push(external(name, &[&files.chain, &files.key]));
                continue;
            }
            match self.managed_certificate(name, false, &mut shared, cx).await {
                Ok(certificate) => ready.push((name, certificate)),
                Err(error) => {
                    let mut checks = Checks::of(format!("certificate {name}"));
                    checks.error("open", &error);
                    all.push(checks);
                }
            }
        }
        let looked = ready.iter().map(|(name, certificate)| async move {
            let mut checks = Checks::of(format!("certificate {name}"));
            let looks = certificate.prechecks.iter().map(|precheck| precheck.look(cx));
            let findings: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
            for finding in &findings {
                let message = finding.to_string();
                match finding.weight {
                    Weight::Certain => checks.fail("names", message, &finding.remedy),
                    _ => checks.warn("names", message, &finding.remedy),
                }
            }
            match (findings.is_empty(), certificate.prechecks.is_empty()) {
                (_, true) => checks.skip("names", "its authority is of this machine"),
                (true, _) => checks.ok("names", "DNS, ports and the clock are as they should be"),
                _ => {}
            }
            if let Err(error) = self.certificate_manager().store().probe(name) {
                checks.error("store", &error);
            } else {
                checks.ok("store", "its folder can be written");
            }
            checks
        });
        all.extend(join_all(looked).await);
        all
    }
}

fn external(name: &Name, files: &[&std::path::Path]) -> Checks {
    let mut checks = Checks::of(format!("certificate {name}"));
    for file in files {
        let shown = file.display();
        match std::fs::File::open(file) {
            Ok(_) => checks.ok("files", format!("{shown} can be read")),
            Err(e) => {
                let message = format!("cannot read {shown}: {e}");
                checks.fail("files", message, "has somebody issued it, and may we read it?");
            }
        }
    }
    checks
}
