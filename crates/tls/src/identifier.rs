//! What a certificate is for: names and addresses.

use std::{fmt, net::IpAddr, str::FromStr};

use seaworthy_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A DNS name, possibly with a wildcard as its first label, or an IP address.
///
/// Names are stored in the form used in DNS: `bücher.example` is
/// `xn--bcher-kva.example` (UTS-46). People see both forms.
///
/// ```
/// use seaworthy_tls::Identifier;
/// let name: Identifier = "*.Bücher.example".parse()?;
/// assert_eq!(name.as_str(), "*.xn--bcher-kva.example");
/// assert_eq!(name.to_string(), "*.xn--bcher-kva.example (*.bücher.example)");
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    text: String,
    ip: Option<IpAddr>,
}

impl Identifier {
    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// As written in DNS and certificates, with `*.` for a wildcard.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is a wildcard: all names one label below.
    pub fn is_wildcard(&self) -> bool {
        self.text.starts_with("*.")
    }

    /// The name without `*.`.
    pub fn base(&self) -> &str {
        self.text.strip_prefix("*.").unwrap_or(&self.text)
    }

    /// Whether a certificate for this is valid for `host`.
    pub fn covers(&self, host: &Self) -> bool {
        if self == host {
            return true;
        }
        match (self.is_wildcard(), host.text.split_once('.')) {
            (true, Some((_, below))) => host.ip.is_none() && below == self.base(),
            _ => false,
        }
    }

    /// The registered domain, which limits "per domain" count. Without the public suffix list this
    /// is a good guess: the last two labels, or three below a short second-level name of a country
    /// such as `co.uk`.
    pub fn registered_domain(&self) -> &str {
        let labels: Vec<&str> = self.base().rsplit('.').collect();
        let of_a_country = labels.len() > 2 && labels[0].len() == 2 && labels[1].len() <= 3;
        let count = if self.ip.is_some() { labels.len() } else { 2 + usize::from(of_a_country) };
        let length: usize = labels.iter().take(count).map(|label| label.len() + 1).sum();
        let start = (self.base().len() + 1).saturating_sub(length);
        &self.base()[start..]
    }
}

impl FromStr for Identifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: &str| {
            let message = format!("{text:?} is not a name for a certificate: {why}");
            Error::new(ErrorKind::InvalidInput, "certificate.name", message).remedy_is(
                "write a host such as \"www.example.com\", \"*.example.com\" or an IP address",
            )
        };
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self { text: ip.to_string(), ip: Some(ip) });
        }
        let (star, base) = match text.strip_prefix("*.") {
            Some(base) => ("*.", base),
            None => ("", text),
        };
        let base = base.strip_suffix('.').unwrap_or(base);
        let ascii =
            idna::domain_to_ascii_strict(base).map_err(|_| invalid("it is not a host name"))?;
        if !ascii.contains('.') {
            return Err(invalid("it needs at least two labels"));
        }
        if ascii.len() > 253 || ascii.split('.').any(|label| label.is_empty() || label.len() > 63) {
            return Err(invalid("a label is empty or too long"));
        }
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|c| c.is_ascii_digit()) {
            return Err(invalid("its last label is a number"));
        }
        Ok(Self { text: format!("{star}{ascii}"), ip: None })
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unicode, read) = idna::domain_to_unicode(self.base());
        f.write_str(&self.text)?;
        if self.ip.is_none() && read.is_ok() && unicode != self.base() {
            write!(f, " ({}{unicode})", if self.is_wildcard() { "*." } else { "" })?;
        }
        Ok(())
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Identifier {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Identifier".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A host, a wildcard such as *.example.com, or an IP address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_brought_to_one_form_and_bad_ones_refused() {
        assert_eq!(id("API.Example.COM.").as_str(), "api.example.com");
        assert_eq!(id("faß.example").as_str(), "xn--fa-hia.example");
        assert_eq!(id("::1").ip(), Some("::1".parse().unwrap()));
        for bad in [
            "",
            "*",
            "*.",
            "localhost",
            "a..b",
            "-a.example",
            "a_b.example",
            "a b.c",
            "*.*.example.com",
            "w*.example.com",
            "1.2.3.4.5",
            "a/../b.example",
            "xn--.example",
        ] {
            assert!(bad.parse::<Identifier>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        assert!(id("*.example.com").covers(&id("a.example.com")));
        assert!(!id("*.example.com").covers(&id("a.b.example.com")));
        assert!(!id("*.example.com").covers(&id("example.com")));
        assert!(id("a.example.com").covers(&id("a.example.com")));
    }

    #[test]
    fn limits_count_by_what_was_registered() {
        assert_eq!(id("*.a.b.example.com").registered_domain(), "example.com");
        assert_eq!(id("www.example.co.uk").registered_domain(), "example.co.uk");
        assert_eq!(id("example.de").registered_domain(), "example.de");
        assert_eq!(id("192.0.2.1").registered_domain(), "192.0.2.1");
    }
}
