//! What every solver and provider must do, and the store and the life cycle without any network.
#![cfg(all(feature = "acme", feature = "local-ca", feature = "testing"))]

use std::{os::unix::fs::PermissionsExt, sync::Arc, time::Instant};

use seaworthy_core::{CommandLine, Context, ErrorKind, ManualClock, Name, Span};
use seaworthy_tls::{
    About, Action, CertificateProvider, CertificateRequest, ChallengeKind, Identifier, KeyType,
    PrivateKey, Store,
    local_ca::{LocalCa, SelfSigned},
    manage::{ManagedCertificate, Manager, Origin, Prove, RunOptions},
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
    assert_eq!(store.names().unwrap(), std::slice::from_ref(&name));

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

/// A server reads the files of all certificates, whichever it is told about.
#[tokio::test]
async fn nothing_that_is_live_changes_while_servers_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::new(Store::new(folder.path().join("tls")), folder.path().join("state"));
    let look = "before=$(ls -l tls/live); sleep 0.05; test \"$before\" = \"$(ls -l tls/live)\"";
    let tell = format!("cd {}; {look}", folder.path().display());
    let tell = CommandLine::new(["sh", "-c", &tell]).unwrap();
    let certificate = |i: u32| {
        let name = Name::new(format!("c{i}")).unwrap();
        let origin = Origin::Managed(vec![Arc::new(SelfSigned::new())]);
        let mut certificate = ManagedCertificate::new(name, ids(&["a.example"]), origin);
        certificate.deployment.check = vec![tell.clone()];
        certificate.deployment.deploy = vec![tell.clone()];
        certificate.deployment.prove = Prove::Nowhere;
        certificate
    };
    let certificates: Vec<_> = (0..8).map(certificate).collect();
    let options = RunOptions::default();
    for report in manager.run_all(&certificates, &options, &Context::new()).await {
        assert!(report.error.is_none(), "{report:?}");
    }
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
    let certificate = |i: u32| {
        let name = Name::new(format!("c{i}")).unwrap();
        ManagedCertificate::new(name, ids(&["a.example"]), Origin::Managed(vec![provider.clone()]))
    };
    let options = RunOptions::default();
    let first = certificate(0);
    manager.take_over(&first.name, &chain, &key.pem(), "self-signed", &cx).unwrap();
    // The first run asks for a hint; from then on nobody is asked.
    assert!(manager.run(&first, &options, &cx).await.is_unchanged());
    let version = manager.store().current(&first.name).unwrap().unwrap();
    for i in 1..1000 {
        let versions = folder.path().join(format!("tls/versions/c{i}")).join(&version.id);
        std::fs::create_dir_all(&versions).unwrap();
        for file in ["fullchain.pem", "privkey.pem", "about.json"] {
            std::fs::copy(version.folder().join(file), versions.join(file)).unwrap();
        }
        let target = format!("../versions/c{i}/{}", version.id);
        std::os::unix::fs::symlink(target, folder.path().join(format!("tls/live/c{i}"))).unwrap();
        let state = folder.path().join(format!("state/c{i}"));
        std::fs::create_dir(&state).unwrap();
        let history = folder.path().join("state/c0/history.json");
        std::fs::copy(history, state.join("history.json")).unwrap();
    }
    let certificates: Vec<_> = (0..1000).map(certificate).collect();
    let begun = Instant::now();
    let reports = manager.run_all(&certificates, &options, &cx).await;
    println!("1000 certificates looked at in {:?}", begun.elapsed());
    assert!(reports.iter().all(|r| r.is_unchanged() && r.error.is_none()), "{:?}", reports[0]);
    assert!(!folder.path().join("state/c0/pending-key.pem").exists());
}

/// A folder as certbot leaves it, with an account of each kind of key.
#[tokio::test]
async fn certbots_certificates_accounts_and_settings_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("letsencrypt");
    let error = seaworthy_tls::certbot::read(&from, &[]).unwrap_err();
    assert!(error.remedy().unwrap().contains("certbot's folder"), "{error:?}");
    let write = |name: &str, text: &str| {
        let path = from.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let cx = Context::new();
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(&["www.example.com", "example.com"]));
    let chain = SelfSigned::new().issue(&request, &key, &cx).await.unwrap();
    write("live/example.com/fullchain.pem", &chain.pem());
    write("live/example.com/privkey.pem", key.pem().expose());
    write(
        "renewal/example.com.conf",
        "version = 2.1.0\n[renewalparams]\nauthenticator = webroot\n\
         server = https://acme-v02.api.letsencrypt.org/directory\nkey_type = ecdsa\n\
         elliptic_curve = secp384r1\nwebroot_path = /var/www/html,\nrenew_hook = reload it\n",
    );
    write("renewal/broken.conf", "[renewalparams]\n");
    let account = "accounts/acme-v02.api.letsencrypt.org/directory/abc";
    write(&format!("{account}/regr.json"), r#"{"body":{},"uri":"https://ca/acct/7"}"#);
    write(
        &format!("{account}/private_key.json"),
        r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#,
    );
    let staging = "accounts/acme-staging-v02.api.letsencrypt.org/directory/def";
    write(&format!("{staging}/regr.json"), r#"{"uri":"https://ca/acct/8"}"#);
    write(&format!("{staging}/private_key.json"), r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#);

    let found = seaworthy_tls::certbot::read(&from, &[]).unwrap();
    assert_eq!(found.lineages.len(), 1);
    assert!(found.notes[0].starts_with("broken: "), "{:?}", found.notes);
    let settings = found.settings();
    for line in [
        "directory = \"letsencrypt\"",
        "[certificate.\"example.com\"]",
        "webroot = \"/var/www/html\"",
        "key = \"p384\"",
        "\"reload it\"",
    ] {
        assert!(settings.contains(line), "no {line} in {settings}");
    }
    let manager = Manager::new(Store::new(folder.path().join("tls")), folder.path().join("state"));
    let lineage = &found.lineages[0];
    manager.take_over(&lineage.name, &lineage.chain, &lineage.key, &lineage.server, &cx).unwrap();
    let ours = manager.store().current(&lineage.name).unwrap().unwrap();
    assert_eq!(ours.chain, chain);
    assert_eq!(ours.key().unwrap().expose(), key.pem().expose());
    let mut installed = Vec::new();
    for account in &found.accounts {
        match account.install(manager.store(), false) {
            Ok(done) => installed.push((account.directory.clone(), done)),
            Err(error) => assert!(error.to_string().contains("RSA"), "{error}"),
        }
    }
    let directory = "https://acme-v02.api.letsencrypt.org/directory".to_owned();
    assert_eq!(installed, [(directory.clone(), true)]);
    let mut options = seaworthy_tls::acme::AcmeOptions::new(
        &directory,
        manager.store().account_folder(&directory),
    );
    options.agree_tos = true;
    let authority = seaworthy_tls::acme::AcmeAuthority::new(options).unwrap();
    assert_eq!(authority.account_url().as_deref(), Some("https://ca/acct/7"));
    // Ours is never replaced.
    let again = found.accounts.iter().find(|account| account.directory == directory).unwrap();
    assert!(!again.install(manager.store(), false).unwrap());
}
