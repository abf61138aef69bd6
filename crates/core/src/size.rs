//! Sizes and rates as people write them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind, Result};

const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// A number of bytes: `64MiB`, `5GB`, `512B`.
///
/// ```
/// use seaworthy_core::ByteSize;
/// assert_eq!("64MiB".parse::<ByteSize>()?.bytes(), 64 << 20);
/// assert_eq!(ByteSize::new(1_500_000).to_string(), "1.43 MiB");
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(ErrorKind::InvalidInput, "size.parse", format!("{text:?} is not a size"))
                .remedy_is("write a whole number and a unit, such as 64MiB or 5GB")
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = text[..digits].parse().map_err(|_| invalid())?;
        let (_, unit) =
            UNITS.iter().find(|(name, _)| *name == &text[digits..]).ok_or_else(invalid)?;
        number.checked_mul(*unit).map(Self).ok_or_else(invalid)
    }
}

/// For people: three significant digits and a binary unit.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((unit, size)) = UNITS[..4].iter().rev().find(|(_, size)| self.0 >= *size) else {
            return write!(f, "{} B", self.0);
        };
        let value = self.0 as f64 / *size as f64;
        let decimals = if value < 10.0 {
            2
        } else if value < 100.0 {
            1
        } else {
            0
        };
        write!(f, "{value:.decimals$} {unit}")
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}B", self.0))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        crate::text::deserialize_from_str(deserializer, "a size such as 64MiB")
    }
}

/// A number of bytes per second: `20MiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate(u64);

impl ByteRate {
    /// This many bytes per second.
    pub const fn new(bytes_per_second: u64) -> Self {
        Self(bytes_per_second)
    }

    /// The number of bytes per second.
    pub const fn bytes_per_second(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteRate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.strip_suffix("/s")
            .and_then(|size| size.parse::<ByteSize>().ok())
            .filter(|size| size.bytes() > 0)
            .map(|size| Self(size.bytes()))
            .ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "rate.parse", format!("{text:?} is not a rate"))
                    .remedy_is("write it like 20MiB/s")
            })
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", ByteSize(self.0))
    }
}

impl Serialize for ByteRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}B/s", self.0))
    }
}

impl<'de> Deserialize<'de> for ByteRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        crate::text::deserialize_from_str(deserializer, "a rate such as 20MiB/s")
    }
}

#[cfg(feature = "schema")]
mod schema {
    use super::{ByteRate, ByteSize};

    crate::text::string_schema!(
        ByteSize,
        "ByteSize",
        "A size: 64MiB, 5GB",
        r"^[0-9]+([kMGT]B|[KMGT]iB|B)$"
    );
    crate::text::string_schema!(
        ByteRate,
        "ByteRate",
        "A rate: 20MiB/s",
        r"^[0-9]+([kMGT]B|[KMGT]iB|B)/s$"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_need_a_known_unit_and_fit() {
        for bad in ["", "5", "MiB", "5mib", "5.5MiB", "-1B", "99999999TiB", "5 MiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
        assert_eq!("5GB".parse::<ByteSize>().unwrap().bytes(), 5_000_000_000);
        assert!("20MiB".parse::<ByteRate>().is_err());
        assert!("0B/s".parse::<ByteRate>().is_err());
    }
}
