//! Certificates from Pebble.

use std::{os::unix::fs::PermissionsExt, sync::Arc};

use seaworthy_core::{Context, ErrorKind, Name, Secret};
use seaworthy_tls::{
    Action, CertificateKey, CertificateProvider, CertificateRequest, KeyType, PrivateKey, Reason,
    RevocationReason,
    acme::{AcmeAuthority, AcmeProvider, ExternalAccount},
    manage::{RunOptions, check_pair},
};

use crate::lab::{EAB_KEY, Lab, Pebble, ids};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_issued_stored_and_not_issued_again() {
    let lab = Lab::new().await;
    let provider = lab.provider();
    let manager = lab.manager();
    let certificate =
        lab.certificate("api", &["api.test.example", "www.test.example"], provider.clone());
    let (options, cx) = (RunOptions::default(), Context::new());
    let report = manager.run(&certificate, &options, &cx).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(report.action, Action::Renew { reason: Reason::Missing });
    assert!(report.deployed);

    let live = lab.path("store/live/api");
    for (file, mode) in [
        ("fullchain.pem", 0o644),
        ("privkey.pem", 0o600),
        ("cert.pem", 0o644),
        ("chain.pem", 0o644),
    ] {
        let metadata = std::fs::metadata(live.join(file)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
    }
    let version = manager.store().current(&certificate.name).unwrap().unwrap();
    let key = PrivateKey::from_pem(version.key().unwrap().expose()).unwrap();
    check_pair(&version.chain, &key, &certificate.names, cx.now()).unwrap();
    assert!(version.chain.leaf().is_for(&certificate.names));
    assert_eq!(version.about.provider, lab.directory());
    assert!(!lab.path("state/api/pending-key.pem").exists());
    assert_eq!(std::fs::read_dir(lab.path("www/.well-known/acme-challenge")).unwrap().count(), 0);

    // Nothing is due: no request, no change.
    let before = provider.authority().requests();
    let mut asked = 0;
    for _ in 0..3 {
        let report = manager.run(&certificate, &options, &cx).await;
        assert!(report.is_unchanged() && report.error.is_none(), "{report:?}");
        asked = provider.authority().requests() - before;
    }
    assert!(asked <= 1, "one look for a hint, not {asked} requests");

    // The account is used again by the next run.
    let again = lab.authority();
    let account = again.account_url().unwrap();
    let other = lab.certificate(
        "b",
        &["b.test.example"],
        Arc::new(AcmeProvider::new(
            again,
            Arc::new(seaworthy_tls::solver::Webroot::new(lab.path("www"))),
        )),
    );
    let report = manager.run(&other, &options, &cx).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(lab.authority().account_url().unwrap(), account);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_that_pebble_takes() {
    let lab = Lab::new().await;
    let provider = lab.provider();
    for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048, KeyType::Rsa4096] {
        let key = PrivateKey::generate(kind).unwrap();
        let request = CertificateRequest::new(ids(&["a.test.example"]));
        let chain = provider.issue(&request, &key, &Context::new()).await.unwrap();
        assert!(key.fits(chain.leaf()), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_names_idn_and_addresses() {
    let lab = Lab::new().await;
    let provider = lab.provider();
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let mut names: Vec<String> = (0..98).map(|i| format!("n{i}.test.example")).collect();
    names.push("bücher.example".to_owned());
    names.push("127.0.0.1".to_owned());
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let before = provider.authority().requests();
    let request = CertificateRequest::new(ids(&names));
    let chain = provider.issue(&request, &key, &Context::new()).await.unwrap();
    assert!(chain.leaf().is_for(&request.names));
    let asked = provider.authority().requests() - before;
    println!("100 names: {asked} requests; the floor is {} and polls", 3 + 200 + 2);
    assert!(asked <= 3 + 200 + 2 + 30, "{asked} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn external_accounts_and_other_chains() {
    let pebble = Pebble { external_accounts: true, alternates: 2, ..Pebble::default() };
    let lab = Lab::with(pebble).await;
    let solver = lab.webroot();
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let mut request = CertificateRequest::new(ids(&["a.test.example"]));

    let refused = lab.provider_with(solver.clone());
    let error = refused.issue(&request, &key, &Context::new()).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("eab"), "{error:?}");

    let mut options = lab.options(&lab.directory());
    options.external_account =
        Some(ExternalAccount { key_id: Secret::new("kid-1"), hmac_key: Secret::new(EAB_KEY) });
    let authority = AcmeAuthority::new(options).unwrap();
    let provider = AcmeProvider::new(authority, solver);
    let usual = provider.issue(&request, &key, &Context::new()).await.unwrap();
    let top = |chain: &seaworthy_tls::IssuedChain| {
        chain.above().last().unwrap().issuer_common_name().unwrap().to_owned()
    };
    let mut tops = vec![top(&usual)];
    // Each order has the same other chains: their roots are learnt from Pebble itself.
    for index in 0..3 {
        let url = format!("https://127.0.0.1:{}/roots/{index}", lab.management_port);
        let output = std::process::Command::new("curl").args(["-sSk", &url]).output().unwrap();
        let root = seaworthy_tls::IssuedChain::from_pem(&String::from_utf8_lossy(&output.stdout));
        let wanted = root.unwrap().leaf().issuer_common_name().unwrap().to_owned();
        request.preferred_chain = Some(wanted.clone());
        let chain = provider.issue(&request, &key, &Context::new()).await.unwrap();
        assert_eq!(top(&chain), wanted);
        tops.push(wanted);
    }
    tops.sort();
    tops.dedup();
    assert_eq!(tops.len(), 3);
    request.preferred_chain = Some("No such root".to_owned());
    provider.issue(&request, &key, &Context::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_name_that_fails_is_named_and_stops_no_other_certificate() {
    let lab = Lab::new().await;
    // Nothing listens at this address.
    lab.dns(
        "add-a",
        &serde_json::json!({ "host": "bad.test.example.", "addresses": ["127.0.0.9"] }),
    );
    let provider = lab.provider();
    let certificates: Vec<_> = ["api", "app", "bad", "driver", "admin"]
        .map(|name| lab.certificate(name, &[&format!("{name}.test.example")], provider.clone()))
        .into();
    let reports =
        lab.manager().run_all(&certificates, &RunOptions::default(), &Context::new()).await;
    for report in &reports {
        match report.name.as_str() {
            "bad" => {
                let error = report.error.as_ref().unwrap();
                assert!(error.to_string().contains("bad.test.example: "), "{error}");
                assert!(error.remedy().unwrap().contains("port 80"), "{error:?}");
            }
            _ => assert!(report.error.is_none() && report.deployed, "{report:?}"),
        }
    }
    let history = lab.manager().history(&Name::new("bad").unwrap()).unwrap();
    assert_eq!(history.failures, 1);

    // In one order together each name that fails is named, and none is dropped silently.
    lab.dns(
        "add-a",
        &serde_json::json!({ "host": "worse.test.example.", "addresses": ["127.0.0.9"] }),
    );
    let names = ["a.test.example", "bad.test.example", "worse.test.example"];
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(&names));
    let error = provider.issue(&request, &key, &Context::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("2 of 3 names") && text.contains("worse.test"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_renewed_at_once_with_another_key() {
    let lab = Lab::new().await;
    let provider = lab.provider();
    let manager = lab.manager();
    let certificate = lab.certificate("api", &["api.test.example"], provider.clone());
    let cx = Context::new();
    let first = manager.run(&certificate, &RunOptions::default(), &cx).await;
    let old = manager.store().current(&certificate.name).unwrap().unwrap();
    provider.revoke(old.chain.leaf(), RevocationReason::KeyCompromise).await.unwrap();
    provider.revoke(old.chain.leaf(), RevocationReason::KeyCompromise).await.unwrap();
    manager.note_revoked(&certificate.name).unwrap();
    let report = manager.run(&certificate, &RunOptions::default(), &cx).await;
    assert_eq!(report.action, Action::Renew { reason: Reason::Revoked }, "{first:?}");
    assert!(report.error.is_none(), "{:?}", report.error);
    let new = manager.store().current(&certificate.name).unwrap().unwrap();
    assert_ne!(new.chain.leaf().public_key(), old.chain.leaf().public_key());
    assert!(manager.run(&certificate, &RunOptions::default(), &cx).await.is_unchanged());
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_are_not_agreed_to_are_not_agreed_to() {
    let folder = tempfile::tempdir().unwrap();
    let options = seaworthy_tls::acme::AcmeOptions::new("https://127.0.0.1:1/dir", folder.path());
    let error = AcmeAuthority::new(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.remedy().unwrap().contains("agree_tos"));
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    assert_eq!(key.key_type(), KeyType::P256);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_which_none_is_due_cost_no_request_and_one_that_is_damaged_is_named() {
    let lab = Lab::new().await;
    let provider = lab.provider();
    let manager = lab.manager();
    let (options, cx) = (RunOptions::default(), Context::new());
    let first = lab.certificate("c", &["a.test.example"], provider.clone());
    for _ in 0..2 {
        assert!(manager.run(&first, &options, &cx).await.error.is_none());
    }
    let version = manager.store().current(&first.name).unwrap().unwrap();
    let copies: Vec<String> = (0..300).map(|i| format!("c{i}")).collect();
    for name in &copies {
        let folder = lab.path("store/versions").join(name).join(&version.id);
        std::fs::create_dir_all(&folder).unwrap();
        for file in std::fs::read_dir(version.folder()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        manager.store().swap(&Name::new(name.clone()).unwrap(), Some(&version.id)).unwrap();
        std::fs::create_dir(lab.path("state").join(name)).unwrap();
        let history = format!("state/{name}/history.json");
        std::fs::copy(lab.path("state/c/history.json"), lab.path(&history)).unwrap();
    }
    let certificates: Vec<_> = copies
        .iter()
        .map(|name| lab.certificate(name, &["a.test.example"], provider.clone()))
        .collect();
    let asked = provider.authority().requests();
    let reports = manager.run_all(&certificates, &options, &cx).await;
    assert!(reports.iter().all(|report| report.is_unchanged() && report.deployed));
    let names: Vec<_> = reports.iter().map(|report| report.name.to_string()).collect();
    assert_eq!(names, copies);
    assert_eq!(provider.authority().requests(), asked);

    let damaged = lab.path("store/live/c200/fullchain.pem");
    std::fs::write(damaged, "nothing").unwrap();
    for report in manager.run_all(&certificates, &options, &cx).await {
        match report.name.as_str() {
            "c200" => {
                let error = report.error.unwrap();
                assert!(error.to_string().contains("versions/c200"), "{error}");
            }
            _ => assert!(report.is_unchanged() && report.error.is_none(), "{report:?}"),
        }
    }
    assert_eq!(provider.authority().requests(), asked);
}

/// The example in the repository is run as a reader would run it.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_gets_a_certificate_in_under_forty_lines() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let source = std::fs::read_to_string(root.join("examples/issue_certificate.rs")).unwrap();
    let code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    assert!(source.lines().filter(code).count() < 40);

    let mut build = std::process::Command::new(env!("CARGO"));
    build.args(["build", "-q", "--workspace", "--all-features", "--example", "issue_certificate"]);
    assert!(build.current_dir(&root).status().unwrap().success());
    // This test is in <target>/debug/deps.
    let here = std::env::current_exe().unwrap();
    let example = here.parent().unwrap().with_file_name("examples").join("issue_certificate");
    let lab = Lab::new().await;
    let run = std::process::Command::new(example)
        .args([&lab.directory(), lab.path("lab-ca/root.pem").to_str().unwrap()])
        .args(["a.test.example", &lab.http_port.to_string()])
        .current_dir(lab.path(""))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let chain =
        seaworthy_tls::IssuedChain::from_pem(&String::from_utf8_lossy(&run.stdout)).unwrap();
    assert!(chain.leaf().is_for(&ids(&["a.test.example"])));
}
