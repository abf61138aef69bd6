//! How the stand-in answers.

use std::{collections::HashMap, fmt::Write, ops::Bound};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Response, StatusCode, http::request::Parts};
use sha2::{Digest, Sha256};

use super::{
    super::BUCKET,
    state::{State, Upload},
};

type Answer = Response<Full<Bytes>>;

struct Refusal(u16, &'static str, String);

pub(super) fn answer(state: &mut State, head: &Parts, body: Bytes) -> Answer {
    match route(state, head, body) {
        Ok(answer) => answer,
        Err(Refusal(status, code, message)) => {
            let text = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
            with(status, text)
        }
    }
}

fn route(state: &mut State, head: &Parts, body: Bytes) -> Result<Answer, Refusal> {
    let query = query_of(head.uri.query().unwrap_or_default());
    let path = decode(head.uri.path());
    let in_bucket = path.strip_prefix(&format!("/{BUCKET}")).ok_or_else(no_bucket)?;
    let key = in_bucket.trim_start_matches('/').to_owned();
    let has = |name: &str| query.contains_key(name);
    let get = |name: &str| query.get(name).cloned().unwrap_or_default();

    if head.method == Method::GET && has("lifecycle") {
        // A matter of the bucket: the key's prefix does not count.
        allowed(state, head, "listBuckets", None)?;
        let none = || Refusal(404, "NoSuchLifecycleConfiguration", "there is none".into());
        return state.lifecycle.clone().map(|text| with(200, text)).ok_or_else(none);
    }
    let capability = match head.method {
        Method::GET if key.is_empty() => "listFiles",
        Method::GET | Method::HEAD => "readFiles",
        Method::DELETE if has("versionId") => "deleteFiles",
        _ => "writeFiles",
    };
    let name = if key.is_empty() { get("prefix") } else { key.clone() };
    allowed(state, head, capability, Some(&name))?;
    if head.headers.contains_key("x-amz-object-lock-mode") {
        allowed(state, head, "writeFileRetentions", Some(&name))?;
        if head.method == Method::PUT && !head.headers.contains_key("content-md5") {
            let message = "Content-MD5 is needed with Object Lock";
            return Err(Refusal(400, "InvalidRequest", message.into()));
        }
    }
    check(&head.headers, &body)?;

    match head.method {
        Method::GET if has("versions") => Ok(list_versions(state, &query)),
        Method::GET if has("uploads") => Ok(list_uploads(state, &get("prefix"))),
        Method::GET if key.is_empty() => Ok(list(state, &query)),
        Method::GET | Method::HEAD => read(state, head, &key),
        Method::PUT if has("partNumber") => {
            let upload = state.uploads.get_mut(&get("uploadId")).ok_or_else(no_upload)?;
            upload.parts.insert(get("partNumber").parse().unwrap(), body);
            let mut answer = with(200, String::new());
            answer.headers_mut().insert("etag", "\"part\"".parse().unwrap());
            Ok(answer)
        }
        Method::PUT => {
            state.put(&key, body, head.headers.clone());
            let mut answer = with(200, String::new());
            answer.headers_mut().insert("etag", "\"object\"".parse().unwrap());
            Ok(answer)
        }
        Method::POST if has("uploads") => {
            let id = state.new_id();
            let upload = Upload { key, headers: head.headers.clone(), parts: Default::default() };
            let text = format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            );
            state.uploads.insert(id, upload);
            Ok(with(200, text))
        }
        Method::POST => {
            let upload = state.uploads.remove(&get("uploadId")).ok_or_else(no_upload)?;
            let bytes: Vec<u8> = upload.parts.into_values().flatten().collect();
            state.put(&upload.key, bytes.into(), upload.headers);
            let text =
                "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>";
            Ok(with(200, text.into()))
        }
        Method::DELETE if has("uploadId") => {
            state.uploads.remove(&get("uploadId")).ok_or_else(no_upload)?;
            Ok(with(204, String::new()))
        }
        Method::DELETE if has("versionId") => {
            if state.delete(&key, &get("versionId")) {
                return Ok(with(204, String::new()));
            }
            let message = "the file version is protected by Object Lock";
            Err(Refusal(403, "AccessDenied", message.into()))
        }
        Method::DELETE => {
            state.hide(&key);
            let mut answer = with(204, String::new());
            answer.headers_mut().insert("x-amz-delete-marker", "true".parse().unwrap());
            Ok(answer)
        }
        _ => Err(Refusal(405, "MethodNotAllowed", String::new())),
    }
}

/// Whether the key that signed has the capability, for names like this where it is about one.
fn allowed(
    state: &State,
    head: &Parts,
    capability: &str,
    name: Option<&str>,
) -> Result<(), Refusal> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let id = header("authorization")
        .and_then(|text| text.split_once("Credential=")?.1.split('/').next())
        .ok_or_else(|| Refusal(403, "AccessDenied", "no signature".into()))?;
    let key = state.keys.iter().find(|key| key.id == id);
    let unknown = || Refusal(403, "InvalidAccessKeyId", "the key is not valid".into());
    let key = key.ok_or_else(unknown)?;
    if !key.capabilities.contains(capability)
        || name.is_some_and(|name| !name.starts_with(&key.prefix))
    {
        return Err(Refusal(403, "AccessDenied", "not entitled".into()));
    }
    Ok(())
}

/// What B2 does not take, and bytes that were spoiled on their way.
fn check(headers: &HeaderMap, body: &Bytes) -> Result<(), Refusal> {
    for name in headers.keys().map(|name| name.as_str()) {
        if name.starts_with("x-amz-checksum-") || name == "x-amz-sdk-checksum-algorithm" {
            let message = format!("Unsupported header '{name}' received for this API call.");
            return Err(Refusal(400, "InvalidArgument", message));
        }
        if name == "if-none-match" || name == "if-match" {
            let message = "A header you provided implies functionality that is not implemented.";
            return Err(Refusal(501, "NotImplemented", message.into()));
        }
    }
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    match headers.get("x-amz-content-sha256") {
        Some(told) if told.as_bytes() == digest.as_bytes() => Ok(()),
        _ => Err(Refusal(400, "XAmzContentSHA256Mismatch", "the body is another".into())),
    }
}

fn read(state: &State, head: &Parts, key: &str) -> Result<Answer, Refusal> {
    let absent = || Refusal(404, "NoSuchKey", "Key not found".into());
    let version = state.shown(key).ok_or_else(absent)?;
    let bytes = version.bytes.clone().unwrap_or_default();
    let size = bytes.len();
    let range = head.headers.get("range").map(|range| range.to_str().unwrap());
    let range = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let mut answer = match range {
        None => with(200, String::new()),
        Some(_) => with(206, String::new()),
    };
    let part = match range {
        None => bytes,
        Some((from, to)) => {
            let from: usize = from.parse().unwrap();
            let to = to.parse::<usize>().map_or(size, |to| (to + 1).min(size));
            if from >= size {
                return Err(Refusal(416, "InvalidRange", "not satisfiable".into()));
            }
            let range = format!("bytes {from}-{}/{size}", to - 1);
            answer.headers_mut().insert("content-range", range.parse().unwrap());
            bytes.slice(from..to)
        }
    };
    for (name, value) in &version.headers {
        if name.as_str().starts_with("x-amz-meta-")
            || name.as_str().starts_with("x-amz-object-lock")
        {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    let headers = answer.headers_mut();
    headers.insert("etag", format!("\"{}\"", version.id).parse().unwrap());
    let written = std::time::UNIX_EPOCH + std::time::Duration::from_secs(version.written);
    headers.insert("last-modified", httpdate::fmt_http_date(written).parse().unwrap());
    headers.insert("content-length", part.len().into());
    *answer.body_mut() = Full::new(part);
    Ok(answer)
}

fn list(state: &State, query: &HashMap<String, String>) -> Answer {
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    let after = get("continuation-token");
    let rest = state.objects.range::<str, _>((Bound::Excluded(after), Bound::Unbounded));
    let mut shown = rest
        .map(|(key, _)| key)
        .filter(|key| key.starts_with(get("prefix")) && state.shown(key).is_some());
    let mut text = String::from("<ListBucketResult>");
    let mut last = "";
    for key in shown.by_ref().take(state.page) {
        let version = state.shown(key).unwrap();
        let size = version.bytes.as_ref().map_or(0, Bytes::len);
        let time = time(version.written);
        let _ = write!(
            text,
            "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{time}</LastModified></Contents>"
        );
        last = key;
    }
    if shown.next().is_some() {
        let _ = write!(text, "<NextContinuationToken>{last}</NextContinuationToken>");
    }
    with(200, text + "</ListBucketResult>")
}

fn list_versions(state: &State, query: &HashMap<String, String>) -> Answer {
    let get = |name: &str| query.get(name).map_or("", String::as_str);
    let mut all = state
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(get("prefix")))
        .flat_map(|(key, versions)| versions.iter().rev().map(move |version| (key, version)))
        .skip_while(|(key, version)| {
            let (key, marker) = (key.as_str(), get("key-marker"));
            key < marker || (key == marker && version.id.as_str() >= get("version-id-marker"))
        });
    let mut text = String::from("<ListVersionsResult>");
    let mut last = ("", "");
    // Two on a page, so that one object's versions spread over several.
    for (key, version) in all.by_ref().take(2) {
        let kind = if version.bytes.is_some() { "Version" } else { "DeleteMarker" };
        let id = &version.id;
        let _ = write!(text, "<{kind}><Key>{key}</Key><VersionId>{id}</VersionId></{kind}>");
        last = (key, id);
    }
    let more = all.next().is_some();
    let _ = write!(
        text,
        "<IsTruncated>{more}</IsTruncated><NextKeyMarker>{}</NextKeyMarker>\
         <NextVersionIdMarker>{}</NextVersionIdMarker></ListVersionsResult>",
        last.0, last.1
    );
    with(200, text)
}

fn list_uploads(state: &State, prefix: &str) -> Answer {
    let mut text = String::from("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>");
    for (id, upload) in state.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)) {
        let _ = write!(
            text,
            "<Upload><Key>{}</Key><UploadId>{id}</UploadId>\
             <Initiated>2026-11-22T10:00:00.000Z</Initiated></Upload>",
            upload.key
        );
    }
    with(200, text + "</ListMultipartUploadsResult>")
}

fn no_bucket() -> Refusal {
    Refusal(404, "NoSuchBucket", "there is no such bucket".into())
}

fn no_upload() -> Refusal {
    Refusal(404, "NoSuchUpload", "there is no such upload".into())
}

fn with(status: u16, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

fn query_of(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    };
    pairs.map(pair).collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let digits = std::str::from_utf8(&bytes[at + 1..at + 3]).unwrap();
            out.push(u8::from_str_radix(digits, 16).unwrap());
            at += 3;
        } else {
            out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// Seconds since 1970 as stores write them.
fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil from days, for the years that a test runs in.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}
