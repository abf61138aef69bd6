//! A store that keeps nothing but what it was asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Incoming, http::request::Parts, service::service_fn};

use super::serve::{Serving, Wrong};

/// Takes every upload and says that it is there. It also answers as a proxy for `http://` stores.
#[derive(Debug)]
pub struct Recorder {
    asked: Arc<Mutex<Vec<Parts>>>,
    serving: Serving,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::start()
    }
}

impl Recorder {
    /// Starts it.
    pub fn start() -> Self {
        let asked = Arc::<Mutex<Vec<Parts>>>::default();
        let kept = asked.clone();
        let answer = service_fn(move |request| answer(request, kept.clone()));
        Self { asked, serving: Serving::start(answer, None) }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.serving.address)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Parts> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    asked: Arc<Mutex<Vec<Parts>>>,
) -> Result<Response<Full<Bytes>>, Wrong> {
    let (parts, body) = request.into_parts();
    let len = body.collect().await?.to_bytes().len();
    let text = match (&parts.method, parts.uri.query().unwrap_or_default()) {
        (&Method::POST, "uploads" | "uploads=") => {
            "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        }
        (&Method::POST, _) => {
            "<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>"
        }
        _ => "",
    };
    let is_head = parts.method == Method::HEAD;
    asked.lock().unwrap().push(parts);
    let answer = Response::builder()
        .header("etag", "\"1\"")
        .header("last-modified", "Sun, 22 Nov 2026 10:45:51 GMT");
    let answer = if is_head { answer.header("content-length", len) } else { answer };
    Ok(answer.body(Full::new(text.into()))?)
}
