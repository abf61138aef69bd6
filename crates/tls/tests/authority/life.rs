//! From issued to served: nginx, roll-back, locks.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use seaworthy_core::{CommandLine, Context, ErrorKind};
use seaworthy_tls::{
    Action, CertificateProvider, Reason, Store,
    local_ca::{LocalCa, SelfSigned},
    manage::{ManagedCertificate, Manager, Origin, Prove, RunOptions},
    served,
};

use crate::lab::{free_port, ids, spawn, wait_for};

struct Nginx {
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Nginx {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, port: free_port(), child: None }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, tail: &str) {
        let here = self.folder.path().display();
        let config = format!(
            "pid {here}/pid;\nerror_log {here}/error.log;\nuser root;\nevents {{}}\nhttp {{\n\
             access_log off;\nserver {{ listen 127.0.0.1:{} ssl;\n\
             ssl_certificate {here}/store/live/site/fullchain.pem;\n\
             ssl_certificate_key {here}/store/live/site/privkey.pem;\n}}\n{tail}}}\n",
            self.port
        );
        fs::write(self.path("nginx.conf"), config).unwrap();
    }

    fn words(&self, more: &[&str]) -> CommandLine {
        let conf = self.path("nginx.conf");
        let words = ["/usr/sbin/nginx", "-c", conf.to_str().unwrap()];
        CommandLine::new(words.into_iter().chain(more.iter().copied())).unwrap()
    }

    fn start(&mut self) {
        let conf = self.path("nginx.conf");
        self.child = Some(spawn(
            Command::new("/usr/sbin/nginx").arg("-c").arg(conf).args(["-g", "daemon off;"]),
        ));
        wait_for(self.port);
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn manager(&self) -> Manager {
        Manager::new(Store::new(self.path("store")), self.path("state"))
    }

    /// The certificate `site`, deployed to this nginx and proved.
    fn certificate(&self, provider: Arc<dyn CertificateProvider>) -> ManagedCertificate {
        let name = "site".parse().unwrap();
        let mut certificate = ManagedCertificate::new(
            name,
            ids(&["a.test.example", "b.test.example"]),
            Origin::Managed(vec![provider]),
        );
        certificate.deployment.check = vec![self.words(&["-t"])];
        certificate.deployment.deploy = vec![self.words(&["-s", "reload"])];
        certificate.deployment.prove = Prove::At(vec![self.address()]);
        certificate
    }

    /// Waits until the certificate with this fingerprint is served: an old worker may take one
    /// more connection on a busy machine.
    async fn soon_serves(&self, wanted: &str) {
        let begun = std::time::Instant::now();
        while self.serves().await != wanted {
            assert!(begun.elapsed() < Duration::from_secs(20), "{wanted} is not served");
            tokio::task::yield_now().await;
        }
    }

    async fn serves(&self) -> String {
        let name = "a.test.example".parse().unwrap();
        let seen = served(self.address(), &name, Duration::from_secs(5)).await.unwrap();
        seen.chain.leaf().fingerprint().to_string()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // SIGTERM lets the workers end too.
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

/// A site that serves its first certificate.
async fn serving() -> (Nginx, ManagedCertificate) {
    let mut nginx = Nginx::new();
    nginx.configure("");
    let mut certificate = nginx.certificate(Arc::new(LocalCa::new(nginx.path("ca"))));
    // There is no server yet that could be told.
    let deployment = std::mem::take(&mut certificate.deployment);
    let report = nginx.manager().run(&certificate, &RunOptions::default(), &Context::new()).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    certificate.deployment = deployment;
    nginx.start();
    (nginx, certificate)
}

fn force() -> RunOptions {
    let mut options = RunOptions::default();
    options.force = true;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_served_and_curl_trusts_it() {
    let (nginx, certificate) = serving().await;
    let report = nginx.manager().run(&certificate, &force(), &Context::new()).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert!(report.deployed);
    nginx.soon_serves(&report.issued.unwrap().fingerprint.to_string()).await;
    let url = format!("https://b.test.example:{}/", nginx.port);
    let output = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "--resolve"])
        .arg(format!("b.test.example:{}:127.0.0.1", nginx.port))
        .arg("--cacert")
        .arg(nginx.path("ca/root.pem"))
        .arg(url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_afterwards_brings_the_old_one_back_and_is_tried_again() {
    let (nginx, mut certificate) = serving().await;
    let before = nginx.serves().await;
    let flag = nginx.path("refuse");
    // Good before the authority is asked, bad after the swap.
    let script = format!(
        "test ! -e {} || {{ echo no >&2; exit 1; }}; touch {}",
        flag.display(),
        flag.display()
    );
    certificate.deployment.check = vec![CommandLine::new(["sh", "-c", &script]).unwrap()];
    let manager = nginx.manager();
    let report = manager.run(&certificate, &force(), &Context::new()).await;
    assert!(report.is_issued_but_not_deployed(), "{report:?}");
    let issued = report.issued.unwrap().fingerprint.to_string();
    let live = manager.store().current(&certificate.name).unwrap().unwrap();
    assert_eq!(live.chain.leaf().fingerprint().to_string(), before, "the old one is live");
    nginx.soon_serves(&before).await;

    // The next run deploys it, and asks nobody for another one.
    fs::remove_file(&flag).unwrap();
    let mut now = RunOptions::default();
    now.now = true;
    let report = manager.run(&certificate, &now, &Context::new()).await;
    assert_eq!(report.action, Action::Deploy);
    assert!(report.error.is_none() && report.deployed, "{:?}", report.error);
    nginx.soon_serves(&issued).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_does_nothing_is_found_out() {
    let (nginx, mut certificate) = serving().await;
    let before = nginx.serves().await;
    certificate.deployment.deploy = vec![CommandLine::new(["true"]).unwrap()];
    let report = nginx.manager().run(&certificate, &force(), &Context::new()).await;
    let error = report.error.as_ref().unwrap();
    assert!(report.is_issued_but_not_deployed());
    assert!(error.to_string().contains("serves another certificate"), "{error}");
    let live = nginx.manager().store().current(&certificate.name).unwrap().unwrap();
    assert_eq!(live.chain.leaf().fingerprint().to_string(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nginx_refuses_already_is_said_before_anybody_is_asked() {
    let (nginx, certificate) = serving().await;
    nginx.configure("nonsense;\n");
    let report = nginx.manager().run(&certificate, &force(), &Context::new()).await;
    let error = report.error.unwrap();
    assert_eq!(error.operation(), "certificate.precheck");
    assert!(report.issued.is_none());
    assert!(error.to_string().contains("nonsense"), "{error}");
    assert_eq!(nginx.manager().history(&certificate.name).unwrap().failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_issue_one_certificate() {
    let nginx = Nginx::new();
    let mut certificate = nginx.certificate(Arc::new(SelfSigned::new()));
    certificate.deployment = Default::default();
    let manager = nginx.manager();
    let (options, cx) = (RunOptions::default(), Context::new());
    let runs = (0..8).map(|_| manager.run(&certificate, &options, &cx));
    let reports = futures_util::future::join_all(runs).await;
    let issued = reports.iter().filter(|report| report.issued.is_some()).count();
    assert_eq!(issued, 1, "{reports:?}");
    assert_eq!(manager.store().version_ids(&certificate.name).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_trying_out_never_takes_the_place_of_the_real_one() {
    #[derive(Debug)]
    struct Named(&'static str, SelfSigned);
    #[async_trait::async_trait]
    impl CertificateProvider for Named {
        fn id(&self) -> &str {
            self.0
        }
        async fn issue(
            &self,
            request: &seaworthy_tls::CertificateRequest,
            key: &dyn seaworthy_tls::CertificateKey,
            cx: &Context,
        ) -> seaworthy_core::Result<seaworthy_tls::IssuedChain> {
            self.1.issue(request, key, cx).await
        }
        async fn renewal_hint(
            &self,
            _: &seaworthy_tls::Certificate,
        ) -> seaworthy_core::Result<Option<seaworthy_tls::RenewalHint>> {
            Ok(None)
        }
        async fn revoke(
            &self,
            _: &seaworthy_tls::Certificate,
            _: seaworthy_tls::RevocationReason,
        ) -> seaworthy_core::Result<()> {
            Ok(())
        }
    }
    let nginx = Nginx::new();
    let manager = nginx.manager();
    let cx = Context::new();
    let of = |id| {
        let mut certificate = nginx.certificate(Arc::new(Named(id, SelfSigned::new())));
        certificate.deployment = Default::default();
        certificate
    };
    let (staging, real) = (of("https://acme-staging/dir"), of("https://acme/dir"));
    assert!(manager.run(&staging, &RunOptions::default(), &cx).await.error.is_none());
    // The real one replaces the other immediately.
    let report = manager.run(&real, &RunOptions::default(), &cx).await;
    assert_eq!(report.action, Action::Renew { reason: Reason::Changed });
    let mut other = staging.clone();
    other.names = ids(&["c.test.example"]);
    let report = manager.run(&other, &RunOptions::default(), &cx).await;
    assert_eq!(report.error.unwrap().kind(), ErrorKind::AlreadyExists);
    assert!(manager.run(&staging, &force(), &cx).await.error.is_none());
    // Accounts never mix.
    let store = manager.store();
    assert_ne!(
        store.account_folder("https://acme-staging/dir"),
        store.account_folder("https://acme/dir")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_is_said_before_anybody_is_asked() {
    let nginx = Nginx::new();
    fs::create_dir_all(nginx.path("store")).unwrap();
    fs::write(nginx.path("store/versions"), "in the way").unwrap();
    let mut certificate = nginx.certificate(Arc::new(SelfSigned::new()));
    certificate.deployment = Default::default();
    let report = nginx.manager().run(&certificate, &RunOptions::default(), &Context::new()).await;
    assert!(report.error.unwrap().to_string().contains("store/versions"));
    assert!(report.issued.is_none());
    assert!(!nginx.path("state/site/pending-key.pem").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_certificate_is_watched_deployed_and_proved() {
    let (nginx, mut certificate) = serving().await;
    let cx = Context::new();
    let theirs = |life: u64| {
        let provider = SelfSigned::new().life(Duration::from_secs(life));
        async move {
            let key = seaworthy_tls::PrivateKey::generate(seaworthy_tls::KeyType::P256).unwrap();
            let request =
                seaworthy_tls::CertificateRequest::new(ids(&["a.test.example", "b.test.example"]));
            (provider.issue(&request, &key, &Context::new()).await.unwrap(), key)
        }
    };
    let write = |chain: &seaworthy_tls::IssuedChain, key: &seaworthy_tls::PrivateKey| {
        fs::write(nginx.path("their.pem"), chain.pem()).unwrap();
        fs::write(nginx.path("their.key"), key.pem().expose()).unwrap();
        fs::set_permissions(nginx.path("their.key"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    certificate.origin =
        Origin::External { chain: nginx.path("their.pem"), key: nginx.path("their.key") };
    let manager = nginx.manager();
    for _ in 0..2 {
        let (chain, key) = theirs(90 * 86_400).await;
        write(&chain, &key);
        let report = manager.run(&certificate, &RunOptions::default(), &cx).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        nginx.soon_serves(&chain.leaf().fingerprint().to_string()).await;
        assert!(manager.run(&certificate, &RunOptions::default(), &cx).await.is_unchanged());
    }
    // A key that is not there yet takes no site down.
    let before = nginx.serves().await;
    let (chain, _) = theirs(90 * 86_400).await;
    fs::write(nginx.path("their.pem"), chain.pem()).unwrap();
    let report = manager.run(&certificate, &RunOptions::default(), &cx).await;
    assert!(report.error.unwrap().to_string().contains("another key"));
    nginx.soon_serves(&before).await;
}
