//! Placeholders: what a server presents until its certificate is issued.
//!
//! A web server does not start without the files that its configuration names, and an authority
//! asks the web server before it issues them. A placeholder breaks the circle: `live/<name>` links
//! to a self-signed certificate that is not a version in the store, so that everything else still
//! finds none.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use seaworthy_core::{Context, Error, Name, Result, durable};

use crate::{
    CertificateProvider, CertificateRequest, Identifier, KeyType, PrivateKey, Store,
    local_ca::SelfSigned, store::PLACEHOLDERS,
};

/// How long a placeholder lives: longer than anybody puts up with it.
const LIFE: Duration = Duration::from_secs(90 * 86_400);

impl Store {
    /// Creates a placeholder for `names` if nothing is live under `name`, and returns whether it
    /// did.
    pub async fn put_placeholder(
        &self,
        name: &Name,
        names: &[Identifier],
        cx: &Context,
    ) -> Result<bool> {
        if self.live(name).join("fullchain.pem").exists() || self.current(name)?.is_some() {
            return Ok(false);
        }
        let folder = self.placeholder_folder(name);
        make_placeholder(&folder, names, cx).await?;
        self.lead_to_placeholder(name)?;
        Ok(true)
    }

    /// Removes the placeholder of `name`; a real certificate stays.
    pub fn remove_placeholder(&self, name: &Name) -> Result<()> {
        if self.is_placeholder(name) {
            self.swap(name, None)?;
        }
        let folder = self.placeholder_folder(name);
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("cannot remove {}", folder.display());
                Err(Error::io("store.placeholder", message, e))
            }
            _ => Ok(()),
        }
    }

    fn placeholder_folder(&self, name: &Name) -> PathBuf {
        self.root().join(PLACEHOLDERS).join(name.as_str())
    }
}

/// Writes a placeholder for `names` into `folder`: the same four files as a certificate's.
pub async fn make_placeholder(folder: &Path, names: &[Identifier], cx: &Context) -> Result<()> {
    let key = PrivateKey::generate(KeyType::P256)?;
    let request = CertificateRequest::new(names.to_vec());
    let chain = SelfSigned::new().life(LIFE).issue(&request, &key, cx).await?;
    durable::create_private_folder(folder)?;
    let write = |file: &str, text: &str, mode| {
        durable::write_file(&folder.join(file), text.as_bytes(), mode)
    };
    write("privkey.pem", key.pem().expose(), 0o600)?;
    write("cert.pem", &chain.leaf().pem(), 0o644)?;
    write("chain.pem", &chain.above_pem(), 0o644)?;
    write("fullchain.pem", &chain.pem(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{About, IssuedChain};

    #[tokio::test]
    async fn nobody_takes_a_placeholder_for_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("tls"));
        let (name, cx) = (Name::new("a").unwrap(), Context::new());
        let names: Vec<Identifier> = vec!["a.example".parse().unwrap()];
        assert!(store.put_placeholder(&name, &names, &cx).await.unwrap());
        let file = store.live(&name).join("fullchain.pem");
        let text = fs::read_to_string(&file).unwrap();
        assert!(IssuedChain::from_pem(&text).unwrap().leaf().is_for(&names));
        assert!(store.is_placeholder(&name) && store.current(&name).unwrap().is_none());
        assert_eq!((store.names().unwrap(), store.all_names().unwrap()), (vec![], vec![]));
        // Once is enough.
        assert!(!store.put_placeholder(&name, &names, &cx).await.unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), text);

        // The real certificate replaces it in one step, and is not removed with it.
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        let request = CertificateRequest::new(names.clone());
        let chain = SelfSigned::new().issue(&request, &key, &cx).await.unwrap();
        let about = About::new("real");
        let version = store.stage(&name, &chain, &key.pem(), &about, cx.now()).unwrap();
        store.swap(&name, Some(&version.id)).unwrap();
        assert!(!store.is_placeholder(&name));
        assert!(!folder.path().join("tls/stand-ins/a").exists());
        store.remove_placeholder(&name).unwrap();
        assert_eq!(store.current(&name).unwrap().unwrap().id, version.id);
        assert!(!store.put_placeholder(&name, &names, &cx).await.unwrap());

        // Without a placeholder, removing leaves nothing.
        let other = Name::new("b").unwrap();
        assert!(store.put_placeholder(&other, &names, &cx).await.unwrap());
        store.remove_placeholder(&other).unwrap();
        assert!(
            !store.live(&other).is_symlink() && !folder.path().join("tls/stand-ins/b").exists()
        );
    }
}
