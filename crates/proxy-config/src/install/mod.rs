//! Installs rendered files into a real nginx.

mod check;
#[cfg(feature = "tls")]
mod handshake;
mod look;
mod modules;
mod prove;
mod switch;
mod workers;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use seaworthy_core::{
    CommandLine, Context, Error, ErrorKind, Generations, Installer, Name, Result, StagedFiles,
};

pub use look::SiteAnswer;

use crate::{
    model::{Host, Proxy, Site, Web},
    target::Target,
};

/// What nginx.conf includes, relative to its folder.
pub(crate) const INCLUDE: &str = "seaworthy/current/conf.d/*.conf";
/// nginx's own commands end within this time, or never.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Installs rendered files into the nginx of `[proxy]`, through
/// [`apply`](seaworthy_core::apply).
#[derive(Clone, Debug)]
pub struct NginxInstaller {
    pub(crate) binary: String,
    pub(crate) root: PathBuf,
    pub(crate) own_root: bool,
    /// The file with the process id of the main process.
    pub(crate) pid: PathBuf,
    pub(crate) reload: CommandLine,
    /// What starts it if it is not running; `None` if that is left to others.
    pub(crate) start: Option<CommandLine>,
    /// The workers before the last reload.
    pub(crate) old_workers: Arc<Mutex<BTreeSet<String>>>,
    /// Where the proof is requested.
    pub(crate) ask: std::net::SocketAddr,
    /// Where handshakes are tried.
    #[cfg(feature = "tls")]
    pub(crate) ask_tls: std::net::SocketAddr,
    /// What must respond, one for each site.
    pub(crate) served: Vec<Served>,
    /// Every host of every site.
    pub(crate) hosts: Vec<Served>,
}

/// A site that must respond once it is installed.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// Its name in the model.
    pub(crate) site: Name,
    /// One of its hosts.
    pub(crate) host: String,
    /// The certificate that must be presented there, if it has one.
    #[cfg(feature = "tls")]
    pub(crate) chain: Option<PathBuf>,
    /// Whether it responds with a maintenance page.
    pub(crate) in_maintenance: bool,
}

impl NginxInstaller {
    /// Installs into the nginx of `web`.
    pub fn new(web: &Web) -> Result<Self> {
        let Proxy { root, binary, own_root, reload, addresses, http_port, pid, .. } = &web.proxy;
        let root = PathBuf::from(root.as_str());
        let main = root.join("nginx.conf").to_string_lossy().into_owned();
        let reload = match reload {
            Some(command) => command.clone(),
            None => CommandLine::new([binary.as_str(), "-c", &main, "-s", "reload"])?,
        };
        let address = addresses.first().copied();
        let ask = match address {
            Some(ip) if !ip.is_unspecified() => ip,
            Some(std::net::IpAddr::V6(_)) => std::net::Ipv6Addr::LOCALHOST.into(),
            _ => std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let of_site = |(name, site): (&Name, &Site)| {
            let served = |host: &Host| Served {
                site: name.clone(),
                host: host.as_str().replacen("*.", "any.", 1),
                #[cfg(feature = "tls")]
                chain: site
                    .certificate
                    .as_ref()
                    .and_then(|name| web.certificates.get(name))
                    .map(|files| PathBuf::from(files.chain.as_str())),
                in_maintenance: site.maintenance.is_some(),
            };
            site.hosts.iter().map(served).collect::<Vec<_>>()
        };
        let hosts: Vec<Vec<Served>> = web.sites.iter().map(of_site).collect();
        let served = hosts.iter().filter_map(|hosts| hosts.first().cloned()).collect();
        Ok(Self {
            binary: binary.to_string(),
            root,
            own_root: *own_root,
            pid: PathBuf::from(pid.as_str()),
            reload,
            start: None,
            old_workers: Arc::default(),
            ask: std::net::SocketAddr::new(ask, *http_port),
            #[cfg(feature = "tls")]
            ask_tls: std::net::SocketAddr::new(ask, web.proxy.https_port),
            served,
            hosts: hosts.into_iter().flatten().collect(),
        })
    }

    /// Starts nginx if it is not running: through systemd if that is process 1, else directly.
    pub fn with_start(self) -> Result<Self> {
        let main = self.main_file().to_string_lossy().into_owned();
        let start = match std::path::Path::new("/run/systemd/system").exists() {
            true => CommandLine::new(["systemctl", "start", "nginx"])?,
            false => CommandLine::new([self.binary.as_str(), "-c", &main])?,
        };
        Ok(Self { start: Some(start), ..self })
    }

    /// The commands that activate new files: the check, and the reload.
    pub fn commands(&self) -> Result<Vec<CommandLine>> {
        let main = self.main_file().to_string_lossy().into_owned();
        let check = CommandLine::new([self.binary.as_str(), "-t", "-c", &main])?;
        let start = self.start.as_ref().filter(|_| !self.is_running());
        Ok(vec![check, start.unwrap_or(&self.reload).clone()])
    }

    /// Asks the running nginx to stop after it has finished its current requests.
    pub async fn quit(&self, cx: &Context) -> Result<()> {
        let Some(process) = self.process() else { return Ok(()) };
        CommandLine::new(["kill", "-QUIT", &process])?.run(cx, Some(LIMIT)).await.map(drop)
    }

    /// Where the generations of files are: `<root>/seaworthy`.
    pub fn generations(&self) -> Generations {
        Generations::new(self.root.join("seaworthy"))
    }

    /// Asks nginx for its version and modules.
    pub async fn target(&self, cx: &Context) -> Result<Target> {
        // It writes to standard error.
        let script = ["sh", "-c", "exec \"$0\" -V 2>&1", &self.binary];
        let text = CommandLine::new(script)?.run(cx, Some(LIMIT)).await.map_err(|error| {
            let message = format!("cannot run nginx at {}", self.binary);
            Error::new(ErrorKind::Config, "proxy.target", message)
                .at("proxy.binary")
                .remedy_is("install it (on Debian: apt-get install nginx), or set proxy.binary")
                .caused_by(error)
        })?;
        let target = Target::parse(&String::from_utf8_lossy(&text))?;
        let loaded = self.loaded_modules();
        Ok(loaded.iter().fold(target, |target, file| target.with_loaded(file)))
    }
}

#[async_trait]
impl Installer for NginxInstaller {
    async fn check(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        self.check_staged(staged, cx).await
    }

    async fn activate(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        if self.own_root && staged.files.is_empty() {
            // Without a main file nginx continues with what it has read.
            return self.unlink_main_file();
        }
        self.link_main_file()?;
        self.remember_workers();
        let start = self.start.as_ref().filter(|_| !self.is_running());
        if let Some(start) = start {
            return start.run(cx, Some(LIMIT)).await.map(drop).map_err(|error| {
                Error::new(ErrorKind::Command, "proxy.start", "nginx does not start")
                    .remedy_is("does another program use its ports? `ss -ltnp` shows which")
                    .caused_by(error)
            });
        }
        self.reload.run(cx, Some(LIMIT)).await.map(drop).map_err(|error| {
            Error::new(ErrorKind::Command, "proxy.reload", "nginx does not load the new files")
                .remedy_is("is it running? `systemctl start nginx` starts it")
                .caused_by(error)
        })
    }

    async fn prove(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        self.prove_staged(staged, cx).await
    }
}
