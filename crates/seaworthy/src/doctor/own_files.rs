//! Our own files on this machine: can we write them, and can no other user read them?

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use seaworthy_core::{Error, Findings, SecretRef, durable};
use serde_json::Value;

use crate::Seaworthy;

impl Seaworthy {
    /// Checks the state folder, the keys of certificates, and files with secrets.
    pub(super) fn look_at_own_files(&self) -> Findings {
        let mut checks = Findings::of("own files");
        let state = self.state.path();
        let written = durable::create_private_folder(state).and_then(|()| {
            let probe = tempfile::Builder::new().prefix(".doctor-").tempfile_in(state);
            let message = format!("cannot write in {}", state.display());
            probe.map(drop).map_err(|e| Error::io("doctor", message, e))
        });
        match written {
            Ok(()) => checks.ok("state", format!("{} can be written", state.display())),
            Err(error) => checks.fail(
                "state",
                error.chain(),
                format!("run it as the owner of {}, or set another `state`", state.display()),
            ),
        }
        private(state, "state folder", 0o077, &mut checks);
        for (_, folder) in self.config.sink_folders() {
            private(folder, "sink's folder", 0o077, &mut checks);
        }
        self.look_at_keys(&mut checks);
        for path in self.secret_files() {
            private(&path, "secret", 0o037, &mut checks);
        }
        checks
    }

    fn look_at_keys(&self, checks: &mut Findings) {
        let manager = self.certificate_manager();
        let store = manager.store();
        let names = match store.names() {
            Ok(names) => names,
            Err(error) => {
                checks.error("keys", &error);
                return;
            }
        };
        for name in &names {
            match store.current(name) {
                Ok(Some(version)) => {
                    let key = version.folder().join("privkey.pem");
                    private(&key, "private key", 0o077, checks);
                }
                Ok(None) => {}
                Err(error) => checks.error("keys", &error),
            }
        }
    }

    /// The files that the configuration reads secrets from.
    fn secret_files(&self) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        walk(&serde_json::to_value(&self.config).unwrap_or_default(), &mut found);
        found.sort();
        found.dedup();
        found
    }
}

/// Exactly the values `{ file = … }` are places of secrets.
fn walk(value: &Value, found: &mut Vec<std::path::PathBuf>) {
    match value {
        Value::Object(map) => {
            if let (1, Some(SecretRef::File(path))) =
                (map.len(), serde_json::from_value(value.clone()).ok())
            {
                found.push(path);
                return;
            }
            map.values().for_each(|value| walk(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
        _ => {}
    }
}

/// Checks that none of `others` (bits of its mode) can access `path`. A missing file is ignored.
fn private(path: &Path, what: &str, others: u32, checks: &mut Findings) {
    let Ok(meta) = fs::metadata(path) else { return };
    let (mode, shown) = (meta.permissions().mode() & 0o777, path.display());
    let wanted = mode & !others;
    if mode & others == 0 {
        checks.ok("permissions", format!("{shown} is not accessible for other users"));
    } else {
        let message = format!("the {what} {shown} is open to other users (mode {mode:04o})");
        checks.warn("permissions", message, format!("chmod {wanted:o} {shown}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_secrets_are_found_wherever_they_stand() {
        let config = serde_json::json!({
            "a": { "url": { "file": "/run/a" } },
            "b": [{ "key": { "env": "X" } }, { "key": { "file": "/run/b" } }],
            "c": { "file": "/etc/c", "other": 1 },
        });
        let mut found = Vec::new();
        walk(&config, &mut found);
        assert_eq!(found, [Path::new("/run/a"), Path::new("/run/b")]);
    }
}
