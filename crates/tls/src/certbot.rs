//! Reads certbot's folder, so that its certificates and accounts can be imported.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, Name, Result, Secret, durable};
use serde::Deserialize;

use crate::{IssuedChain, Store, jwk::Jwk};

/// certbot's folder.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Found {
    /// Its certificates.
    pub lineages: Vec<Lineage>,
    /// Its accounts.
    pub accounts: Vec<FoundAccount>,
    /// What cannot be imported.
    pub notes: Vec<String>,
}

/// One certificate with its settings.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lineage {
    /// Its name.
    pub name: Name,
    /// The certificate and the intermediate ones.
    pub chain: IssuedChain,
    /// Its key, as PEM.
    pub key: Secret,
    /// The URL of the directory that issued it.
    pub server: String,
    /// The settings in its renewal file.
    settings: BTreeMap<String, String>,
}

/// One account.
#[derive(Debug)]
#[non_exhaustive]
pub struct FoundAccount {
    /// The URL of the directory.
    pub directory: String,
    /// The URL of the account.
    pub url: String,
    /// Its key: PKCS#8 in PEM; `None` if it is neither RSA nor P-256.
    pub key: Option<Secret>,
    /// Whether we can use its key as it is.
    is_p256: bool,
    /// Its name in certbot.
    id: String,
}

/// Reads certbot's folder `from`: all its certificates, or those called `names`.
///
/// # Errors
/// If the folder does not exist, or one of the named certificates does not.
pub fn read(from: &Path, names: &[Name]) -> Result<Found> {
    let mut found = Found::default();
    let folder = from.join("renewal");
    let entries = fs::read_dir(&folder).map_err(|e| {
        Error::io("certbot.read", format!("cannot read {}", folder.display()), e)
            .remedy_with("pass the path of certbot's folder in `from`", &["from"])
    })?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    for path in files {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(name) = Name::new(stem.clone()) else {
            found.notes.push(format!("{stem:?} is not a valid name: it is skipped"));
            continue;
        };
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        match read_lineage(from, name, &path) {
            Ok(lineage) => found.lineages.push(lineage),
            Err(error) => found.notes.push(format!("{stem}: {}", error.chain())),
        }
    }
    if let Some(missing) = names.iter().find(|n| found.lineages.iter().all(|l| l.name != **n)) {
        let message = format!("certbot has no usable certificate {missing}");
        return Err(Error::new(ErrorKind::NotFound, "certbot.read", message)
            .remedy_is(format!("check what is in {}", folder.display())));
    }
    read_accounts(&from.join("accounts"), &from.join("accounts"), &mut found)?;
    // Of several accounts at one authority, the one in use.
    let used: Vec<&String> =
        found.lineages.iter().filter_map(|lineage| lineage.settings.get("account")).collect();
    found.accounts.sort_by_key(|account| (!used.contains(&&account.id), account.id.clone()));
    Ok(found)
}

fn read_lineage(from: &Path, name: Name, conf: &Path) -> Result<Lineage> {
    let read = |path: &Path| {
        let message = format!("cannot read {}", path.display());
        fs::read_to_string(path).map_err(|e| Error::io("certbot.read", message, e))
    };
    let settings = parse(&read(conf)?);
    let live = from.join("live").join(name.as_str());
    let chain = IssuedChain::from_pem(&read(&live.join("fullchain.pem"))?)?;
    let key = Secret::new(read(&live.join("privkey.pem"))?);
    let server = settings.get("server").cloned().unwrap_or_default();
    Ok(Lineage { name, chain, key, server, settings })
}

/// `key = value` lines; a section in double brackets becomes a part of the key.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut prefix = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(section) = line.strip_prefix("[[").and_then(|l| l.strip_suffix("]]")) {
            prefix = format!("{section}.");
        } else if line.starts_with('[') {
            prefix.clear();
        } else if let Some((key, value)) = line.split_once('=') {
            settings.insert(format!("{prefix}{}", key.trim()), value.trim().to_owned());
        }
    }
    settings
}

/// Accounts are in folders named after their directory's URL.
fn read_accounts(root: &Path, folder: &Path, found: &mut Found) -> Result<()> {
    #[derive(Deserialize)]
    struct Registration {
        uri: String,
    }
    let fail = |e| Error::io("certbot.read", format!("cannot read {}", folder.display()), e);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(fail(e)),
    };
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        // Old directories are links to newer ones.
        if path.is_symlink() || !path.is_dir() {
            continue;
        }
        let (Ok(key), Ok(registration)) =
            (fs::read(path.join("private_key.json")), fs::read(path.join("regr.json")))
        else {
            read_accounts(root, &path, found)?;
            continue;
        };
        let (Ok(key), Ok(registration)) = (
            serde_json::from_slice::<Jwk>(&key),
            serde_json::from_slice::<Registration>(&registration),
        ) else {
            found.notes.push(format!("the account in {} cannot be read", path.display()));
            continue;
        };
        let place = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
        found.accounts.push(FoundAccount {
            directory: format!("https://{place}"),
            url: registration.uri,
            key: key.pem(),
            is_p256: key.is_p256(),
            id: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        });
    }
    Ok(())
}

impl FoundAccount {
    /// Whether the account is to get a new key before it can be ours: with
    /// `AcmeAuthority::roll_over_account_key`.
    pub fn can_roll_over(&self) -> bool {
        self.key.is_some() && !self.is_p256
    }

    /// Imports this account, unless we have one at its directory. Returns whether this was done.
    /// certbot can continue to use it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a key that is not P-256.
    pub fn install(&self, store: &Store, dry_run: bool) -> Result<bool> {
        let path = store.account_folder(&self.directory).join("account.json");
        if path.exists() {
            return Ok(false);
        }
        let Some(key) = self.key.as_ref().filter(|_| self.is_p256) else {
            let kind = if self.can_roll_over() { "an RSA key" } else { "a key of an unknown kind" };
            let message = format!("certbot's account at {} has {kind}", self.directory);
            let error = Error::new(ErrorKind::Unsupported, "certbot.account", message);
            return Err(if self.can_roll_over() {
                let remedy = "it can be imported with a new key with `roll_over`; then certbot \
                              cannot use it any more; otherwise a new account is registered \
                              automatically";
                error.remedy_with(remedy, &["roll_over"])
            } else {
                error.remedy_is("a new account is registered automatically")
            });
        };
        if dry_run {
            return Ok(true);
        }
        let saved = serde_json::json!({
            "format": 1, "directory": self.directory, "id": self.url, "key": key.expose(),
        });
        if let Some(folder) = path.parent() {
            durable::create_private_folder(folder)?;
        }
        durable::write_file(&path, saved.to_string().as_bytes(), 0o600)?;
        Ok(true)
    }
}

impl Found {
    /// The sections of the configuration file that do what certbot did.
    pub fn settings(&self) -> String {
        let mut text = String::new();
        let mut servers: Vec<&str> = self.lineages.iter().map(|l| l.server.as_str()).collect();
        servers.sort_unstable();
        servers.dedup();
        for server in &servers {
            let directory = if *server == "https://acme-v02.api.letsencrypt.org/directory" {
                "letsencrypt"
            } else {
                server
            };
            let _ = write!(
                text,
                "[ca.{}]\ntype = \"acme\"\ndirectory = {directory:?}\nagree_tos = true  # certbot's user did\n\n",
                ca_name(server)
            );
        }
        for lineage in &self.lineages {
            let _ = writeln!(text, "{}", lineage.section());
        }
        text
    }
}

/// `letsencrypt`, or the host of a directory with dashes.
fn ca_name(server: &str) -> String {
    match server {
        "https://acme-v02.api.letsencrypt.org/directory" => "letsencrypt".to_owned(),
        "https://acme-staging-v02.api.letsencrypt.org/directory" => {
            "letsencrypt-staging".to_owned()
        }
        other => {
            let host = other.split('/').nth(2).unwrap_or("other");
            host.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
        }
    }
}

impl Lineage {
    fn section(&self) -> String {
        let get = |key: &str| self.settings.get(key).map(|v| v.trim_end_matches(',').trim());
        let names: Vec<_> =
            self.chain.leaf().names().iter().map(|n| format!("{:?}", n.as_str())).collect();
        let mut text = format!(
            "[certificate.{}]\nnames = [{}]\nca = [{:?}]\n",
            quoted(self.name.as_str()),
            names.join(", "),
            ca_name(&self.server)
        );
        let webroot = get("webroot_path").filter(|path| !path.is_empty()).or_else(|| {
            let map = self.settings.iter().find(|(key, _)| key.starts_with("webroot_map."));
            map.map(|(_, path)| path.as_str())
        });
        let line = match get("authenticator").unwrap_or_default() {
            "webroot" if webroot.is_some() => {
                let folder = webroot.unwrap_or_default();
                format!("challenge = {{ type = \"http-01\", webroot = {folder:?} }}")
            }
            "standalone" => {
                let port = get("http01_port").unwrap_or("80");
                format!("challenge = {{ type = \"http-01\", standalone = \"[::]:{port}\" }}")
            }
            "nginx" => "challenge = { type = \"http-01\", webroot = \"/var/www/acme\" }  # show it at /.well-known/acme-challenge/".to_owned(),
            other => format!("# certbot used {other:?}: choose a `challenge` that does the same"),
        };
        let _ = writeln!(text, "{line}");
        let key = match (get("key_type"), get("elliptic_curve"), get("rsa_key_size")) {
            (Some("rsa"), _, Some("4096")) => Some("rsa4096"),
            (Some("rsa"), ..) => Some("rsa2048"),
            (_, Some("secp384r1"), _) => Some("p384"),
            _ => None,
        };
        if let Some(key) = key {
            let _ = writeln!(text, "key = {key:?}");
        }
        match get("renew_hook").or_else(|| get("deploy_hook")) {
            Some(hook) => {
                let _ = writeln!(text, "deploy = [[\"sh\", \"-c\", {hook:?}]]");
            }
            None => text.push_str("deploy = [[\"systemctl\", \"reload\", \"nginx\"]]\n"),
        }
        text
    }
}

/// A name with dots is quoted as a key.
fn quoted(name: &str) -> String {
    if name.contains('.') { format!("{name:?}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_files_are_read() {
        let text = "version = 2.1.0\n# comment\n[renewalparams]\nauthenticator = webroot\n\
                    webroot_path = /var/www/html,\n[[webroot_map]]\na.example = /srv/a\n";
        let settings = parse(text);
        assert_eq!(settings["authenticator"], "webroot");
        assert_eq!(settings["webroot_map.a.example"], "/srv/a");
    }
}
