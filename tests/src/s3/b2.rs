//! A stand-in for Backblaze B2's S3-compatible face, in memory: what it does otherwise than other
//! stores, by its documentation.

mod answer;
mod state;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use state::State;

use super::{
    SECRET,
    serve::{Serving, Wrong},
};
use crate::Lab;

/// An application key: what it may do, and below which prefix.
#[derive(Clone, Debug)]
pub struct B2Key {
    id: String,
    capabilities: BTreeSet<String>,
    prefix: String,
}

impl B2Key {
    /// What a key may that backs up, prunes and restores.
    pub const ALL: &[&str] = &["listFiles", "readFiles", "writeFiles", "deleteFiles"];

    /// A key for the whole bucket.
    pub fn new(id: &str, capabilities: &[&str]) -> Self {
        let capabilities = capabilities.iter().map(ToString::to_string).collect();
        Self { id: id.to_owned(), capabilities, prefix: String::new() }
    }

    /// The same key, for names that begin with `prefix` alone.
    #[must_use]
    pub fn below(self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self }
    }
}

/// The stand-in. It knows keys by their ids and does not check signatures, but does check that
/// bodies fit their digests.
#[derive(Debug)]
pub struct B2 {
    state: Arc<Mutex<State>>,
    serving: Serving,
}

impl B2 {
    /// One that knows these keys.
    pub fn start(keys: Vec<B2Key>) -> Self {
        // Small pages, so that few objects spread over several.
        Self::serve(State { keys, page: 100, ..State::default() })
    }

    /// One that knows these keys and holds the files below `folder`, with pages as large as those of
    /// real stores.
    pub fn start_with(keys: Vec<B2Key>, folder: &Path) -> Self {
        let mut state = State { keys, page: 1_000, ..State::default() };
        let mut waiting = vec![folder.to_owned()];
        while let Some(next) = waiting.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    waiting.push(path);
                    continue;
                }
                let key = path.strip_prefix(folder).unwrap().to_str().unwrap();
                state.put(key, fs::read(&path).unwrap().into(), Default::default());
            }
        }
        Self::serve(state)
    }

    fn serve(state: State) -> Self {
        let state = Arc::new(Mutex::new(state));
        let known = state.clone();
        let service = service_fn(move |request| handle(request, known.clone()));
        Self { state, serving: Serving::start(service, None) }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.serving.address)
    }

    /// A lab whose sink `off` is this bucket below `prod`, opened with the key of the id `key`. `more` are
    /// further lines of the sink, and the sections that follow it.
    pub fn lab(&self, key: &str, more: &str) -> Lab {
        let lab = Lab::new();
        lab.write("who", key);
        lab.write("secret", SECRET);
        let url = self.url();
        lab.with_config(&format!(
            "state = \"state\"\n[sink.off]\ntype = \"b2\"\nbucket = \"backups\"\nprefix = \"prod\"\n\
             region = \"eu-central-003\"\nendpoint = {url:?}\nallow_http = true\n\
             key_id = {{ file = \"who\" }}\napplication_key = {{ file = \"secret\" }}\n{more}"
        ))
    }

    /// How many versions and hide marks it stores below `prefix`.
    pub fn versions(&self, prefix: &str) -> usize {
        let state = self.state();
        let below = state.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        below.map(|(_, versions)| versions.len()).sum()
    }

    /// Hides the object at `key`, as whoever may write can.
    pub fn hide(&self, key: &str) {
        self.state().hide(key);
    }

    /// Writes another version of the object at `key`.
    pub fn overwrite(&self, key: &str, bytes: &[u8]) {
        self.state().put(key, Bytes::copy_from_slice(bytes), Default::default());
    }

    /// Sets the bucket's lifecycle rules: the elements `Rule` in XML.
    pub fn set_lifecycle(&self, rules: &str) {
        let text = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        self.state().lifecycle = Some(text);
    }

    /// How many uploads are unfinished.
    pub fn unfinished(&self) -> usize {
        self.state().uploads.len()
    }

    /// The keys of all objects that are shown.
    pub fn shown(&self) -> Vec<String> {
        let state = self.state();
        let shown = state.objects.keys().filter(|key| state.shown(key).is_some());
        shown.cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn handle(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Wrong> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(answer::answer(&mut state.lock().unwrap(), &head, body))
}
