//! What the stand-in stores.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::HeaderMap;

use super::B2Key;

/// Objects by key, each with its versions, oldest first.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) keys: Vec<B2Key>,
    pub(super) objects: BTreeMap<String, Vec<Version>>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) next: u64,
    /// How many objects a page of a listing has.
    pub(super) page: usize,
    /// The bucket's lifecycle rules, as it answers with them.
    pub(super) lifecycle: Option<String>,
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) id: String,
    /// `None` hides what is older.
    pub(super) bytes: Option<Bytes>,
    pub(super) headers: HeaderMap,
    /// Seconds since 1970.
    pub(super) written: u64,
}

#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) headers: HeaderMap,
    pub(super) parts: BTreeMap<u32, Bytes>,
}

impl State {
    pub(super) fn new_id(&mut self) -> String {
        self.next += 1;
        format!("4_z{:08}+/=", self.next)
    }

    pub(super) fn put(&mut self, key: &str, bytes: Bytes, headers: HeaderMap) {
        self.add(key, Some(bytes), headers);
    }

    pub(super) fn hide(&mut self, key: &str) {
        self.add(key, None, HeaderMap::new());
    }

    fn add(&mut self, key: &str, bytes: Option<Bytes>, headers: HeaderMap) {
        let id = self.new_id();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let version = Version { id, bytes, headers, written: now };
        self.objects.entry(key.to_owned()).or_default().push(version);
    }

    /// The newest version of `key`, unless it is hidden.
    pub(super) fn shown(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last().filter(|version| version.bytes.is_some())
    }

    /// Deletes one version; `false` where a lock forbids it.
    pub(super) fn delete(&mut self, key: &str, id: &str) -> bool {
        let Some(versions) = self.objects.get_mut(key) else { return true };
        let locked = |version: &&Version| version.headers.contains_key("x-amz-object-lock-mode");
        if versions.iter().filter(locked).any(|version| version.id == id) {
            return false;
        }
        versions.retain(|version| version.id != id);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        true
    }
}
