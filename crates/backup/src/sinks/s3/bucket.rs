//! What `object_store` does not support: versions, locks, unfinished uploads.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use object_store::client::{HttpRequest, HttpRequestBody};
use seaworthy_core::{ErrorKind, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    failure::{Failure, http_date},
    provider::Provider,
    service::{Service, header_text},
};
use crate::sinks::ObjectHistory;

/// A client for one bucket. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::sinks) struct Bucket {
    service: Service,
    /// The bucket's URL, without a slash at its end.
    url: Arc<str>,
    provider: Provider,
    /// The store does not support versions.
    knows_no_versions: Arc<AtomicBool>,
}

type Result<T> = std::result::Result<T, Failure>;

/// One version of an object, or a delete marker.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    key: String,
    #[serde(default)]
    version_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct VersionsPage {
    version: Vec<Version>,
    delete_marker: Vec<Version>,
    is_truncated: bool,
    next_key_marker: String,
    next_version_id_marker: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Unfinished {
    key: String,
    upload_id: String,
    #[serde(default)]
    initiated: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UploadsPage {
    upload: Vec<Unfinished>,
    is_truncated: bool,
    next_key_marker: String,
    next_upload_id_marker: String,
}

/// Everything that is stored under one key.
struct Versions {
    stored: Vec<String>,
    hiding: Vec<String>,
}

impl Bucket {
    pub(super) fn new(service: Service, url: &str, provider: Provider) -> Self {
        let knows_no_versions = Arc::default();
        Self { service, url: url.into(), provider, knows_no_versions }
    }

    pub(in crate::sinks) fn provider(&self) -> Provider {
        self.provider
    }

    /// Deletes every version of the object at `path`, so that nothing of it is left.
    pub(in crate::sinks) async fn delete(&self, path: &str) -> Result<()> {
        let versions = match self.versions(path).await {
            Ok(Some(versions)) => versions,
            Ok(None) => return self.delete_only(path).await,
            // A key that cannot list versions may still delete if there are none.
            Err(failure)
                if self.provider == Provider::S3
                    && failure.kind() == ErrorKind::PermissionDenied =>
            {
                return self.delete_only(path).await;
            }
            Err(failure) => return Err(failure),
        };
        if versions.hiding.is_empty() && versions.stored == ["null"] {
            return self.delete_only(path).await;
        }
        // The newest first: then what an interrupted deletion leaves is hidden or older.
        for id in versions.stored.iter().chain(&versions.hiding) {
            match self.call(Method::DELETE, path, &[("versionId", id)]).await {
                Err(failure) if failure.kind() != ErrorKind::NotFound => {
                    return Err(failure);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Deletes if there are no versions; fails if this only hid the object.
    async fn delete_only(&self, path: &str) -> Result<()> {
        match self.call(Method::DELETE, path, &[]).await {
            Ok((headers, _)) if header_text(&headers, "x-amz-delete-marker") == Some("true") => {
                Err(Failure::hidden())
            }
            Err(failure) if failure.kind() != ErrorKind::NotFound => Err(failure),
            _ => Ok(()),
        }
    }

    /// Everything that the store has under `path`, including what it does not show.
    pub(in crate::sinks) async fn history(&self, path: &str) -> Result<ObjectHistory> {
        let mut history = ObjectHistory::default();
        let versions = self.versions(path).await?;
        match self.call(Method::HEAD, path, &[]).await {
            Ok((headers, _)) => {
                history.present = true;
                history.versions = 1;
                let until = header_text(&headers, "x-amz-object-lock-retain-until-date");
                history.locked_until = until.and_then(|until| until.parse().ok());
                history.held = header_text(&headers, "x-amz-object-lock-legal-hold") == Some("ON");
            }
            Err(failure) if failure.kind() == ErrorKind::NotFound => {}
            Err(failure) => return Err(failure),
        }
        if let Some(versions) = versions {
            history.versions = versions.stored.len() as u64;
            history.hide_marks = versions.hiding.len() as u64;
        }
        Ok(history)
    }

    /// Every version under `path`, newest first; `None` if the store does not support versions.
    async fn versions(&self, path: &str) -> Result<Option<Versions>> {
        if self.knows_no_versions.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut found = Versions { stored: Vec::new(), hiding: Vec::new() };
        let (mut key, mut version) = (String::new(), String::new());
        loop {
            let mut query = vec![("versions", ""), ("prefix", path)];
            if !key.is_empty() {
                query.extend([("key-marker", &*key), ("version-id-marker", &*version)]);
            }
            let page: VersionsPage = match self.ask(&query).await {
                Err(failure) if failure.is_not_offered() => {
                    self.knows_no_versions.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                page => page?,
            };
            let of_key = |v: Version| (v.key == path).then_some(v.version_id);
            found.stored.extend(page.version.into_iter().filter_map(of_key));
            found.hiding.extend(page.delete_marker.into_iter().filter_map(of_key));
            // Other keys with the same prefix come after all versions of this one.
            if !page.is_truncated || page.next_key_marker.as_str() > path {
                return Ok(Some(found));
            }
            (key, version) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    /// Aborts the unfinished uploads below `prefix` that began before `before`, and returns how
    /// many there were.
    pub(in crate::sinks) async fn discard_uploads(
        &self,
        prefix: &str,
        before: Option<Timestamp>,
    ) -> Result<u64> {
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let mut count = 0;
        let (mut key, mut id) = (String::new(), String::new());
        loop {
            let mut query = vec![("uploads", "")];
            if !below.is_empty() {
                query.push(("prefix", &below));
            }
            if !key.is_empty() {
                query.extend([("key-marker", &*key), ("upload-id-marker", &*id)]);
            }
            let page: UploadsPage = match self.ask(&query).await {
                Err(failure) if failure.is_not_offered() => return Ok(count),
                page => page?,
            };
            // Some stores ignore the prefix.
            for upload in page.upload.iter().filter(|upload| upload.key.starts_with(&below)) {
                if before.is_some_and(|before| !upload.began_before(before)) {
                    continue;
                }
                let query = [("uploadId", upload.upload_id.as_str())];
                match self.call(Method::DELETE, &upload.key, &query).await {
                    Err(failure) if failure.kind() != ErrorKind::Io => {
                        return Err(failure);
                    }
                    _ => count += 1,
                }
            }
            if !page.is_truncated {
                return Ok(count);
            }
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// The bucket's own response to `query`.
    pub(super) async fn ask<T: DeserializeOwned>(&self, query: &[(&str, &str)]) -> Result<T> {
        let (_, body) = self.call(Method::GET, "", query).await?;
        quick_xml::de::from_reader(&*body).map_err(|error| Failure::lost(&error))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(HeaderMap, Bytes)> {
        let mut url = self.url.to_string();
        if !path.is_empty() {
            url.push('/');
            encode(path, true, &mut url);
        }
        for (n, (name, value)) in query.iter().enumerate() {
            url.push(if n == 0 { '?' } else { '&' });
            encode(name, false, &mut url);
            url.push('=');
            encode(value, false, &mut url);
        }
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.parse::<Uri>().map_err(|error| Failure::lost(&error))?;
        let (head, body) = self.service.send(request).await?.into_parts();
        let body = body.bytes().await.map_err(|error| Failure::lost(&error))?;
        Ok((head.headers, body))
    }
}

impl Unfinished {
    /// Whether it began before `moment`; one without a time counts as new.
    fn began_before(&self, moment: Timestamp) -> bool {
        let initiated = self.initiated.parse().ok();
        let initiated = initiated.or_else(|| http_date(&self.initiated).map(Timestamp::from_unix));
        initiated.is_some_and(|initiated| initiated < moment)
    }
}

/// Adds `text` to `url` with the encoding that the signature requires.
fn encode(text: &str, slashes: bool, url: &mut String) {
    use std::fmt::Write;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slashes && byte == b'/') {
            url.push(byte.into());
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_hide_marks_are_read_in_any_order() {
        let page: VersionsPage = quick_xml::de::from_str(
            "<ListVersionsResult><IsTruncated>true</IsTruncated>\
             <NextKeyMarker>k</NextKeyMarker>\
             <DeleteMarker><Key>a</Key><VersionId>3</VersionId></DeleteMarker>\
             <Version><Key>a</Key><VersionId>2</VersionId><Size>1</Size></Version>\
             <DeleteMarker><Key>a</Key><VersionId>1</VersionId></DeleteMarker>\
             </ListVersionsResult>",
        )
        .unwrap();
        assert!(page.is_truncated);
        assert_eq!((page.version.len(), page.delete_marker.len()), (1, 2));
        let empty: VersionsPage =
            quick_xml::de::from_str("<ListVersionsResult></ListVersionsResult>").unwrap();
        assert!(!empty.is_truncated && empty.version.is_empty());
    }

    #[test]
    fn an_upload_of_unknown_age_is_left_alone() {
        let upload = |initiated: &str| Unfinished {
            key: "k".into(),
            upload_id: "u".into(),
            initiated: initiated.into(),
        };
        let moment = "2026-01-02T00:00:00Z".parse().unwrap();
        assert!(upload("2026-01-01T00:00:00.000Z").began_before(moment));
        assert!(!upload("2026-01-03T00:00:00.000Z").began_before(moment));
        assert!(!upload("").began_before(moment));
    }

    #[test]
    fn what_a_url_cannot_hold_is_encoded() {
        let mut url = String::new();
        encode("a/b+c=", false, &mut url);
        encode("/d e", true, &mut url);
        assert_eq!(url, "a%2Fb%2Bc%3D/d%20e");
    }
}
