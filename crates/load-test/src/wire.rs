//! A request of HTTP/1.1 as the bytes that are sent.

use std::fmt;

use hyper::{
    HeaderMap, Method,
    header::{CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING},
};

/// A request as the bytes that are sent, built once and sent again and again.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    /// The response to HEAD has no body, whatever its head says.
    pub(crate) is_head: bool,
    /// Whether the method is idempotent.
    pub(crate) idempotent: bool,
}

// The bytes may contain a token.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// The headers by which a request says where it ends: they follow from its body.
pub(crate) const FRAMING: [HeaderName; 2] = [CONTENT_LENGTH, TRANSFER_ENCODING];

impl Wire {
    /// Builds the request. `headers` has the host, and none of [`FRAMING`].
    pub(crate) fn new(method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                bytes.extend_from_slice(part);
            }
        };
        for (name, value) in headers {
            line(name.as_str(), value.as_bytes());
        }
        // If a method usually has a body, servers must be told that there is none.
        let expects_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        if !body.is_empty() || expects_body {
            line(CONTENT_LENGTH.as_str(), body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Self { bytes, is_head: method == Method::HEAD, idempotent: method.is_idempotent() }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HOST, HeaderValue};

    use super::*;

    #[test]
    fn a_request_is_written_as_servers_read_it() {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost:80"))]);
        let written = |method, body: &str| {
            let wire = Wire::new(&method, "/a?b", &headers, body.as_bytes());
            (String::from_utf8(wire.bytes).unwrap(), wire.is_head, wire.idempotent)
        };
        let get = "GET /a?b HTTP/1.1\r\nhost: localhost:80\r\n\r\n".to_owned();
        assert_eq!(written(Method::GET, ""), (get.clone(), false, true));
        assert_eq!(written(Method::HEAD, ""), (get.replace("GET", "HEAD"), true, true));
        let post = get.replace("GET", "POST").replace("\r\n\r\n", "\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(written(Method::POST, ""), (post.clone(), false, false));
        assert_eq!(written(Method::POST, "ok").0, post.replace(": 0", ": 2") + "ok");
    }
}
