//! Compression of one frame: zstd frames, gzip members, or plain bytes.

use std::io::{Read, Write};

use flate2::{Compression as GzipLevel, bufread::GzDecoder, write::GzEncoder};
use seaworthy_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use zstd::{
    bulk,
    zstd_safe::{self, CParameter},
};

/// The most plain data that one frame may hold, in bytes: bounds what a reader allocates.
pub const MAX_FRAME: u64 = 64 << 20;

/// How frames are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Codec {
    /// Zstandard frames (RFC 8878) with content size and checksum.
    #[default]
    Zstd,
    /// Gzip members (RFC 1952).
    Gzip,
    /// The plain bytes.
    None,
}

impl Codec {
    /// What is added to an object's name: `.zst`, `.gz` or nothing.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
            Self::None => "",
        }
    }
}

/// A codec and its level: `{ codec = "zstd", level = 3 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Compression {
    /// The codec.
    pub codec: Codec,
    /// zstd 1 to 19, gzip 1 to 9; 0 for none.
    pub level: i32,
}

impl Compression {
    /// `codec` at `level`, or at its usual level: 3 for zstd, 6 for gzip.
    pub fn new(codec: Codec, level: Option<i32>) -> Result<Self> {
        let (range, usual) = match codec {
            Codec::Zstd => (1..=19, 3),
            Codec::Gzip => (1..=9, 6),
            Codec::None => (0..=0, 0),
        };
        let level = level.unwrap_or(usual);
        if range.contains(&level) {
            Ok(Self { codec, level })
        } else {
            let (name, low, high) =
                (format!("{codec:?}").to_lowercase(), range.start(), range.end());
            let message = format!("{name} has no level {level}");
            Err(Error::new(ErrorKind::InvalidInput, "compression", message)
                .remedy_is(format!("use a level from {low} to {high}")))
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self { codec: Codec::Zstd, level: 3 }
    }
}

/// Compresses frames one after another, with its memory kept between them.
pub(crate) struct Compressor {
    compression: Compression,
    zstd: Option<bulk::Compressor<'static>>,
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Result<Self> {
        let zstd = match compression.codec {
            Codec::Zstd => {
                let fail = |e| Error::io("compress", "cannot set up zstd", e);
                let mut zstd = bulk::Compressor::new(compression.level).map_err(fail)?;
                zstd.set_parameter(CParameter::ChecksumFlag(true)).map_err(fail)?;
                zstd.set_parameter(CParameter::ContentSizeFlag(true)).map_err(fail)?;
                Some(zstd)
            }
            _ => None,
        };
        Ok(Self { compression, zstd })
    }

    /// Replaces the contents of `stored` by one whole frame that holds `plain`.
    pub(crate) fn compress(&mut self, plain: &[u8], stored: &mut Vec<u8>) -> Result<()> {
        let fail = |e| Error::io("compress", "cannot compress a frame", e);
        stored.clear();
        match (&mut self.zstd, self.compression.codec) {
            (Some(zstd), _) => {
                stored.reserve(zstd_safe::compress_bound(plain.len()));
                zstd.compress_to_buffer(plain, stored).map(drop).map_err(fail)
            }
            (None, Codec::Gzip) => {
                let level = GzipLevel::new(self.compression.level.unsigned_abs());
                let mut gzip = GzEncoder::new(stored, level);
                gzip.write_all(plain).and_then(|()| gzip.try_finish()).map_err(fail)
            }
            (None, _) => {
                stored.extend_from_slice(plain);
                Ok(())
            }
        }
    }
}

/// Decompresses frames one after another, with its memory kept between them.
pub(crate) struct Decompressor {
    codec: Codec,
    zstd: Option<bulk::Decompressor<'static>>,
}

impl Decompressor {
    pub(crate) fn new(codec: Codec) -> Result<Self> {
        let zstd = match codec {
            Codec::Zstd => Some(
                bulk::Decompressor::new()
                    .map_err(|e| Error::io("decompress", "cannot set up zstd", e))?,
            ),
            _ => None,
        };
        Ok(Self { codec, zstd })
    }

    /// Replaces the contents of `plain` by those of the frame `stored`, which must come to exactly
    /// `size` bytes.
    pub(crate) fn decompress(
        &mut self,
        stored: &[u8],
        size: usize,
        plain: &mut Vec<u8>,
    ) -> Result<()> {
        let damaged = |why: &str| {
            Error::new(ErrorKind::Damaged, "decompress", format!("a frame is damaged: {why}"))
        };
        if size as u64 > MAX_FRAME {
            return Err(damaged("it claims to hold more than 64 MiB"));
        }
        plain.clear();
        match (&mut self.zstd, self.codec) {
            (Some(zstd), _) => {
                plain.reserve(size);
                zstd.decompress_to_buffer(stored, plain).map_err(|e| damaged(&e.to_string()))?;
            }
            (None, Codec::Gzip) => {
                let mut gzip = GzDecoder::new(stored).take(size as u64 + 1);
                gzip.read_to_end(plain).map_err(|e| damaged(&e.to_string()))?;
                let rest = gzip.into_inner().into_inner();
                if !rest.is_empty() && plain.len() <= size {
                    return Err(damaged("bytes follow its end"));
                }
            }
            (None, _) => plain.extend_from_slice(stored),
        }
        if plain.len() == size { Ok(()) } else { Err(damaged("it has another size")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [Codec; 3] = [Codec::Zstd, Codec::Gzip, Codec::None];

    proptest! {
        #[test]
        fn frames_read_back(plain in prop::collection::vec(any::<u8>(), 0..5000)) {
            for codec in CODECS {
                let mut compressor = Compressor::new(Compression::new(codec, None).unwrap()).unwrap();
                let mut decompressor = Decompressor::new(codec).unwrap();
                let mut out = vec![1, 2, 3];
                for _ in 0..2 {
                    let mut stored = vec![4, 5];
                    compressor.compress(&plain, &mut stored).unwrap();
                    decompressor.decompress(&stored, plain.len(), &mut out).unwrap();
                    prop_assert_eq!(&out, &plain);
                }
            }
        }
    }

    #[test]
    fn a_frame_of_another_size_is_damaged() {
        for codec in CODECS {
            let mut compressor = Compressor::new(Compression::new(codec, None).unwrap()).unwrap();
            let mut stored = Vec::new();
            compressor.compress(&[7; 1000], &mut stored).unwrap();
            let mut decompressor = Decompressor::new(codec).unwrap();
            for size in [0, 999, 1001] {
                let error = decompressor.decompress(&stored, size, &mut Vec::new()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Damaged, "{codec:?} {size}");
            }
        }
    }

    #[test]
    fn levels_are_checked() {
        assert!(Compression::new(Codec::Zstd, Some(20)).is_err());
        assert!(Compression::new(Codec::None, Some(1)).is_err());
        assert_eq!(Compression::new(Codec::Gzip, None).unwrap().level, 6);
    }
}
