//! Each way to show that a name is ours.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use seaworthy_core::{CommandLine, Context, Secret};
use seaworthy_tls::{
    CertificateProvider, CertificateRequest, Challenge, ChallengeSolver, KeyType, PrivateKey,
    Resolver,
    solver::{DnsHook, DnsUpdate, Propagation, Standalone, TlsAlpn, TsigAlgorithm, TsigKey},
};

use crate::lab::{Lab, free_port, ids, spawn, wait_for};

async fn issue(lab: &Lab, solver: Arc<dyn ChallengeSolver>, names: &[&str]) {
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(names));
    let chain = lab.provider_with(solver).issue(&request, &key, &Context::new()).await;
    assert!(chain.unwrap_or_else(|e| panic!("{}", e.chain())).leaf().is_for(&request.names));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_listener_answers_while_it_is_asked_and_no_longer() {
    let lab = Lab::new().await;
    let address = SocketAddr::from(([127, 0, 0, 1], lab.http_port));
    let solver = Arc::new(Standalone::new(address));
    issue(&lab, solver.clone(), &["a.test.example", "b.test.example", "127.0.0.1"]).await;
    issue(&lab, solver.clone(), &["a.test.example"]).await;
    drop(solver);
    // The port is free again.
    let begun = std::time::Instant::now();
    while let Err(e) = std::net::TcpListener::bind(address) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{e}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_special_certificate_answers_for_names_and_addresses() {
    let lab = Lab::new().await;
    let address = SocketAddr::from(([127, 0, 0, 1], lab.tls_port));
    let solver = Arc::new(TlsAlpn::new(address));
    issue(&lab, solver, &["a.test.example", "b.test.example", "127.0.0.1"]).await;
}

/// A hook that tells Pebble's DNS server, as lego's hooks are told.
fn hook(lab: &Lab, management: &str) -> CommandLine {
    let path = lab.path("dns-hook");
    let script = format!(
        "#!/bin/sh\nset -e\ncase $1 in present) call=set-txt ;; cleanup) call=clear-txt ;; esac\n\
         curl -fsS -d \"{{\\\"host\\\":\\\"$2\\\",\\\"value\\\":\\\"$3\\\"}}\" {management}/$call\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    CommandLine::new([path.to_str().unwrap()]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sets_records_for_wildcards_also_where_a_cname_leads() {
    let lab = Lab::new().await;
    let propagation = Propagation::new(lab.resolver()).servers(vec![lab.dns_address()]);
    let solver = Arc::new(DnsHook::new(hook(&lab, &lab.dns_url()), propagation));
    issue(&lab, solver.clone(), &["*.test.example"]).await;
    lab.dns(
        "set-cname",
        &serde_json::json!({ "host": "_acme-challenge.moved.example.", "target": "elsewhere.test.example." }),
    );
    issue(&lab, solver, &["moved.example"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_spread_is_said_before_the_authority_is_asked() {
    let lab = Lab::new().await;
    let propagation = Propagation::new(lab.resolver())
        .servers(vec![lab.dns_address()])
        .limit(Duration::from_millis(300));
    let nothing = CommandLine::new(["true"]).unwrap();
    let provider = lab.provider_with(Arc::new(DnsHook::new(nothing, propagation)));
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(&["a.test.example"]));
    let error = provider.issue(&request, &key, &Context::new()).await.unwrap_err();
    assert!(
        error.to_string().contains("does not return the TXT record _acme-challenge.a"),
        "{error}"
    );
}

/// A bind9 with the zone `dyn.example`, which a key may change.
struct Bind(
    Child,
    SocketAddr,
    #[expect(dead_code, reason = "it goes with the server")] tempfile::TempDir,
);

impl Drop for Bind {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SECRET: &str = "c2Vhd29ydGh5IHRzaWcga2V5IGZvciB0aGUgdGVzdHM=";

fn bind() -> Bind {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let (port, here) = (free_port(), folder.path().display());
    let zone = "$TTL 60\n@ IN SOA ns hostmaster 1 60 60 60 60\n@ IN NS ns\nns IN A 127.0.0.1\n";
    fs::write(folder.path().join("zone"), zone).unwrap();
    let config = format!(
        "options {{ directory \"{here}\"; pid-file \"{here}/pid\"; session-keyfile \"{here}/session\";\n\
         listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;\n\
         dnssec-validation no; }};\ncontrols {{ }};\n\
         key \"acme\" {{ algorithm hmac-sha512; secret \"{SECRET}\"; }};\n\
         zone \"dyn.example\" {{ type primary; file \"{here}/zone\";\n\
         update-policy {{ grant acme wildcard *.dyn.example. TXT; }}; }};\n"
    );
    fs::write(folder.path().join("named.conf"), config).unwrap();
    let config = folder.path().join("named.conf");
    let child = spawn(Command::new("/usr/sbin/named").args(["-g", "-c", config.to_str().unwrap()]));
    wait_for(port);
    Bind(child, SocketAddr::from(([127, 0, 0, 1], port)), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_updates_change_a_real_bind_and_leave_others_records_alone() {
    let bind = bind();
    let resolver = Resolver::of(&[bind.1]).unwrap();
    let propagation = Propagation::new(resolver).servers(vec![bind.1]);
    let key = TsigKey::new("acme", TsigAlgorithm::HmacSha512, Secret::new(SECRET));
    let solver = DnsUpdate::new(bind.1, &key, propagation.clone()).unwrap();
    let challenge = |name: &str, token: &str| {
        Challenge::new(name.parse().unwrap(), token, format!("{token}.thumb")).unwrap()
    };
    let cx = Context::new();
    // A wildcard and its base need two records of one name at once.
    let (one, two) = (challenge("dyn.example", "one"), challenge("*.dyn.example", "two"));
    // It listens before it has read its zone.
    let begun = std::time::Instant::now();
    while let Err(error) = solver.cleanup(&one).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", error.chain());
    }
    solver.present(&one).await.unwrap();
    solver.present(&two).await.unwrap();
    solver.ready(&one, &cx).await.unwrap();
    solver.ready(&two, &cx).await.unwrap();
    solver.cleanup(&one).await.unwrap();
    solver.cleanup(&one).await.unwrap();
    solver.ready(&two, &cx).await.unwrap();
    let impatient =
        DnsUpdate::new(bind.1, &key, propagation.clone().limit(Duration::ZERO)).unwrap();
    assert!(impatient.ready(&one, &cx).await.is_err());
    solver.cleanup(&two).await.unwrap();
    assert!(impatient.ready(&two, &cx).await.is_err());

    let wrong = TsigKey::new("acme", TsigAlgorithm::HmacSha512, Secret::new("d3Jvbmc="));
    let wrong = DnsUpdate::new(bind.1, &wrong, propagation.clone()).unwrap();
    let error = wrong.present(&one).await.unwrap_err();
    assert!(!error.chain().contains("d3Jvbmc"), "{error}");
    let elsewhere = challenge("other.example", "three");
    let error = solver.present(&elsewhere).await.unwrap_err();
    assert!(error.remedy().is_some(), "{error:?}");
}
