//! Disks that are full.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
};

use seaworthy_core::{Context, ErrorKind};
use seaworthy_tls::{
    Certificate, CertificateKey, CertificateProvider, CertificateRequest, IssuedChain, RenewalHint,
    RevocationReason, acme::AcmeProvider, manage::RunOptions,
};

use crate::lab::Lab;

/// A small file system in memory, mounted while it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=512k", "none"]).arg(&at).status();
        assert!(mounted.unwrap().success(), "this test mounts a small file system: run it as root");
        Self(at)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Leaves no room at all.
fn fill(ballast: &Path) {
    let error = fs::write(ballast, vec![1; 1 << 20]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

/// Issues, and when it is done the disk is full.
#[derive(Debug)]
struct Filling {
    inner: Arc<AcmeProvider>,
    ballast: PathBuf,
    fills: AtomicBool,
}

#[async_trait::async_trait]
impl CertificateProvider for Filling {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn issue(
        &self,
        request: &CertificateRequest,
        key: &dyn CertificateKey,
        cx: &Context,
    ) -> seaworthy_core::Result<IssuedChain> {
        let chain = self.inner.issue(request, key, cx).await;
        if self.fills.load(Ordering::SeqCst) {
            fill(&self.ballast);
        }
        chain
    }

    async fn renewal_hint(&self, _: &Certificate) -> seaworthy_core::Result<Option<RenewalHint>> {
        Ok(None)
    }

    async fn revoke(&self, _: &Certificate, _: RevocationReason) -> seaworthy_core::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_before_anybody_is_asked_and_loses_nothing_afterwards() {
    let lab = Lab::new().await;
    let disk = SmallDisk::mount(lab.path("store"));
    let inner = lab.provider();
    let filling = Arc::new(Filling {
        inner: inner.clone(),
        ballast: disk.ballast(),
        fills: AtomicBool::new(false),
    });
    let certificate = lab.certificate("api", &["api.test.example"], filling.clone());
    let (manager, cx) = (lab.manager(), Context::new());
    let mut options = RunOptions::default();
    options.force = true;

    fill(&disk.ballast());
    let report = manager.run(&certificate, &options, &cx).await;
    let error = report.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
    assert!(error.chain().contains("store/versions/api"), "{}", error.chain());
    assert!(error.remedy().unwrap().contains("free some space"), "{error:?}");
    assert_eq!(inner.authority().requests(), 0);
    assert!(!lab.path("state/api/pending-key.pem").exists());
    fs::remove_file(disk.ballast()).unwrap();
    assert!(manager.run(&certificate, &options, &cx).await.error.is_none());
    let old = manager.store().current(&certificate.name).unwrap().unwrap();

    // The certificate is issued, and cannot be stored: the old one stays as it is.
    filling.fills.store(true, Ordering::SeqCst);
    let report = manager.run(&certificate, &options, &cx).await;
    assert_eq!(report.error.unwrap().kind(), ErrorKind::NoSpace);
    let now = manager.store().current(&certificate.name).unwrap().unwrap();
    assert_eq!((&now.id, now.chain.leaf()), (&old.id, old.chain.leaf()));
    assert!(now.key().unwrap().expose().contains("PRIVATE KEY"));
    assert_eq!(
        manager.store().version_ids(&certificate.name).unwrap(),
        std::slice::from_ref(&old.id)
    );

    // With room again the very same certificate is fetched: no second order.
    filling.fills.store(false, Ordering::SeqCst);
    fs::remove_file(disk.ballast()).unwrap();
    let asked = inner.authority().requests();
    let key = fs::read_to_string(lab.path("state/api/pending-key.pem")).unwrap();
    let report = manager.run(&certificate, &options, &cx).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    assert!(inner.authority().requests() - asked <= 6, "no new order");
    let new = manager.store().current(&certificate.name).unwrap().unwrap();
    assert_eq!(new.key().unwrap().expose(), key);
}
