//! Where certificates are stored: `live/<name>/{fullchain,privkey,cert,chain}.pem`, as certbot has
//! them.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, Name, Result, Secret, Timestamp, durable};
use serde::{Deserialize, Serialize};

use crate::{Certificate, IssuedChain, pem};

const ABOUT: &str = "about.json";
/// The folder of placeholders for certificates that are not issued yet.
pub(crate) const PLACEHOLDERS: &str = "stand-ins";

/// Certificates and their keys on disk.
///
/// Every certificate that was ever issued is a folder of its own, `versions/<name>/<time>/`;
/// `live/<name>` is a link to one of them. So a key and its certificate change together, in one
/// rename, and the public paths stay the same.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// One certificate with its key in the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Version {
    /// The name of its folder.
    pub id: String,
    /// The certificate and the intermediate ones.
    pub chain: IssuedChain,
    /// What is known about it.
    pub about: About,
    folder: PathBuf,
}

impl Version {
    /// The private key, as PEM.
    pub fn key(&self) -> Result<Secret> {
        let path = self.folder.join("privkey.pem");
        let fail = |e| Error::io("store.read", format!("cannot read {}", path.display()), e);
        fs::read_to_string(&path).map(Secret::new).map_err(fail)
    }

    /// The folder with the four files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The part of a [`Version`] that decides whether to renew it: quick to read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CertificateSummary {
    /// The name of its folder.
    pub id: String,
    /// The certificate itself.
    pub leaf: Certificate,
    /// What is known about it.
    pub about: About,
}

/// What is known about a certificate in addition to its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct About {
    /// The id of its issuer.
    pub provider: String,
}

impl About {
    /// Issued by the provider with this id.
    pub fn new(provider: impl Into<String>) -> Self {
        Self { provider: provider.into() }
    }
}

impl Store {
    /// The store in the folder `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The public folder of `name`, whether or not there is a certificate.
    pub fn live(&self, name: &Name) -> PathBuf {
        self.root.join("live").join(name.as_str())
    }

    /// The folder for the accounts at one provider.
    pub fn account_folder(&self, provider: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let readable: String = provider.chars().map(plain).take(80).collect();
        let hash = crate::Fingerprint::of(provider.as_bytes()).to_string();
        self.root.join("accounts").join(format!("{readable}-{}", &hash[..12]))
    }

    /// The names that have a live certificate, sorted.
    pub fn names(&self) -> Result<Vec<Name>> {
        self.names_in("live")
    }

    /// The names that ever had one, sorted.
    pub fn all_names(&self) -> Result<Vec<Name>> {
        self.names_in("versions")
    }

    fn names_in(&self, below: &str) -> Result<Vec<Name>> {
        let mut names: Vec<Name> =
            list(&self.root.join(below))?.into_iter().filter_map(|n| Name::new(n).ok()).collect();
        names.retain(|name| below != "live" || !self.is_placeholder(name));
        names.sort();
        Ok(names)
    }

    /// Whether the live files of `name` are a placeholder for a certificate that is not issued yet.
    pub fn is_placeholder(&self, name: &Name) -> bool {
        fs::read_link(self.live(name)).is_ok_and(|target| leads_to_placeholder(&target))
    }

    /// Makes the placeholder of `name` live.
    #[cfg(feature = "local-ca")]
    pub(crate) fn lead_to_placeholder(&self, name: &Name) -> Result<()> {
        self.lead_to(name, &Path::new("..").join(PLACEHOLDERS).join(name.as_str()))
    }

    /// The live certificate of `name`; `None` if there is only a placeholder.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] if there is one that cannot be read.
    pub fn current(&self, name: &Name) -> Result<Option<Version>> {
        match self.current_id(name)? {
            Some(id) => self.version(name, &id),
            None => Ok(None),
        }
    }

    /// The id of the live version of `name`.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if `live/<name>` is not a link of ours.
    pub fn current_id(&self, name: &Name) -> Result<Option<String>> {
        let link = self.live(name);
        match fs::read_link(&link) {
            Ok(target) if leads_to_placeholder(&target) => Ok(None),
            Ok(target) => {
                Ok(Some(target.file_name().unwrap_or_default().to_string_lossy().into_owned()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err(not_ours(&link)),
        }
    }

    /// One version of `name`.
    pub fn version(&self, name: &Name, id: &str) -> Result<Option<Version>> {
        let folder = self.versions(name).join(id);
        let path = folder.join("fullchain.pem");
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        let chain = IssuedChain::from_pem(&text).map_err(|e| e.with("file", path.display()))?;
        let about = about(&folder);
        Ok(Some(Version { id: id.to_owned(), chain, about, folder }))
    }

    /// One version of `name`, without the intermediate certificates.
    pub fn glance(&self, name: &Name, id: &str) -> Result<Option<CertificateSummary>> {
        let folder = self.versions(name).join(id);
        let path = folder.join("fullchain.pem");
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        let leaf = match pem::first("CERTIFICATE", &text) {
            Some(der) => Certificate::from_der(&der).map_err(|e| e.with("file", path.display()))?,
            None => {
                let message = format!("there is no certificate in {}", path.display());
                return Err(Error::new(ErrorKind::Damaged, "certificate.read", message));
            }
        };
        Ok(Some(CertificateSummary { id: id.to_owned(), leaf, about: about(&folder) }))
    }

    /// The names of all versions of `name`, oldest first.
    pub fn version_ids(&self, name: &Name) -> Result<Vec<String>> {
        let mut ids = list(&self.versions(name))?;
        ids.retain(|id| !id.starts_with('.'));
        ids.sort();
        Ok(ids)
    }

    /// Checks that there is space and permission to write here, before an authority is asked.
    ///
    /// # Errors
    /// The error of writing.
    pub fn probe(&self, name: &Name) -> Result<()> {
        let root = self.root.display();
        self.try_probe(name).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => error.remedy_is(format!(
                "run it as the owner of {root}, or make this user the owner with chown -R"
            )),
            ErrorKind::NoSpace => error.remedy_is(format!("free some space on the disk of {root}")),
            _ => error,
        })
    }

    /// Like [`probe`](Self::probe), but leaves no empty folder of that name.
    #[cfg(feature = "manage")]
    pub(crate) fn try_out(&self, name: &Name) -> Result<()> {
        let done = self.probe(name);
        // A folder that is not empty stays.
        let _ = fs::remove_dir(self.versions(name));
        done
    }

    fn try_probe(&self, name: &Name) -> Result<()> {
        let folder = self.versions(name);
        durable::create_private_folder(&folder)?;
        durable::create_private_folder(&self.root.join("live"))?;
        let path = folder.join(".probe");
        // Enough for a long chain, a large key and their copies.
        durable::write_file(&path, &[b'\n'; 64 << 10], 0o600)?;
        fs::remove_file(&path)
            .map_err(|e| Error::io("store.probe", format!("cannot remove {}", path.display()), e))
    }

    /// Writes a certificate and its key into a folder of their own. Nothing uses them yet.
    pub fn stage(
        &self,
        name: &Name,
        chain: &IssuedChain,
        key: &Secret,
        about: &About,
        now: Timestamp,
    ) -> Result<Version> {
        let versions = self.versions(name);
        durable::create_private_folder(&versions)?;
        let fail = |path: &Path| {
            let message = format!("cannot write {}", path.display());
            move |e: io::Error| Error::io("store.write", message, e)
        };
        let mut tries = 0;
        let (id, folder) = loop {
            let id = if tries == 0 { now.compact() } else { format!("{}-{tries}", now.compact()) };
            let folder = versions.join(&id);
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => break (id, folder),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries < 1000 => tries += 1,
                Err(e) => return Err(fail(&folder)(e)),
            }
        };
        let write = || -> Result<()> {
            let about = serde_json::to_vec(about)
                .map_err(|e| Error::new(ErrorKind::Internal, "store.write", e.to_string()))?;
            durable::write_file(&folder.join(ABOUT), &about, 0o600)?;
            durable::write_file(&folder.join("privkey.pem"), key.expose().as_bytes(), 0o600)?;
            durable::write_file(&folder.join("cert.pem"), chain.leaf().pem().as_bytes(), 0o644)?;
            durable::write_file(&folder.join("chain.pem"), chain.above_pem().as_bytes(), 0o644)?;
            // The last file: without it the folder is not a version.
            durable::write_file(&folder.join("fullchain.pem"), chain.pem().as_bytes(), 0o644)?;
            durable::sync_folder(&versions)
        };
        if let Err(error) = write() {
            // Best effort: the error that matters is the first one.
            let _ = fs::remove_dir_all(&folder);
            return Err(error);
        }
        Ok(Version { id, chain: chain.clone(), about: about.clone(), folder })
    }

    /// Makes a version live, or `None`, in one rename.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if `live/<name>` is not a link of ours.
    pub fn swap(&self, name: &Name, id: Option<&str>) -> Result<()> {
        match id {
            Some(id) => {
                self.lead_to(name, &Path::new("../versions").join(name.as_str()).join(id))?;
                // A real certificate needs no placeholder.
                remove(&self.root.join(PLACEHOLDERS).join(name.as_str()))
            }
            None => {
                let link = self.own_link(name)?;
                durable::swap_link(&link, None).map_err(|e| cannot_set(&link, e))
            }
        }
    }

    /// Makes `live/<name>` a link to `target`, in one rename.
    fn lead_to(&self, name: &Name, target: &Path) -> Result<()> {
        let link = self.own_link(name)?;
        durable::swap_link(&link, Some(target)).map_err(|e| cannot_set(&link, e))
    }

    /// `live/<name>`, which is ours or does not exist, in a folder that exists.
    fn own_link(&self, name: &Name) -> Result<PathBuf> {
        let link = self.live(name);
        match fs::symlink_metadata(&link) {
            Ok(metadata) if !metadata.is_symlink() => return Err(not_ours(&link)),
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(cannot_set(&link, e)),
            _ => {}
        }
        durable::create_private_folder(&self.root.join("live"))?;
        Ok(link)
    }

    /// Removes old versions of `name`: all except the newest `keep`, the live one and `also`.
    pub fn prune(&self, name: &Name, keep: usize, also: Option<&str>) -> Result<()> {
        let live = fs::read_link(self.live(name)).ok();
        let live = live.as_deref().and_then(Path::file_name).map(|id| id.to_string_lossy());
        let ids = self.version_ids(name)?;
        for id in ids.iter().rev().skip(keep) {
            if live.as_deref() != Some(id) && also != Some(id) {
                remove(&self.versions(name).join(id))?;
            }
        }
        Ok(())
    }

    /// Removes everything of `name`.
    pub fn remove(&self, name: &Name) -> Result<()> {
        self.swap(name, None)?;
        remove(&self.root.join(PLACEHOLDERS).join(name.as_str()))?;
        remove(&self.versions(name))
    }

    fn versions(&self, name: &Name) -> PathBuf {
        self.root.join("versions").join(name.as_str())
    }
}

fn about(folder: &Path) -> About {
    let about = fs::read(folder.join(ABOUT)).unwrap_or_default();
    serde_json::from_slice(&about).unwrap_or_default()
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("store.read", format!("cannot read {}", path.display()), e)),
    }
}

fn leads_to_placeholder(target: &Path) -> bool {
    target.starts_with(Path::new("..").join(PLACEHOLDERS))
}

fn cannot_set(link: &Path, e: io::Error) -> Error {
    Error::io("store.swap", format!("cannot set {}", link.display()), e)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("store.remove", format!("cannot remove {}", folder.display()), e))
        }
        _ => Ok(()),
    }
}

/// The visible names in a folder; empty if it does not exist.
fn list(folder: &Path) -> Result<Vec<String>> {
    let fail = |e| Error::io("store.list", format!("cannot list {}", folder.display()), e);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fail(e)),
    };
    entries.map(|e| Ok(e.map_err(fail)?.file_name().to_string_lossy().into_owned())).collect()
}

fn not_ours(link: &Path) -> Error {
    let message = format!("{} is not a link that Seaworthy made", link.display());
    Error::new(ErrorKind::AlreadyExists, "store.swap", message)
        .remedy_is("move it away, or use another `store`: it will not be overwritten")
}
