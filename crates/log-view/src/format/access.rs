//! Requests in access logs.

use super::{json, status};

/// One request as recorded in an access log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Access<'l> {
    pub(crate) client: &'l [u8],
    /// The method; empty if the request was malformed.
    pub(crate) method: &'l [u8],
    /// The path, without its query.
    pub(crate) path: &'l [u8],
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    /// How long it took, if the log says so.
    pub(crate) seconds: Option<f64>,
}

/// Reads a line of the combined format, with or without `$request_time` at its end, or a JSON
/// object with the keys that are usual for nginx.
pub(crate) fn read(line: &[u8]) -> Option<Access<'_>> {
    if line.first() == Some(&b'{') { object(line) } else { combined(line) }
}

fn combined(line: &[u8]) -> Option<Access<'_>> {
    let (before, rest) = split(line, b'"')?;
    let client = before.split(|c| *c == b' ').next()?;
    let (request, rest) = quoted(rest)?;
    let mut words = rest.trim_ascii_start().split(|c| *c == b' ');
    let status = status(words.next()?)?;
    let bytes = words.next().and_then(number).unwrap_or(0.0) as u64;
    let mut words = request.split(|c| *c == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next());
    let (method, target) = target.map_or((&[][..], request), |target| (method, target));
    Some(Access { client, method, path: path(target), status, bytes, seconds: trailing(rest) })
}

/// The first number after the last quoted field: `… "agent" 0.012` or `… "agent" rt=0.012`.
fn trailing(rest: &[u8]) -> Option<f64> {
    let behind = &rest[memchr::memrchr(b'"', rest)? + 1..];
    behind.split(|c| *c == b' ').find_map(|word| {
        let value =
            ["rt=", "request_time="].iter().find_map(|key| word.strip_prefix(key.as_bytes()));
        let value = value.unwrap_or(word);
        if value.contains(&b'.') { number(value) } else { None }
    })
}

fn object(line: &[u8]) -> Option<Access<'_>> {
    let mut access =
        Access { client: b"", method: b"", path: b"", status: 0, bytes: 0, seconds: None };
    let mut found = None;
    json::members(line, |key, value| match key {
        b"client" | b"remote_addr" | b"client_ip" | b"ip" => access.client = value,
        b"method" | b"request_method" => access.method = value,
        b"uri" | b"request_uri" | b"path" | b"url" => access.path = path(value),
        b"request" if access.path.is_empty() => {
            let mut words = value.split(|c| *c == b' ');
            access.method = words.next().unwrap_or_default();
            access.path = path(words.next().unwrap_or_default());
        }
        b"status" | b"status_code" | b"statusCode" => found = status(value),
        b"bytes" | b"body_bytes_sent" | b"bytes_sent" => {
            access.bytes = number(value).unwrap_or(0.0) as u64;
        }
        b"seconds" | b"request_time" | b"duration" => access.seconds = number(value),
        _ => {}
    })?;
    access.status = found?;
    Some(access)
}

fn path(target: &[u8]) -> &[u8] {
    target.split(|c| *c == b'?').next().unwrap_or_default()
}

fn number(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(at, text)?;
    Some((&text[..end], &text[end + 1..]))
}

/// The text before the next quote that is not escaped, and the text after it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_are_read_from_both_formats() {
        let text = r#"203.0.113.9 - - [22/Nov/2026:10:05:00 +0000] "GET /a?b=c HTTP/1.1" 200 12 "-" "x" 0.250 0.249"#;
        let combined = read(text.as_bytes()).unwrap();
        let text = r#"{"time":"x","client":"203.0.113.9","method":"GET","uri":"/a?b=c","status":200,"bytes":12,"seconds":0.250}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), combined);
        assert_eq!(combined.client, b"203.0.113.9");
        assert_eq!((combined.method, combined.path), (&b"GET"[..], &b"/a"[..]));
        assert_eq!((combined.status, combined.bytes), (200, 12));
        assert_eq!(combined.seconds, Some(0.25));
    }

    #[test]
    fn nonsense_from_the_network_is_counted_and_not_split() {
        let text = r#"::1 - - [22/Nov/2026:10:05:00 +0000] "\x16\x03\x01" 400 0 "-" "-""#;
        let access = read(text.as_bytes()).unwrap();
        assert_eq!((access.method, access.path), (&b""[..], &br"\x16\x03\x01"[..]));
        assert_eq!((access.status, access.seconds), (400, None));
        assert_eq!(read(b"2026/11/22 10:05:00 [error] 1#1: \"x\" failed"), None);
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes);
            let _ = read(&[b"{", &bytes[..]].concat());
        }
    }
}
