//! A real Pebble with its DNS on free ports, in a folder of its own.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use seaworthy_core::{Context, Name};
use seaworthy_tls::{
    CertificateProvider, CertificateRequest, ChallengeSolver, Identifier, KeyType, PrivateKey,
    Resolver, Store,
    acme::{AcmeAuthority, AcmeOptions, AcmeProvider},
    local_ca::LocalCa,
    manage::{ManagedCertificate, Manager, Origin},
    solver::Webroot,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// How Pebble is to be.
#[derive(Clone, Default)]
pub(crate) struct Pebble {
    /// Percent of nonces that it refuses.
    pub(crate) nonce_reject: u32,
    /// Whether accounts need external keys; the key of `kid-1` is [`EAB_KEY`].
    pub(crate) external_accounts: bool,
    /// How many other chains there are.
    pub(crate) alternates: u32,
}

pub(crate) const EAB_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

pub(crate) struct Lab {
    folder: tempfile::TempDir,
    pub(crate) http_port: u16,
    pub(crate) tls_port: u16,
    pub(crate) acme_port: u16,
    pub(crate) management_port: u16,
    pub(crate) dns_port: u16,
    dns_management: u16,
    children: Vec<Child>,
}

/// A port on which nothing listens, below those that the kernel gives to outgoing connections.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 97 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 11_000 + (next % 6_900) as u16;
        let udp = std::net::UdpSocket::bind(("127.0.0.1", port));
        if udp.is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(Pebble::default()).await
    }

    pub(crate) async fn with(pebble: Pebble) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut lab = Self {
            folder,
            http_port: free_port(),
            tls_port: free_port(),
            acme_port: free_port(),
            management_port: free_port(),
            dns_port: free_port(),
            dns_management: free_port(),
            children: Vec::new(),
        };
        // Pebble brings no certificate for its own listener: our own authority makes it.
        let ca = LocalCa::new(lab.path("lab-ca"));
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        let request = CertificateRequest::new(ids(&["127.0.0.1", "pebble.test.example"]));
        let chain = ca.issue(&request, &key, &Context::new()).await.unwrap();
        fs::write(lab.path("cert.pem"), chain.pem()).unwrap();
        fs::write(lab.path("key.pem"), key.pem().expose()).unwrap();
        fs::create_dir(lab.path("www")).unwrap();
        lab.start_dns("127.0.0.1", "");
        lab.start_pebble(&pebble);
        lab
    }

    fn start_dns(&mut self, four: &str, six: &str) {
        let local = |port: u16| format!("127.0.0.1:{port}");
        self.children.push(spawn(
            Command::new("pebble-challtestsrv")
                .args(["-defaultIPv4", four, "-defaultIPv6", six])
                .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
                .args(["-dns01", &local(self.dns_port)])
                .args(["-management", &local(self.dns_management)]),
        ));
        wait_for(self.dns_management);
    }

    fn start_pebble(&mut self, pebble: &Pebble) {
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", self.acme_port),
            "managementListenAddress": format!("127.0.0.1:{}", self.management_port),
            "certificate": self.path("cert.pem"),
            "privateKey": self.path("key.pem"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "externalAccountBindingRequired": pebble.external_accounts,
            "externalAccountMACKeys": { "kid-1": EAB_KEY },
        }});
        fs::write(self.path("pebble.json"), config.to_string()).unwrap();
        self.children.push(spawn(
            Command::new("pebble")
                .args(["-config", self.path("pebble.json").to_str().unwrap()])
                .args(["-dnsserver", &format!("127.0.0.1:{}", self.dns_port)])
                .env("PEBBLE_VA_NOSLEEP", "1")
                .env("PEBBLE_AUTHZREUSE", "0")
                .env("PEBBLE_WFE_NONCEREJECT", pebble.nonce_reject.to_string())
                .env("PEBBLE_ALTERNATE_ROOTS", pebble.alternates.to_string()),
        ));
        wait_for(self.acme_port);
        wait_for(self.management_port);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn roots(&self) -> String {
        fs::read_to_string(self.path("lab-ca/root.pem")).unwrap()
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.acme_port)
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.path("store"))
    }

    pub(crate) fn manager(&self) -> Manager {
        Manager::new(self.store(), self.path("state"))
    }

    pub(crate) fn options(&self, directory: &str) -> AcmeOptions {
        let mut options = AcmeOptions::new(directory, self.store().account_folder(directory));
        options.agree_tos = true;
        options.contact = vec!["mailto:ops@example.com".to_owned()];
        options.roots = Some(self.roots());
        options.patience = PATIENCE;
        options
    }

    pub(crate) fn authority(&self) -> AcmeAuthority {
        AcmeAuthority::new(self.options(&self.directory())).unwrap()
    }

    /// Answers from `www`, which a web server of ours shows where Pebble asks.
    pub(crate) fn webroot(&self) -> Arc<Webroot> {
        serve_files(self.http_port, self.path("www"));
        Arc::new(Webroot::new(self.path("www")))
    }

    pub(crate) fn dns_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.dns_port))
    }

    /// Where the DNS server is told what to say.
    pub(crate) fn dns_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.dns_management)
    }

    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::of(&[self.dns_address()]).unwrap()
    }

    /// The provider with answers in the webroot.
    pub(crate) fn provider(&self) -> Arc<AcmeProvider> {
        Arc::new(AcmeProvider::new(self.authority(), self.webroot()))
    }

    pub(crate) fn provider_with(&self, solver: Arc<dyn ChallengeSolver>) -> Arc<AcmeProvider> {
        Arc::new(AcmeProvider::new(self.authority(), solver))
    }

    pub(crate) fn certificate(
        &self,
        name: &str,
        names: &[&str],
        provider: Arc<dyn CertificateProvider>,
    ) -> ManagedCertificate {
        let origin = Origin::Managed(vec![provider]);
        ManagedCertificate::new(Name::new(name).unwrap(), ids(names), origin)
    }

    /// Tells the DNS server: `add-a`, `set-txt`, …
    pub(crate) fn dns(&self, what: &str, body: &serde_json::Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.dns_management)).unwrap();
        write!(
            stream,
            "POST /{what} HTTP/1.1\r\nHost: dns\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{what}: {answer}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn ids(names: &[&str]) -> Vec<Identifier> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(crate) fn spawn(command: &mut Command) -> Child {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot run {program}: {e}; see `programs` in scripts/test"))
}

pub(crate) fn wait_for(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nothing listens on {port}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A web server for `folder`. It ends with the test.
pub(crate) fn serve_files(port: u16, folder: PathBuf) {
    serve_files_at(TcpListener::bind(("127.0.0.1", port)).unwrap(), folder);
}

pub(crate) fn serve_files_at(listener: TcpListener, folder: PathBuf) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream, &folder));
        }
    });
}

fn answer(mut stream: TcpStream, folder: &Path) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0; 512];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut byte).ok()? {
            0 => return None,
            n => head.extend_from_slice(&byte[..n]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1)?.trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", b"no".to_vec()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}
