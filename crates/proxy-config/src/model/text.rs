//! Text that ends up in nginx's configuration: each kind is a type that refuses text that could end
//! its context or mean something else there.

use std::{
    fmt,
    path::{Component, Path},
};

/// The longest value, in bytes: nginx reads no word of 4,096.
const LONGEST: usize = 3_500;

/// Defines a type that is written as a string and checked when it is made.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        seaworthy_core::text_type!(
            $(#[$doc])* $name, stringify!($name), $what, "proxy.model", $check
        );

        impl $name {
            /// A value of our own.
            #[allow(dead_code, reason = "not every kind has a default")]
            pub(crate) fn constant(text: &'static str) -> Self {
                debug_assert!($check(text).is_ok());
                Self(text.to_owned())
            }
        }
    };
}

text_type!(
    /// A host name such as `api.example.com`, a wildcard such as `*.example.com`, or an IP address.
    /// Lower case, because nginx compares in lower case.
    Host,
    "a host such as api.example.com",
    host
);

impl Host {
    /// The same host with `www.` added, or removed if it has it.
    pub(crate) fn other_form(&self) -> Self {
        match self.0.strip_prefix("www.") {
            Some(bare) => Self(bare.to_owned()),
            None => Self(format!("www.{}", self.0)),
        }
    }

    /// Whether it is a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }
}

text_type!(
    /// The path of a URL, decoded, from the leading slash on: `/api/`.
    UrlPath,
    "a path such as /api/",
    url_path
);

text_type!(
    /// A file or a folder of this machine. Relative ones are resolved before rendering.
    FilePath,
    "a path of a file or folder",
    file_path
);

impl FilePath {
    /// Whether it begins with a slash.
    pub fn is_absolute(&self) -> bool {
        self.0.starts_with('/')
    }

    /// The same path, resolved against `base` if it is relative.
    pub(crate) fn resolved(&self, base: &Path) -> seaworthy_core::Result<Self> {
        if self.is_absolute() {
            return Ok(self.clone());
        }
        Self::new(base.join(&self.0).to_string_lossy().into_owned())
    }

    /// The folder and the name of a file.
    pub(crate) fn split(&self) -> (&str, &str) {
        let (folder, name) = self.0.rsplit_once('/').unwrap_or((".", &self.0));
        (if folder.is_empty() { "/" } else { folder }, name)
    }
}

text_type!(
    /// The name of an HTTP header.
    HeaderName,
    "the name of a header such as X-Frame-Options",
    header_name
);

text_type!(
    /// The value of an HTTP header: printable ASCII without `$`, at most 3,500 bytes.
    HeaderValue,
    "the value of a header",
    header_value
);

text_type!(
    /// Plain text in one line without `$`, at most 3,500 bytes.
    PlainText,
    "plain text",
    plain_text
);

text_type!(
    /// The destination of a redirect: `https://example.com/new` or `/new`.
    Destination,
    "a destination such as https://example.com/new or /new",
    destination
);

text_type!(
    /// A media type such as `application/json`.
    MediaType,
    "a media type such as application/json",
    media_type
);

text_type!(
    /// The name of a system user.
    UserName,
    "the name of a user",
    user_name
);

fn no_control(text: &str) -> Result<(), &'static str> {
    if text.contains(char::is_control) {
        return Err("it has a control character");
    }
    if text.contains('$') {
        return Err("it has a \"$\", which would name a variable");
    }
    if text.len() > LONGEST { Err("it is longer than 3,500 bytes") } else { Ok(()) }
}

fn host(text: &str) -> Result<(), &'static str> {
    no_control(text)?;
    if text.parse::<std::net::Ipv4Addr>().is_ok() {
        return Ok(());
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return match inner.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("the text between the brackets is not an IPv6 address"),
        };
    }
    if !text.is_ascii() {
        return Err("write international names in their xn-- form");
    }
    if text.bytes().any(|c| c.is_ascii_uppercase()) {
        return Err("write it in lower case");
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err("use letters, digits and hyphens, in parts of at most 63 joined by dots");
    }
    if name.split('.').next_back().is_some_and(|l| l.bytes().all(|c| c.is_ascii_digit())) {
        return Err("its last part is a number, but it is not an IP address");
    }
    Ok(())
}

fn url_path(text: &str) -> Result<(), &'static str> {
    no_control(text)?;
    if !text.starts_with('/') {
        return Err("it does not begin with a slash");
    }
    if text.contains(['?', '#', '\\', '%']) {
        return Err("write the decoded path alone, without ? # % or \\");
    }
    if text.contains("//") || text.split('/').any(|part| part == "." || part == "..") {
        return Err("nginx resolves //, /./ and /../ before it compares, so this never matches");
    }
    if text.len() > 1_000 { Err("it is longer than 1,000 bytes") } else { Ok(()) }
}

fn file_path(text: &str) -> Result<(), &'static str> {
    no_control(text)?;
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 1_000 {
        return Err("it is longer than 1,000 bytes");
    }
    if Path::new(text).components().any(|part| part == Component::ParentDir) {
        return Err("it has a \"..\"");
    }
    // nginx reads these as patterns in places where it opens several files.
    if text.contains(['*', '?', '[']) {
        Err("it has a character of a pattern: * ? or [")
    } else {
        Ok(())
    }
}

fn header_name(text: &str) -> Result<(), &'static str> {
    let token = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if text.is_empty() || text.len() > 100 || !text.bytes().all(token) {
        return Err("use at most 100 letters, digits, hyphens and underscores");
    }
    Ok(())
}

fn header_value(text: &str) -> Result<(), &'static str> {
    no_control(text)?;
    if !text.is_ascii() {
        return Err("it has characters that are not ASCII");
    }
    if text.is_empty() {
        return Err("it is empty; `false` leaves a header out");
    }
    if text.trim() != text { Err("it begins or ends with a space") } else { Ok(()) }
}

fn plain_text(text: &str) -> Result<(), &'static str> {
    no_control(text)
}

fn destination(text: &str) -> Result<(), &'static str> {
    no_control(text)?;
    if text.bytes().any(|c| !c.is_ascii_graphic() || b"\"'<>\\^`{|}".contains(&c)) {
        return Err("encode spaces, quotes and characters outside ASCII with %");
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let (name, port) = match authority.rsplit_once(':') {
                Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
                _ => (authority, None),
            };
            if port.is_some_and(|port| port.parse::<u16>().is_err()) {
                return Err("its port is not a number");
            }
            host(&name.to_ascii_lowercase())
        }
        None if text.starts_with('/') && !text.starts_with("//") => Ok(()),
        None => Err("begin with https://, http:// or a single slash"),
    }
}

fn media_type(text: &str) -> Result<(), &'static str> {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-._".contains(&c))
    };
    match text.split_once('/') {
        Some((kind, sub)) if token(kind) && token(sub) && text.len() <= 100 => Ok(()),
        _ => Err("write type/subtype, without parameters"),
    }
}

fn user_name(text: &str) -> Result<(), &'static str> {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
    let first = text.bytes().next().is_some_and(|c| c.is_ascii_lowercase() || c == b'_');
    if first && text.len() <= 32 && text.bytes().all(inner) {
        Ok(())
    } else {
        Err("use at most 32 lower-case letters, digits, hyphens and underscores")
    }
}

/// An nginx identifier made from `name`: the same for equal names, different for different ones.
pub(crate) fn identifier(name: impl fmt::Display) -> String {
    let name = name.to_string();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if plain == name {
        return plain;
    }
    use sha2::Digest;
    let digest = sha2::Sha256::digest(name.as_bytes());
    format!("{plain}_{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_refuses_what_could_break_out() {
        for bad in
            ["", "a b", "a;b", "~x", "a_b", "-a.b", "a..b", "A.b", "a.b.", "ä.de", "1.2.3", "*"]
        {
            assert!(Host::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "xn--4ca.de", "*.a.b", "10.0.0.1", "[2001:db8::1]"] {
            assert!(Host::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "api", "~^/a", "@x", "= /", "/a$b", "/a\n", "/../x", "//x", "/a?b", "/%2e"]
        {
            assert!(UrlPath::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "/a/../b", "/a\0", "/a$b", "/*.conf"] {
            assert!(FilePath::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a\r\nX: y", "$host", " a", "ä", "a\\\n"] {
            assert!(HeaderValue::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "//evil", "javascript:x", "https://", "https://a b/", "https://a:x/", "x"] {
            assert!(Destination::new(bad).is_err(), "{bad:?}");
        }
        for good in ["/new", "https://a.b/c?d=e", "http://[::1]:80/", "https://A.b:8443"] {
            assert!(Destination::new(good).is_ok(), "{good:?}");
        }
        assert!(HeaderName::new("X Y").is_err() && HeaderName::new("X-Y").is_ok());
        assert!(MediaType::new("text/html; x").is_err() && MediaType::new("text/html").is_ok());
        assert!(UserName::new("www-data").is_ok() && UserName::new("a b").is_err());
    }

    #[test]
    fn identifiers_of_different_names_differ() {
        assert_eq!(identifier("api"), "api");
        assert_ne!(identifier("a-b"), identifier("a.b"));
    }
}
