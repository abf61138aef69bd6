//! What every solver and provider must do, and the store and the life cycle without any network.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(feature = "acme", feature = "local-ca", feature = "testing"))]

use std::{os::unix::fs::PermissionsExt, sync::Arc, time::Instant};

use seaworthy_core::{Context, ErrorKind, ManualClock, Name, Secret, Span};
use seaworthy_tls::{
    About, Action, CertificateProvider, CertificateRequest, ChallengeKind, Identifier, KeyType,
    PrivateKey, Store,
    local_ca::{LocalCa, SelfSigned},
    manage::{ManagedCertificate, Manager, Origin, RunOptions},
    solver::{Standalone, Webroot},
    testing::{
        Flaky, MemorySolver, a_provider_issues_what_was_asked, a_solver_keeps_challenges_apart,
    },
};

fn ids(names: &[&str]) -> Vec<Identifier> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[tokio::test]
async fn solvers_keep_challenges_apart() {
    let name: Identifier = "a.example".parse().unwrap();
    let memory = MemorySolver::new(ChallengeKind::Http01);
    a_solver_keeps_challenges_apart(&memory, &name, async |c| memory.shows(c)).await;

    let folder = tempfile::tempdir().unwrap();
    let webroot = Webroot::new(folder.path());
    let shows = async |c: &seaworthy_tls::Challenge| {
        let path = folder.path().join(c.http_path().trim_start_matches('/'));
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let mode = path.metadata().unwrap().permissions().mode();
                text == c.key_authorization() && mode & 0o044 == 0o044
            }
            Err(_) => false,
        }
    };
    a_solver_keeps_challenges_apart(&webroot, &name, shows).await;
    assert!(webroot.probe().is_ok());

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let standalone = Standalone::new(([127, 0, 0, 1], port).into());
    let shows = async |c: &seaworthy_tls::Challenge| {
        let url = format!("http://127.0.0.1:{port}{}", c.http_path());
        let answer = reqwest_plain(&url).await;
        answer.is_some_and(|body| body.ends_with(c.key_authorization()))
    };
    a_solver_keeps_challenges_apart(&standalone, &name, shows).await;
}

/// A GET without TLS.
async fn reqwest_plain(url: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.split_once('/')?;
    let mut stream = tokio::net::TcpStream::connect(host).await.ok()?;
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    Some(text)
}

#[tokio::test]
async fn providers_issue_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let names = ids(&["a.example", "*.a.example", "192.0.2.1", "bücher.example"]);
    for kind in [KeyType::P256, KeyType::Ed25519, KeyType::Rsa2048] {
        let key = PrivateKey::generate(kind).unwrap();
        a_provider_issues_what_was_asked(&SelfSigned::new(), &names, &key).await;
        let own = LocalCa::new(folder.path().join("ca"));
        a_provider_issues_what_was_asked(&own, &names, &key).await;
    }
    let mode = |file: &str| {
        folder.path().join("ca").join(file).metadata().unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("root-key.pem"), mode("root.pem")), (0o600, 0o644));
}

#[tokio::test]
async fn what_rcgen_would_leave_out_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let own = LocalCa::new(folder.path());
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(&["a.example"]));
    let chain = own.issue(&request, &key, &Context::new()).await.unwrap();
    let leaf = chain.leaf();
    assert!(leaf.renewal_id().is_some(), "it names its authority's key");
    let days = leaf.validity().lifetime().as_secs() / 86_400;
    assert_eq!(days, 90);
    assert!(leaf.issuer().contains("Seaworthy local CA"), "{}", leaf.issuer());
    let file = folder.path().join("leaf.pem");
    std::fs::write(&file, leaf.pem()).unwrap();
    // The strictest of the usual clients.
    let output = std::process::Command::new("openssl")
        .args(["verify", "-x509_strict", "-verify_hostname", "a.example", "-CAfile"])
        .args([own.root_file(), file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_key_and_its_certificate_change_together_and_old_ones_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().join("tls"));
    let name = Name::new("api").unwrap();
    let cx = Context::new();
    let mut versions = Vec::new();
    for _ in 0..6 {
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        let request = CertificateRequest::new(ids(&["a.example"]));
        let chain = SelfSigned::new().issue(&request, &key, &cx).await.unwrap();
        let version =
            store.stage(&name, &chain, &key.pem(), &About::new("self-signed"), cx.now()).unwrap();
        store.swap(&name, Some(&version.id)).unwrap();
        let live = store.current(&name).unwrap().unwrap();
        let key = PrivateKey::from_pem(live.key().unwrap().expose()).unwrap();
        assert!(key.fits(live.chain.leaf()));
        versions.push(version.id);
    }
    store.prune(&name, 2, Some(&versions[0])).unwrap();
    let left = store.version_ids(&name).unwrap();
    assert_eq!(left, [&versions[0][..], &versions[4], &versions[5]]);
    assert_eq!(store.names().unwrap(), [name.clone()]);

    // What is not ours is not overwritten.
    let theirs = Name::new("theirs").unwrap();
    std::fs::create_dir_all(store.live(&theirs)).unwrap();
    let error = store.swap(&theirs, Some("x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    store.remove(&name).unwrap();
    assert!(store.current(&name).unwrap().is_none());
}

#[tokio::test]
async fn failures_are_remembered_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let manager =
        || Manager::new(Store::new(folder.path().join("tls")), folder.path().join("state"));
    let provider = Arc::new(Flaky::new(SelfSigned::new(), 3));
    let certificate = ManagedCertificate::new(
        Name::new("api").unwrap(),
        ids(&["a.example"]),
        Origin::Managed(vec![provider]),
    );
    let clock = Arc::new(ManualClock::new(Context::new().now()));
    let cx = Context::new().with_clock(clock.clone());
    let options = RunOptions::default();
    for minutes in [1_u32, 10, 100] {
        let report = manager().run(&certificate, &options, &cx).await;
        assert!(report.error.is_some(), "{report:?}");
        let report = manager().run(&certificate, &options, &cx).await;
        assert!(matches!(report.action, Action::Wait { .. }), "{report:?}");
        clock.advance(Span::seconds(minutes * 60));
    }
    let report = manager().run(&certificate, &options, &cx).await;
    assert!(report.error.is_none() && report.deployed, "{report:?}");
}

#[tokio::test]
async fn a_thousand_that_are_not_due_cost_next_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::new(Store::new(folder.path().join("tls")), folder.path().join("state"));
    let cx = Context::new();
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(&["a.example"]));
    let chain = SelfSigned::new().issue(&request, &key, &cx).await.unwrap();
    let provider: Arc<dyn CertificateProvider> = Arc::new(Flaky::new(SelfSigned::new(), u32::MAX));
    let mut certificates = Vec::new();
    for i in 0..1000 {
        let name = Name::new(format!("c{i}")).unwrap();
        let origin = Origin::Managed(vec![provider.clone()]);
        manager.take_over(&name, &chain, &key.pem(), "self-signed", &cx).unwrap();
        certificates.push(ManagedCertificate::new(name, ids(&["a.example"]), origin));
    }
    let options = RunOptions::default();
    // The first run asks each for a hint; from then on nobody is asked.
    manager.run_all(&certificates, &options, &cx).await;
    let begun = Instant::now();
    let reports = manager.run_all(&certificates, &options, &cx).await;
    println!("1000 certificates looked at in {:?}", begun.elapsed());
    assert!(reports.iter().all(|r| r.is_unchanged() && r.error.is_none()), "{:?}", reports[0]);
    assert!(!folder.path().join("state/c0/pending-key.pem").exists());
}

#[test]
fn certbots_folder_is_read_and_its_settings_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let error = seaworthy_tls::certbot::read(folder.path(), &[]).unwrap_err();
    assert!(error.remedy().unwrap().contains("--from"), "{error:?}");
    let secret = Secret::new("x");
    assert_eq!(format!("{secret:?}"), "Secret(***)");
}
