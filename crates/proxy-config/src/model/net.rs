//! Networks, addresses and rates.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use seaworthy_core::{Error, Result, written_as_string};

use super::text::Host;

/// A network such as `203.0.113.0/24`, or a single IP address. Bits beyond the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl FromStr for Cidr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fail = |why: &str| {
            Error::invalid_text("proxy.model", text, "a network such as 203.0.113.0/24", why)
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| fail("it has no IP address"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(text) => text
                .parse::<u8>()
                .ok()
                .filter(|prefix| *prefix <= width && !text.starts_with('+'))
                .ok_or_else(|| fail("the number after the slash is out of range"))?,
        };
        let host_bits = |bits: u128, width: u8| {
            let keep = u32::from(width - prefix);
            if keep == 0 {
                bits
            } else {
                bits.checked_shr(keep).unwrap_or(0).checked_shl(keep).unwrap_or(0)
            }
        };
        let network = match address {
            IpAddr::V4(v4) => IpAddr::V4((host_bits(u128::from(v4.to_bits()), 32) as u32).into()),
            IpAddr::V6(v6) => IpAddr::V6(host_bits(v6.to_bits(), 128).into()),
        };
        if network != address {
            return Err(fail("it has bits beyond the prefix")
                .remedy_is(format!("write {network}/{prefix}, or {address} for one address")));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

written_as_string!(Cidr, "Cidr", "a network such as 203.0.113.0/24");

/// Where a server listens: `127.0.0.1:3000`, `[::1]:3000`, `backend:3000` or `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A host name, which must resolve when nginx starts, and a port.
    Name(Host, u16),
    /// A socket in the file system.
    Unix(String),
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fail = |why: &str| {
            Error::invalid_text("proxy.model", text, "an address such as 127.0.0.1:3000", why)
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            if !path.starts_with('/') || !path.chars().all(plain) || path.len() > 107 {
                return Err(fail("write unix: and an absolute path of plain characters"));
            }
            return Ok(Self::Unix(path.to_owned()));
        }
        if text.contains("://") {
            return Err(fail("leave out the scheme"));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return if address.port() == 0 {
                Err(fail("port 0 is not a port"))
            } else {
                Ok(Self::Ip(address))
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| fail("it has no port"))?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| fail("its port is not a number from 1 to 65535"))?;
        let host = Host::new(host).map_err(|error| fail("its host is wrong").caused_by(error))?;
        if host.is_wildcard() {
            return Err(fail("a wildcard is not an address"));
        }
        Ok(Self::Name(host, port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

written_as_string!(Address, "Address", "an address such as 127.0.0.1:3000");

/// A number of requests per second or minute: `10r/s`, `0.5r/s`, `30r/m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRate {
    per_minute: u32,
}

impl RequestRate {
    /// This many requests per minute; at least 1.
    pub fn per_minute(requests: u32) -> Self {
        Self { per_minute: requests.max(1) }
    }

    /// This many requests per second; at least 1.
    pub fn per_second(requests: u32) -> Self {
        Self { per_minute: requests.max(1).saturating_mul(60) }
    }
}

impl FromStr for RequestRate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fail =
            |why: &str| Error::invalid_text("proxy.model", text, "a rate such as 10r/s", why);
        let (number, unit) = match (text.strip_suffix("r/s"), text.strip_suffix("r/m")) {
            (Some(number), _) => (number, 60.0),
            (_, Some(number)) => (number, 1.0),
            _ => return Err(fail("it does not end with r/s or r/m")),
        };
        if number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit() || c == b'.') {
            return Err(fail("it does not begin with a number"));
        }
        let number: f64 = number.parse().map_err(|_| fail("it does not begin with a number"))?;
        let per_minute = (number * unit * 1e6).round() / 1e6;
        if !(1.0..=60_000_000.0).contains(&per_minute) {
            return Err(fail("it is not between 1r/m and 1000000r/s"));
        }
        if per_minute.fract() != 0.0 {
            return Err(fail("nginx counts whole requests per minute"));
        }
        Ok(Self { per_minute: per_minute as u32 })
    }
}

/// As nginx reads it: it has no fractions, but minutes.
impl fmt::Display for RequestRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.per_minute.is_multiple_of(60) {
            write!(f, "{}r/s", self.per_minute / 60)
        } else {
            write!(f, "{}r/m", self.per_minute)
        }
    }
}

written_as_string!(RequestRate, "RequestRate", "a rate such as 10r/s");

/// An HTTP status code from 300 to 599, as error pages and redirects have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorStatus(u16);

impl ErrorStatus {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl FromStr for ErrorStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = text.parse::<u16>().ok().filter(|n| (400..=599).contains(n) && *n != 499);
        number.map(Self).ok_or_else(|| {
            Error::invalid_text(
                "proxy.model",
                text,
                "the status of an error",
                "write a number from 400 to 599",
            )
        })
    }
}

impl fmt::Display for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

written_as_string!(ErrorStatus, "ErrorStatus", "the status of an error, such as \"404\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_refused_with_the_network_that_was_meant() {
        let error = "203.0.113.7/24".parse::<Cidr>().unwrap_err();
        assert!(error.remedy().unwrap().contains("203.0.113.0/24"));
        for bad in ["", "x", "1.2.3.4/33", "::/129", "2001:db8::1/32", "1.2.3.4/+8", "0.0.0.1/0"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
        for (good, shown) in
            [("10.0.0.1", "10.0.0.1/32"), ("::/0", "::/0"), ("0.0.0.0/0", "0.0.0.0/0")]
        {
            assert_eq!(good.parse::<Cidr>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn rates_are_whole_in_nginx() {
        for (text, shown) in
            [("10r/s", "10r/s"), ("0.5r/s", "30r/m"), ("90r/m", "90r/m"), ("120r/m", "2r/s")]
        {
            assert_eq!(text.parse::<RequestRate>().unwrap().to_string(), shown);
        }
        for bad in ["10", "r/s", "0r/s", "-1r/s", "0.51r/m", "1e3r/s", "10r/h", "1..2r/s"] {
            assert!(bad.parse::<RequestRate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_have_ports_or_paths() {
        for good in ["127.0.0.1:1", "[::1]:80", "backend:3000", "unix:/run/a.sock"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "a",
            "a:0",
            "a:70000",
            "http://a:1",
            "unix:a",
            "unix:/a b",
            "a b:1",
            "*.a:1",
            "127.0.0.1:0",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
