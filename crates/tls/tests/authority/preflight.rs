//! What is looked at before the authority is asked.

use std::{net::TcpListener, path::PathBuf, sync::Arc};

use seaworthy_core::Context;
use seaworthy_tls::{
    acme::AcmeProvider,
    manage::{Finding, Precheck, RunOptions, Weight},
    preflight::AcmePreflight,
    solver::Webroot,
};

use crate::{
    faults::{provider_at, with_renewal_info},
    lab::{Lab, ids, serve_files_at},
    proxy::{Fate, Proxy},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_certain_blocks_and_what_is_likely_warns() {
    let lab = Lab::new().await;
    // Pebble does not say what it is called in CAA records.
    let proxy = Proxy::start(&lab, |asked| match asked.path.as_str() {
        "/dir" => Fate::Change(vec![], Some(with_renewal_info)),
        _ => Fate::Pass,
    })
    .await;
    let provider = provider_at(&lab, &proxy.directory(), lab.webroot());
    lab.dns("add-caa", &serde_json::json!({ "host": "test.example.", "policies": [{ "tag": "issue", "value": "other.example" }] }));
    let check = |names: &[&str], port: u16| {
        AcmePreflight::new(
            ids(names),
            provider.authority().clone(),
            lab.resolver(),
            Arc::new(Webroot::new(lab.path("www"))),
        )
        .http_port(port)
        .webroot(lab.path("www"))
    };
    let look = |check: AcmePreflight| async move { Precheck::look(&check, &Context::new()).await };
    assert_eq!(look(check(&["fine.example"], lab.http_port)).await, []);
    let caa = look(check(&["deep.a.test.example"], lab.http_port)).await;
    assert_eq!(caa[0].weight, Weight::Certain);
    assert!(caa[0].message.contains("other.example"), "{caa:?}");
    assert!(caa[0].remedy.contains("CAA 0 issue \"pebble"), "{caa:?}");
    // Each address is asked: one of these two is another's.
    lab.dns(
        "add-a",
        &serde_json::json!({ "host": "two.example.", "addresses": ["127.0.0.1", "127.0.0.9"] }),
    );
    let silent = look(check(&["two.example"], lab.http_port)).await;
    assert_eq!((silent.len(), silent[0].weight), (1, Weight::Likely), "{silent:?}");
    assert!(silent[0].message.contains("127.0.0.9"), "{silent:?}");
    assert!(silent[0].remedy.contains("firewall"), "{silent:?}");
    assert_eq!(std::fs::read_dir(lab.path("www/.well-known/acme-challenge")).unwrap().count(), 0);

    std::fs::write(lab.path("file"), "").unwrap();
    let blocked = look(check(&["fine.example"], lab.http_port).webroot(lab.path("file"))).await;
    assert_eq!(blocked[0].weight, Weight::Certain, "{blocked:?}");

    // What blocks is said before anybody is asked for a certificate, and --skip-checks skips it.
    let mut certificate = lab.certificate("two", &["two.example"], provider.clone());
    certificate.prechecks = vec![Arc::new(check(&["two.example"], lab.http_port))];
    let mut strict = RunOptions::default();
    strict.strict = true;
    let report = lab.manager().run(&certificate, &strict, &Context::new()).await;
    assert_eq!(report.error.unwrap().operation(), "certificate.precheck");
    assert!(!lab.path("state/two/pending-key.pem").exists());
}

/// The old server of a site that moved is often still in its AAAA record.
#[tokio::test(flavor = "multi_thread")]
async fn an_aaaa_record_that_leads_elsewhere_is_named_with_what_to_do() {
    let lab = Lab::new().await;
    let solver = lab.webroot();
    let provider = lab.provider_with(solver.clone());
    lab.dns("add-aaaa", &serde_json::json!({ "host": "six.example.", "addresses": ["::1"] }));
    let look = |provider: Arc<AcmeProvider>| {
        let check = AcmePreflight::new(
            ids(&["six.example"]),
            provider.authority().clone(),
            lab.resolver(),
            solver.clone(),
        );
        let check = check.http_port(lab.http_port);
        async move { Precheck::look(&check, &Context::new()).await }
    };
    let port = lab.http_port;
    // Nothing listens there.
    let silent = look(provider.clone()).await;
    expect_one(&silent, &format!("does not respond at [::1]:{port}"), "correct the record");
    // Somebody else listens there.
    serve_files_at(TcpListener::bind(("::1", port)).unwrap(), PathBuf::from("/nowhere"));
    let other = look(provider.clone()).await;
    expect_one(
        &other,
        &format!("another server responds at [::1]:{port} (404)"),
        "point this record to this machine",
    );

    // It is a warning, and with `strict` it stops before anybody is asked.
    let check = AcmePreflight::new(
        ids(&["six.example"]),
        provider.authority().clone(),
        lab.resolver(),
        solver.clone(),
    );
    let mut certificate = lab.certificate("six", &["six.example"], provider);
    certificate.prechecks = vec![Arc::new(check.http_port(port))];
    let mut strict = RunOptions::default();
    strict.strict = true;
    let report = lab.manager().run(&certificate, &strict, &Context::new()).await;
    let error = report.error.unwrap();
    assert!(error.to_string().contains("six.example") && report.issued.is_none(), "{error:?}");
}

fn expect_one(found: &[Finding], message: &str, remedy: &str) {
    assert_eq!((found.len(), found[0].weight), (1, Weight::Likely), "{found:?}");
    assert_eq!(found[0].about, "six.example");
    assert!(found[0].message.contains(message), "{found:?}");
    assert!(found[0].remedy.contains(remedy), "{found:?}");
}
