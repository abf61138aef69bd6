//! Text that ends up in rendered files: each kind is a type that refuses text with a special
//! meaning there.

use std::path::{Component, Path};

/// Defines a type that is written as a string and checked when it is made.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        seaworthy_core::text_type!(
            $(#[$doc])*
            $name,
            concat!("Service", stringify!($name)),
            $what,
            "service.model",
            $check
        );
    };
}

text_type!(
    /// A file or a folder of the machine. Relative ones are resolved before rendering.
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

    /// The path `inner` below this one.
    pub(crate) fn join(&self, inner: &str) -> Self {
        Self(format!("{}/{inner}", self.0.trim_end_matches('/')))
    }
}

text_type!(
    /// A path inside a project or a release: relative, and never leading out of it.
    InnerPath,
    "a relative path such as frontend/dist",
    inner_path
);

text_type!(
    /// The name of a system user or group.
    UserName,
    "the name of a user",
    user_name
);

text_type!(
    /// The name of an environment variable.
    VariableName,
    "the name of an environment variable",
    variable_name
);

text_type!(
    /// The name of a systemd unit such as `postgresql.service`.
    UnitName,
    "the name of a unit such as postgresql.service",
    unit_name
);

text_type!(
    /// The path of a URL, from the leading slash on: `/api/health`.
    UrlPath,
    "a path such as /health",
    url_path
);

text_type!(
    /// A reason or a description: one line of plain text.
    Line,
    "one line of text",
    line
);

text_type!(
    /// A word of a version, a branch or a host: letters, digits and `._/-`.
    Token,
    "a plain word of letters, digits and . _ / -",
    token
);

text_type!(
    /// An `https://` or `http://` URL.
    Url,
    "a URL such as https://example.com/health",
    url
);

/// Whether `text` can be written in one line of a file.
pub(crate) fn no_control(text: &str) -> Result<(), &'static str> {
    // Like control characters, these two end a line in YAML and JavaScript.
    if text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'))
    {
        return Err("it has a control character");
    }
    Ok(())
}

fn short(text: &str) -> Result<(), &'static str> {
    no_control(text)?;
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > 1_000 { Err("it is longer than 1,000 bytes") } else { Ok(()) }
}

fn file_path(text: &str) -> Result<(), &'static str> {
    short(text)?;
    if Path::new(text).components().any(|part| part == Component::ParentDir) {
        return Err("it has a \"..\"");
    }
    if text.contains(['*', '?', '[', ']']) {
        return Err("it has a character of a pattern: * ? or [");
    }
    // Some of systemd's settings unquote, some do not: a path without these is read the same.
    if text.contains(['"', '\'', '\\', ':', '|']) {
        return Err("it has one of \" ' \\ : |");
    }
    if text.trim() != text || text.starts_with(['-', '+', '~', '!', '@']) {
        return Err("it begins or ends with a character that has a special meaning there");
    }
    Ok(())
}

fn inner_path(text: &str) -> Result<(), &'static str> {
    file_path(text)?;
    let plain = |part: &str| !part.is_empty() && part != "." && !part.starts_with('-');
    if text.starts_with('/') || !text.split('/').all(plain) {
        return Err("it must stay inside the folder");
    }
    Ok(())
}

fn user_name(text: &str) -> Result<(), &'static str> {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    let bytes = text.as_bytes();
    let first = bytes.first().is_some_and(|c| c.is_ascii_lowercase() || *c == b'_');
    if first && bytes.len() <= 31 && bytes.iter().all(|c| inner(*c)) {
        Ok(())
    } else {
        Err("use at most 31 lower-case letters, digits, - and _, beginning with a letter")
    }
}

fn variable_name(text: &str) -> Result<(), &'static str> {
    let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    let bytes = text.as_bytes();
    let first = bytes.first().is_some_and(|c| c.is_ascii_alphabetic() || *c == b'_');
    if first && bytes.len() <= 200 && bytes.iter().all(|c| inner(*c)) {
        Ok(())
    } else {
        Err("use letters, digits and _, beginning with a letter")
    }
}

fn unit_name(text: &str) -> Result<(), &'static str> {
    let inner = |c: u8| c.is_ascii_alphanumeric() || b":_.-@".contains(&c);
    let kinds = ["service", "socket", "target", "mount", "path", "timer"];
    let kind = text.rsplit_once('.').filter(|(name, _)| !name.is_empty()).map(|(_, kind)| kind);
    if text.len() > 200 || !text.bytes().all(inner) {
        return Err("use letters, digits and : _ . - @");
    }
    if kind.is_some_and(|kind| kinds.contains(&kind)) {
        Ok(())
    } else {
        Err("it must end with .service, .socket, .target, .mount, .path or .timer")
    }
}

fn url_path(text: &str) -> Result<(), &'static str> {
    let inner = |c: u8| c.is_ascii_alphanumeric() || b"/-_.~".contains(&c);
    if !text.starts_with('/') {
        return Err("it does not begin with a slash");
    }
    if text.len() > 1_000 || !text.bytes().all(inner) {
        return Err("use letters, digits and / - _ . ~");
    }
    Ok(())
}

fn line(text: &str) -> Result<(), &'static str> {
    short(text)?;
    if text.ends_with('\\') {
        return Err("it ends with a backslash");
    }
    if text.trim() != text { Err("it begins or ends with a blank") } else { Ok(()) }
}

fn token(text: &str) -> Result<(), &'static str> {
    let inner = |c: u8| c.is_ascii_alphanumeric() || b"._/-".contains(&c);
    let bytes = text.as_bytes();
    let first = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
    if first && bytes.len() <= 200 && bytes.iter().all(|c| inner(*c)) && !text.contains("..") {
        Ok(())
    } else {
        Err("it has a character that is not allowed, or does not begin with a letter or digit")
    }
}

fn url(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let inner = |c: u8| c.is_ascii_alphanumeric() || b"/-_.~:[]?&=".contains(&c);
    match rest {
        None => Err("it begins with neither https:// nor http://"),
        Some(rest) if rest.is_empty() || text.len() > 1_000 || !rest.bytes().all(inner) => {
            Err("use letters, digits and / - _ . ~ : ? & =")
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_refuse_what_reads_differently_somewhere() {
        for bad in [
            "",
            "/a\nb",
            "/a/../b",
            "/a*",
            "/a\"b",
            "/a\\",
            "-/a",
            "/a ",
            " /a",
            "/a\u{2028}",
            "/a:b",
        ] {
            assert!(FilePath::new(bad).is_err(), "{bad:?}");
        }
        for good in ["/a b/%c$d", "ä/b", "/"] {
            assert!(FilePath::new(good).is_ok(), "{good:?}");
        }
        for bad in ["/a", "a//b", "./a", "a/", "a/../b"] {
            assert!(InnerPath::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_plain() {
        for bad in ["", "Root", "a b", "1a", "a;b", "-a"] {
            assert!(UserName::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "1A", "A-B", "A=B", "A B"] {
            assert!(VariableName::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", ".service", "a", "a.timer x", "a\n.service", "a.swap"] {
            assert!(UnitName::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "../x", "-x", "a b", "$(x)", "${{x}}"] {
            assert!(Token::new(bad).is_err(), "{bad:?}");
        }
        for bad in ["ftp://x", "https://", "https://a b", "https://a$b", "https://u@h"] {
            assert!(Url::new(bad).is_err(), "{bad:?}");
        }
    }
}
