//! Each fault of the table, and the behaviour to have.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use seaworthy_core::{Context, ErrorKind, ManualClock, Span};
use seaworthy_tls::{
    Action, CertificateProvider, CertificateRequest, KeyType, NOT_BEFORE, PrivateKey, RenewalHint,
    acme::{AcmeAuthority, AcmeProvider},
    manage::{Origin, RunOptions},
    preflight::AcmePreflight,
    solver::Webroot,
};

use crate::{
    lab::{Lab, Pebble, ids},
    proxy::{Asked, Fate, Proxy},
};

pub(crate) fn provider_at(lab: &Lab, directory: &str, solver: Arc<Webroot>) -> Arc<AcmeProvider> {
    let mut options = lab.options(directory);
    options.request_limit = Duration::from_secs(3);
    Arc::new(AcmeProvider::new(AcmeAuthority::new(options).unwrap(), solver))
}

fn problem(kind: &str, detail: &str) -> String {
    format!("{{\"type\":\"urn:ietf:params:acme:error:{kind}\",\"detail\":\"{detail}\"}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_authority_keeps_the_old_certificate_and_another_issues() {
    let lab = Lab::new().await;
    let solver = lab.webroot();
    let proxy = Proxy::start(&lab, |_| Fate::Stall).await;
    let hanging = provider_at(&lab, &proxy.directory(), solver.clone());
    let good = lab.provider_with(solver.clone());
    let manager = lab.manager();
    let mut certificate = lab.certificate("api", &["api.test.example"], good.clone());
    let cx = Context::new();
    assert!(manager.run(&certificate, &RunOptions::default(), &cx).await.error.is_none());
    let old = manager.store().current(&certificate.name).unwrap().unwrap();

    let mut force = RunOptions::default();
    force.force = true;
    certificate.origin = Origin::Managed(vec![hanging.clone()]);
    let report = manager.run(&certificate, &force, &cx).await;
    assert_eq!(report.error.unwrap().kind(), ErrorKind::TimedOut);
    assert_eq!(manager.store().current(&certificate.name).unwrap().unwrap().id, old.id);
    assert_eq!(manager.history(&certificate.name).unwrap().failures, 1);

    certificate.origin = Origin::Managed(vec![hanging, good]);
    let report = manager.run(&certificate, &force, &cx).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(report.issued.unwrap().provider, lab.directory());
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_kept_on_disk_and_nobody_asks_before() {
    for (status, value) in [(429, "86400"), (503, "86400"), (429, "date")] {
        let lab = Lab::new().await;
        let value = if value == "date" {
            httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(86_400))
        } else {
            value.to_owned()
        };
        let proxy = Proxy::start(&lab, move |asked| match asked.path.as_str() {
            "/order-plz" => Fate::Answer(
                status,
                vec![("Retry-After".into(), value.clone())],
                problem("rateLimited", "too many"),
            ),
            _ => Fate::Pass,
        })
        .await;
        let provider = provider_at(&lab, &proxy.directory(), lab.webroot());
        let manager = lab.manager();
        let certificate = lab.certificate("api", &["api.test.example"], provider);
        let clock = Arc::new(ManualClock::new(Context::new().now()));
        let cx = Context::new().with_clock(clock.clone());
        let report = manager.run(&certificate, &RunOptions::default(), &cx).await;
        let error = report.error.unwrap();
        assert!(error.context().any(|(name, _)| name == NOT_BEFORE), "{error:?}");
        assert!(error.to_string().contains("too many"), "{error}");
        let asked = proxy.requests();
        // A person who asks does not change the authority's mind.
        let mut now = RunOptions::default();
        now.now = true;
        for hours in [1, 12] {
            clock.advance(Span::hours(hours));
            for options in [&RunOptions::default(), &now] {
                let report = lab.manager().run(&certificate, options, &cx).await;
                assert!(matches!(report.action, Action::Wait { .. }), "{report:?}");
            }
        }
        assert_eq!(proxy.requests(), asked, "nobody asked");
        clock.advance(Span::hours(12));
        let report = manager.run(&certificate, &RunOptions::default(), &cx).await;
        assert!(matches!(report.action, Action::Renew { .. }), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_html_are_said_with_their_status() {
    let lab = Lab::new().await;
    let proxy = Proxy::start(&lab, |asked| match asked.path.as_str() {
        "/dir" => Fate::Pass,
        _ => Fate::Answer(502, vec![], "<html>Bad gateway</html>".into()),
    })
    .await;
    let provider = provider_at(&lab, &proxy.directory(), lab.webroot());
    let error = issue(&*provider).await.unwrap_err();
    assert!(error.to_string().contains("502"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

async fn issue(
    provider: &dyn CertificateProvider,
) -> seaworthy_core::Result<seaworthy_tls::IssuedChain> {
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let request = CertificateRequest::new(ids(&["a.test.example"]));
    provider.issue(&request, &key, &Context::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_of_ten_nonces_refused_are_survived() {
    for percent in [0, 30, 60, 90] {
        let pebble = Pebble { nonce_reject: percent, ..Pebble::default() };
        let lab = Lab::with(pebble).await;
        let provider = lab.provider();
        let chain = issue(&*provider).await;
        chain.unwrap_or_else(|e| panic!("{percent} %: {}", e.chain()));
        println!("{percent} % refused: {} requests", provider.authority().requests());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_orders_at_once_with_refused_nonces_finish() {
    let lab = Lab::with(Pebble { nonce_reject: 5, ..Pebble::default() }).await;
    // Pebble itself may deadlock under this load: see the proxy's `Turns`.
    let proxy = Proxy::start(&lab, |_| Fate::Pass).await;
    let options = lab.options(&proxy.directory());
    let authority = AcmeAuthority::new(options).unwrap();
    let provider = Arc::new(AcmeProvider::new(authority, lab.webroot()));
    let names: Vec<String> = (0..200).map(|i| format!("n{i}.test.example")).collect();
    let orders = names.iter().map(|name| {
        let provider = provider.clone();
        async move {
            let key = PrivateKey::generate(KeyType::P256).unwrap();
            let request = CertificateRequest::new(ids(&[name]));
            provider.issue(&request, &key, &Context::new()).await
        }
    });
    let all = futures_util::future::join_all(orders);
    let done = tokio::time::timeout(Duration::from_secs(240), all).await.expect("it hangs");
    for (name, order) in names.iter().zip(done) {
        order.unwrap_or_else(|e| panic!("{name}: {}", e.chain()));
    }
}

/// A crash at each request of an order, seen from the authority; the next run ends it, with one
/// order and the same key.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_any_two_steps_is_resumed() {
    let lab = Lab::new().await;
    let solver = lab.webroot();
    let count = Arc::new(AtomicU64::new(0));
    let stop_at = Arc::new(AtomicU64::new(u64::MAX));
    let orders = Arc::new(AtomicU64::new(0));
    let proxy = {
        let (count, stop_at, orders) = (count.clone(), stop_at.clone(), orders.clone());
        Proxy::start(&lab, move |asked| {
            if asked.path == "/order-plz" {
                orders.fetch_add(1, Ordering::SeqCst);
            }
            if count.fetch_add(1, Ordering::SeqCst) == stop_at.load(Ordering::SeqCst) {
                return Fate::Lose;
            }
            Fate::Pass
        })
        .await
    };
    let mut step = 0;
    loop {
        let name = format!("step{step}");
        // A process of its own each time: nothing but the disk is remembered.
        let fresh = || provider_at(&lab, &proxy.directory(), solver.clone());
        let certificate = lab.certificate(&name, &[&format!("{name}.test.example")], fresh());
        let manager = lab.manager();
        let cx = Context::new();
        count.store(0, Ordering::SeqCst);
        orders.store(0, Ordering::SeqCst);
        stop_at.store(step, Ordering::SeqCst);
        let mut now = RunOptions::default();
        now.now = true;
        let first = manager.run(&certificate, &now, &cx).await;
        stop_at.store(u64::MAX, Ordering::SeqCst);
        if first.error.is_some() {
            let key = std::fs::read(lab.path(&format!("state/{name}/pending-key.pem"))).unwrap();
            let certificate = lab.certificate(&name, &[&format!("{name}.test.example")], fresh());
            let second = manager.run(&certificate, &now, &cx).await;
            assert!(second.error.is_none(), "step {step}: {:?}", second.error);
            let version = manager.store().current(&certificate.name).unwrap().unwrap();
            assert_eq!(version.key().unwrap().expose().as_bytes(), key, "step {step}");
        }
        // An order whose answer was lost before we knew its URL is the only one that is lost.
        assert!(orders.load(Ordering::SeqCst) <= 2, "step {step}");
        assert!(!lab.path(&format!("state/{name}/pending-key.pem")).exists());
        if count.load(Ordering::SeqCst) < step {
            break;
        }
        step += 1;
    }
    println!("{step} places to crash");
    assert!(step > 8, "only {step} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_gone_is_kept_aside_and_made_anew() {
    let lab = Lab::new().await;
    let solver = lab.webroot();
    let gone = Arc::new(AtomicBool::new(false));
    let rule = gone.clone();
    let proxy = Proxy::start(&lab, move |asked| match asked.path.as_str() {
        "/sign-me-up" => {
            rule.store(false, Ordering::SeqCst);
            Fate::Pass
        }
        path if rule.load(Ordering::SeqCst) && asked.method == "POST" && path != "/dir" => {
            Fate::Answer(400, vec![], problem("accountDoesNotExist", "no such account"))
        }
        _ => Fate::Pass,
    })
    .await;
    let provider = provider_at(&lab, &proxy.directory(), solver.clone());
    issue(&*provider).await.unwrap();
    let first = provider.authority().account_url().unwrap();
    gone.store(true, Ordering::SeqCst);
    issue(&*provider_at(&lab, &proxy.directory(), solver)).await.unwrap();
    assert_ne!(provider.authority().account_url().unwrap(), first);
    let folder = lab.store().account_folder(&proxy.directory());
    let kept = std::fs::read_dir(folder).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("account-gone-")
    });
    assert_eq!(kept.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_by_more_than_five_minutes_is_refused() {
    for (minutes, refused) in [(4_i64, false), (6, true), (-6, true)] {
        let lab = Lab::new().await;
        let proxy = Proxy::start(&lab, move |_| {
            let now = std::time::SystemTime::now();
            let there = if minutes > 0 {
                now + Duration::from_secs(60 * minutes.unsigned_abs())
            } else {
                now - Duration::from_secs(60 * minutes.unsigned_abs())
            };
            Fate::Change(vec![("Date".into(), httpdate::fmt_http_date(there))], None)
        })
        .await;
        let provider = provider_at(&lab, &proxy.directory(), lab.webroot());
        let issued = issue(&*provider).await;
        assert_eq!(issued.is_err(), refused, "{minutes}");
        if let Err(error) = issued {
            assert!(error.remedy().unwrap().contains("clock"), "{error:?}");
        }
        let check = AcmePreflight::new(
            ids(&["a.test.example"]),
            provider.authority().clone(),
            lab.resolver(),
            Arc::new(Webroot::new(lab.path("www"))),
        )
        .http_port(lab.http_port);
        let found = seaworthy_tls::manage::Precheck::look(&check, &Context::new()).await;
        assert_eq!(found.iter().any(|f| f.about == "clock"), refused, "{found:?}");
    }
}

/// The window from the proxy is in the past: a renewal is due immediately.
#[tokio::test(flavor = "multi_thread")]
async fn hints_are_followed_and_what_is_replaced_is_named_once() {
    let lab = Lab::new().await;
    let solver = lab.webroot();
    let replaces = Arc::new(AtomicU64::new(0));
    let seen = replaces.clone();
    let proxy = Proxy::start(&lab, move |asked: &Asked| match asked.path.as_str() {
        "/dir" => Fate::Change(vec![], Some(with_renewal_info)),
        path if path.starts_with("/renewal-info/") => Fate::Answer(
            200,
            vec![("Retry-After".into(), "3600".into())],
            "{\"suggestedWindow\":{\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2020-01-02T00:00:00Z\"},\"explanationURL\":\"https://ca.example/why\"}".into(),
        ),
        "/order-plz" if asked.payload.contains("replaces") => {
            seen.fetch_add(1, Ordering::SeqCst);
            Fate::Answer(409, vec![], problem("alreadyReplaced", "replaced already"))
        }
        _ => Fate::Pass,
    })
    .await;
    let provider = provider_at(&lab, &proxy.directory(), solver);
    let manager = lab.manager();
    let certificate = lab.certificate("api", &["api.test.example"], provider.clone());
    let cx = Context::new();
    assert!(manager.run(&certificate, &RunOptions::default(), &cx).await.error.is_none());
    let first = manager.store().current(&certificate.name).unwrap().unwrap();
    let hint: RenewalHint =
        provider.renewal_hint(first.chain.leaf()).await.unwrap().expect("there is a hint");
    assert_eq!(hint.explanation.as_deref(), Some("https://ca.example/why"));
    let report = manager.run(&certificate, &RunOptions::default(), &cx).await;
    assert_eq!(report.action, Action::Renew { reason: seaworthy_tls::Reason::Hint });
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(replaces.load(Ordering::SeqCst), 1, "once with, then without");
    assert_ne!(manager.store().current(&certificate.name).unwrap().unwrap().id, first.id);
}

pub(crate) fn with_renewal_info(body: String) -> String {
    let mut directory: serde_json::Value = serde_json::from_str(&body).unwrap();
    let base = directory["newOrder"].as_str().unwrap().replace("order-plz", "renewal-info");
    directory["renewalInfo"] = base.into();
    directory["meta"]["caaIdentities"] = serde_json::json!(["pebble.example"]);
    directory["meta"]["profiles"] = serde_json::json!({ "tlsserver": "the usual" });
    directory.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_asked_for_where_the_authority_has_them() {
    let lab = Lab::new().await;
    let asked_for = Arc::new(AtomicBool::new(false));
    let seen = asked_for.clone();
    let proxy = Proxy::start(&lab, move |asked: &Asked| match asked.path.as_str() {
        "/dir" => Fate::Change(vec![], Some(with_renewal_info)),
        "/order-plz" => {
            seen.store(asked.payload.contains("\"profile\":\"tlsserver\""), Ordering::SeqCst);
            Fate::Pass
        }
        _ => Fate::Pass,
    })
    .await;
    let provider = provider_at(&lab, &proxy.directory(), lab.webroot());
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    let mut request = CertificateRequest::new(ids(&["a.test.example"]));
    request.profile = Some("shortlived".to_owned());
    let error = provider.issue(&request, &key, &Context::new()).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("tlsserver"), "{error:?}");
    request.profile = Some("tlsserver".to_owned());
    provider.issue(&request, &key, &Context::new()).await.unwrap();
    assert!(asked_for.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_tokens_never_become_paths() {
    let lab = Lab::new().await;
    let proxy = Proxy::start(&lab, |asked| {
        if asked.path.starts_with("/authZ/") {
            return Fate::Change(vec![], Some(with_odd_tokens));
        }
        Fate::Pass
    })
    .await;
    let error = issue(&*provider_at(&lab, &proxy.directory(), lab.webroot())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted);
    assert!(!lab.path("evil").exists());
}

fn with_odd_tokens(body: String) -> String {
    let mut state: serde_json::Value = serde_json::from_str(&body).unwrap();
    for challenge in state["challenges"].as_array_mut().into_iter().flatten() {
        challenge["token"] = "../../../evil".into();
    }
    state.to_string()
}
