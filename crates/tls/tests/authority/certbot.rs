//! What certbot left is taken over: by the real certbot, at a real Pebble.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use seaworthy_core::{Context, ErrorKind};
use seaworthy_tls::{
    Action, CertificateKey, CertificateProvider, CertificateRequest, KeyType, PrivateKey, Reason,
    acme::{AcmeAuthority, AcmeProvider},
    certbot,
    manage::RunOptions,
    solver::Standalone,
};

use crate::{
    lab::{Lab, ids},
    proxy::{Fate, Proxy},
};

/// Lets certbot get a certificate, with an account of its own kind: RSA. Whether it could.
fn run_certbot(lab: &Lab, directory: &str, name: &str) -> bool {
    let path = |below: &str| lab.path("certbot").join(below);
    let output = Command::new("certbot")
        .args(["certonly", "-n", "--standalone", "--http-01-port", &lab.http_port.to_string()])
        .args(["--agree-tos", "--register-unsafely-without-email", "--server", directory])
        .args(["--cert-name", "site", "--force-renewal", "-d", name])
        .arg("--config-dir")
        .arg(path("etc"))
        .arg("--work-dir")
        .arg(path("work"))
        .arg("--logs-dir")
        .arg(path("log"))
        .env("REQUESTS_CA_BUNDLE", lab.path("lab-ca/root.pem"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("cannot run certbot: {e}; see `programs` in scripts/test"));
    output.status.success()
}

fn account_files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn certbots_rsa_account_gets_a_new_key_and_is_ours() {
    let lab = Lab::new().await;
    let loses = Arc::new(AtomicBool::new(true));
    let rule = loses.clone();
    let proxy = Proxy::start(&lab, move |asked| match asked.path.as_str() {
        "/rollover-account-key" if rule.swap(false, Ordering::SeqCst) => Fate::Lose,
        _ => Fate::Pass,
    })
    .await;
    assert!(run_certbot(&lab, &proxy.directory(), "a.test.example"));
    let from = lab.path("certbot/etc");
    let before = std::fs::read(from.join("renewal/site.conf")).unwrap();
    let found = certbot::read(&from, &[]).unwrap();
    let [account] = found.accounts.as_slice() else { panic!("{:?}", found.accounts) };
    assert_eq!(account.directory, proxy.directory());

    // Nothing is changed unless somebody says so.
    let error = account.install(&lab.store(), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("RSA"), "{error}");
    assert!(error.remedy().unwrap().contains("roll_over"), "{error:?}");
    assert!(run_certbot(&lab, &proxy.directory(), "a.test.example"));

    let options = lab.options(&proxy.directory());
    let folder = options.account_folder.clone();
    let authority = AcmeAuthority::new(options).unwrap();
    let old = PrivateKey::from_pem(account.key.as_ref().unwrap().expose()).unwrap();
    assert_eq!(old.key_type(), KeyType::Rsa2048);
    // The answer to the change is lost: the new key shows that it was done.
    assert!(authority.roll_over_account_key(&account.url, &old).await.unwrap());
    assert!(!loses.load(Ordering::SeqCst), "an answer was lost");
    assert_eq!(authority.account_url().as_deref(), Some(&*account.url));
    assert_eq!(account_files(&folder), ["account.json"]);
    assert!(
        !authority.roll_over_account_key(&account.url, &old).await.unwrap(),
        "it is ours already"
    );

    // The account is used, and no other one is registered.
    let address = format!("127.0.0.1:{}", lab.http_port).parse().unwrap();
    let provider =
        Arc::new(AcmeProvider::new(authority.clone(), Arc::new(Standalone::new(address))));
    let manager = lab.manager();
    let lineage = &found.lineages[0];
    let cx = Context::new();
    manager.take_over(&lineage.name, &lineage.chain, &lineage.key, &lineage.server, &cx).unwrap();
    let certificate = lab.certificate("site", &["a.test.example"], provider.clone());
    assert!(manager.run(&certificate, &RunOptions::default(), &cx).await.is_unchanged());
    let mut force = RunOptions::default();
    force.force = true;
    let report = manager.run(&certificate, &force, &cx).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(report.action, Action::Renew { reason: Reason::Forced });
    assert_eq!(authority.account_url().as_deref(), Some(&*account.url));
    assert_eq!(account_files(&folder), ["account.json"]);

    // certbot's files are unchanged, and its key no longer works.
    assert_eq!(std::fs::read(from.join("renewal/site.conf")).unwrap().len(), before.len());
    assert!(!run_certbot(&lab, &proxy.directory(), "a.test.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_keys_that_is_refused_leaves_the_account_as_it_is() {
    let lab = Lab::new().await;
    let stranger = PrivateKey::generate(KeyType::Rsa2048).unwrap();
    let provider = lab.provider();
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(&["a.test.example"]));
    provider.issue(&request, &key, &Context::new()).await.unwrap();
    let url = provider.authority().account_url().unwrap();

    let mut options = lab.options(&lab.directory());
    options.account_folder = lab.path("elsewhere");
    let other = AcmeAuthority::new(options).unwrap();
    let error = other.roll_over_account_key(&url, &stranger).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    assert!(error.remedy().unwrap().contains("registered automatically"), "{error:?}");
    assert_eq!(other.account_url(), None);
    provider.issue(&request, &key, &Context::new()).await.unwrap();
}
