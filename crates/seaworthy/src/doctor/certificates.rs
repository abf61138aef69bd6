//! Certificates: DNS, ports, CAA and the clock, as their authorities will see them.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use seaworthy_core::{Context, ErrorKind, Findings, Name};
use seaworthy_tls::{acme::AcmeAuthority, manage::Weight};

use crate::Seaworthy;

/// How far an authority's clock may differ, in seconds: as long as an order takes.
const MAX_SKEW: i64 = 300;

impl Seaworthy {
    /// Checks everything that an authority would check, without requesting anything from one.
    pub(super) async fn try_certificates(&self, cx: &Context) -> Vec<Findings> {
        let opener = self.certificate_opener();
        let mut all = Vec::new();
        let mut ready = Vec::new();
        for (name, config) in self.config.certificate.iter() {
            if let Some(files) = &config.external {
                all.push(external(name, &[&files.chain, &files.key]));
                continue;
            }
            match self.managed_certificate(name, &opener, cx).await {
                Ok(certificate) => ready.push((name, certificate)),
                Err(error) => {
                    let mut checks = Findings::of(format!("certificate {name}"));
                    checks.error("open", &error);
                    all.push(checks);
                }
            }
        }
        let looked = ready.iter().map(|(name, certificate)| async move {
            let mut checks = Findings::of(format!("certificate {name}"));
            let looks = certificate.prechecks.iter().map(|precheck| precheck.look(cx));
            let made = self.missing_answer_folders(name);
            let findings: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
            // What was created for an answer is removed again; files of others stay.
            made.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
            for finding in &findings {
                let message = finding.to_string();
                match finding.weight {
                    Weight::Certain => checks.fail("names", message, &finding.remedy),
                    _ => checks.warn("names", message, &finding.remedy),
                }
            }
            match (findings.is_empty(), certificate.prechecks.is_empty()) {
                (_, true) => checks.skip("names", "its authority is on this machine"),
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
        let authorities = opener.authorities();
        let authorities = authorities.iter().map(|(name, authority)| reach(name, authority));
        let (authorities, looked) = tokio::join!(join_all(authorities), join_all(looked));
        all.extend(authorities);
        all.extend(looked);
        all
    }
}

impl Seaworthy {
    /// The folders for answers of the certificate `name` that do not exist yet, innermost first.
    fn missing_answer_folders(&self, name: &Name) -> Vec<PathBuf> {
        let config = self.config.certificate.get(name.as_str());
        let challenge = config.and_then(|config| config.challenge.as_ref());
        let webroot = challenge.and_then(|challenge| challenge.as_kind().webroot());
        let answers = webroot.map(|webroot| webroot.join(".well-known/acme-challenge"));
        let folders = answers.iter().flat_map(|answers| answers.ancestors());
        folders.take_while(|folder| !folder.exists()).map(Path::to_owned).collect()
    }
}

/// Whether an authority responds, and its time.
async fn reach(name: &Name, authority: &AcmeAuthority) -> Findings {
    let mut checks = Findings::of(format!("ca {name}"));
    let remedy = "is `directory` right, and can this machine connect to it? For a server with a \
             private authority set `roots`";
    match authority.clock_ahead().await {
        Ok(ahead) if ahead.abs() > MAX_SKEW => {
            let (way, off) = if ahead < 0 { ("ahead of", -ahead) } else { ("behind", ahead) };
            let message = format!("this machine's clock is {off} s {way} the authority's");
            checks.fail("clock", message, "set the clock: `timedatectl set-ntp true`");
        }
        Ok(_) => checks.ok(
            "reach",
            format!("{} responds, and its clock agrees with ours", authority.directory()),
        ),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            checks.ok("reach", format!("{} answers", authority.directory()));
        }
        Err(error) => checks.fail("reach", error.chain(), error.remedy().unwrap_or(remedy)),
    }
    checks
}

fn external(name: &Name, files: &[&Path]) -> Findings {
    let mut checks = Findings::of(format!("certificate {name}"));
    for file in files {
        let shown = file.display();
        match std::fs::File::open(file) {
            Ok(_) => checks.ok("files", format!("{shown} can be read")),
            Err(e) => {
                let message = format!("cannot read {shown}: {e}");
                checks.fail("files", message, "was it issued, and are we allowed to read it?");
            }
        }
    }
    checks
}
