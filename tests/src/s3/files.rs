//! A store in a folder that checks every signature.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hyper::{Method, Request, Response, body::Incoming, service::service_fn};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};

use super::{BUCKET, KEY_ID, SECRET, serve::Serving};

/// The server of crate `s3s-fs`.
#[derive(Debug)]
pub struct FilesServer {
    root: PathBuf,
    _folder: Option<tempfile::TempDir>,
    serving: Serving,
}

impl FilesServer {
    /// A store with an empty bucket.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::start_in(folder.path());
        server._folder = Some(folder);
        server
    }

    /// A store that keeps its objects in `root`.
    pub fn start_in(root: &Path) -> Self {
        fs::create_dir_all(root.join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let (service, folder) = (service.build(), root.to_owned());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (service, folder) = (service.clone(), folder.clone());
            async move {
                match as_folder(&request, &folder) {
                    Some(answer) => Ok(answer),
                    None => service.call(request.map(s3s::Body::from)).await,
                }
            }
        });
        let serving = Serving::start(answer, None);
        Self { root: root.to_owned(), _folder: None, serving }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.serving.address)
    }

    /// The bucket's folder.
    pub fn bucket(&self) -> PathBuf {
        self.root.join(BUCKET)
    }

    /// How many files of unfinished uploads lie about.
    pub fn unfinished(&self) -> usize {
        let names = fs::read_dir(&self.root).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".upload")).count()
    }
}

/// The answer where a key is a folder on the disk: crate `s3s-fs` takes it for an object, but in
/// a bucket there are no folders.
fn as_folder(request: &Request<Incoming>, root: &Path) -> Option<Response<s3s::Body>> {
    let path = request.uri().path().trim_start_matches('/');
    if !path.contains('/') || path.ends_with('/') || !root.join(path).is_dir() {
        return None;
    }
    let (status, text) = match *request.method() {
        Method::GET => (404, "<Error><Code>NoSuchKey</Code></Error>"),
        Method::HEAD => (404, ""),
        Method::DELETE => (204, ""),
        _ => return None,
    };
    let mut answer = Response::new(s3s::Body::from(text.to_owned()));
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
    Some(answer)
}
