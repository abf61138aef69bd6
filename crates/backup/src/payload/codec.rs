//! Compression of one frame: zstd frames, gzip members, or plain bytes.

use std::io::{Read, Write};

use flate2::{Compression as GzipLevel, bufread::GzDecoder, write::GzEncoder};
use seaworthy_core::{Error, ErrorKind, Result};
use serde::Serialize;
use zstd::{
    bulk,
    zstd_safe::{self, CParameter},
};

use super::hints::CompressionHint;
use crate::format::{Codec, MAX_FRAME};

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

/// Presets that may compress some contents as well as level 3 in less time, fastest first: a level
/// and the parameters that differ. Their tables fit in the L1 cache.
const FAST_PRESETS: [(i32, &[CParameter]); 2] = [
    (1, &[CParameter::WindowLog(21), CParameter::HashLog(13), CParameter::MinMatch(6)]),
    (3, &[CParameter::HashLog(14), CParameter::ChainLog(13), CParameter::MinMatch(6)]),
];

/// How much larger a frame may become by that, as 1/n of its size.
const LARGER: usize = 40;

/// Fewer bytes than this are not enough for a measurement.
const SAMPLE: usize = 256 << 10;

/// Compresses frames one after another, and keeps its memory between them.
pub(crate) struct Compressor {
    compression: Compression,
    zstd: Option<bulk::Compressor<'static>>,
    quicker: [Option<bulk::Compressor<'static>>; FAST_PRESETS.len()],
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Result<Self> {
        let zstd = match compression.codec {
            Codec::Zstd => Some(zstd(compression.level, &[])?),
            _ => None,
        };
        Ok(Self { compression, zstd, quicker: Default::default() })
    }

    /// [`compress`](Self::compress) for contents of which there is more: with the fastest preset
    /// that compresses them as well as level 3.
    pub(crate) fn compress_alike(
        &mut self,
        plain: &[u8],
        hint: &CompressionHint,
        stored: &mut Vec<u8>,
    ) -> Result<()> {
        if self.compression != Compression::default() {
            return self.compress(plain, stored);
        }
        if plain.len() >= SAMPLE && hint.is_due() {
            return self.learn(plain, hint, stored);
        }
        match hint.way() {
            Some(way) => self.compress_quicker(way, plain, stored),
            None => self.compress(plain, stored),
        }
    }

    /// Compresses `plain` with each preset, until one is good.
    fn learn(&mut self, plain: &[u8], hint: &CompressionHint, stored: &mut Vec<u8>) -> Result<()> {
        self.compress(plain, stored)?;
        let limit = stored.len() + stored.len() / LARGER;
        let mut quicker = Vec::new();
        for way in 0..FAST_PRESETS.len() {
            self.compress_quicker(way, plain, &mut quicker)?;
            if quicker.len() <= limit {
                hint.learn(Some(way));
                std::mem::swap(stored, &mut quicker);
                return Ok(());
            }
        }
        hint.learn(None);
        Ok(())
    }

    fn compress_quicker(&mut self, way: usize, plain: &[u8], stored: &mut Vec<u8>) -> Result<()> {
        let (level, parameters) = FAST_PRESETS[way];
        let zstd = match &mut self.quicker[way] {
            Some(zstd) => zstd,
            none => none.insert(zstd(level, parameters)?),
        };
        stored.clear();
        compress_with(zstd, plain, stored)
    }

    /// Replaces the contents of `stored` with one complete frame of `plain`.
    pub(crate) fn compress(&mut self, plain: &[u8], stored: &mut Vec<u8>) -> Result<()> {
        let fail = |e| Error::io("compress", "cannot compress a frame", e);
        stored.clear();
        match (&mut self.zstd, self.compression.codec) {
            (Some(zstd), _) => compress_with(zstd, plain, stored),
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

fn zstd(level: i32, parameters: &[CParameter]) -> Result<bulk::Compressor<'static>> {
    let fail = |e| Error::io("compress", "cannot set up zstd", e);
    let mut zstd = bulk::Compressor::new(level).map_err(fail)?;
    let always = [CParameter::ChecksumFlag(true), CParameter::ContentSizeFlag(true)];
    for parameter in always.iter().chain(parameters) {
        zstd.set_parameter(*parameter).map_err(fail)?;
    }
    Ok(zstd)
}

fn compress_with(
    zstd: &mut bulk::Compressor<'static>,
    plain: &[u8],
    stored: &mut Vec<u8>,
) -> Result<()> {
    stored.reserve(zstd_safe::compress_bound(plain.len()));
    let done = zstd.compress_to_buffer(plain, stored);
    done.map(drop).map_err(|e| Error::io("compress", "cannot compress a frame", e))
}

/// Decompresses frames one after another, and keeps its memory between them.
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

    /// Replaces the contents of `plain` with those of the frame `stored`, which must be exactly
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

    /// Numbers that look random, always the same ones.
    fn numbers() -> impl FnMut() -> u64 {
        let (factor, summand) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        let mut state = 1_u64;
        move || {
            state = state.wrapping_mul(factor).wrapping_add(summand);
            state >> 33
        }
    }

    /// Words of letters that look random.
    fn words(count: usize) -> Vec<String> {
        let mut next = numbers();
        let mut letter = || char::from(b'a' + (next() % 26) as u8);
        (0..count).map(|_| (0..7).map(|_| letter()).collect()).collect()
    }

    /// Rows of numbers, and of words that are repeated at a distance.
    fn rows(words: &[String]) -> Vec<u8> {
        let mut next = numbers();
        let mut rows = String::new();
        while rows.len() < 2 * SAMPLE {
            rows.push_str(&format!("{}\t{:x}", next(), next()));
            for _ in 0..words.len().min(12) {
                rows.push(' ');
                rows.push_str(&words[next() as usize % words.len()]);
            }
            rows.push('\n');
        }
        rows.into_bytes()
    }

    /// Rows of numbers that have something in common, and of a few words.
    fn orders(words: &[String]) -> Vec<u8> {
        let mut next = numbers();
        let mut rows = String::new();
        for n in 0.. {
            let (day, hour, minute) = (next() % 28 + 1, next() % 24, next() % 60);
            let (euros, cents) = (next() % 1000, next() % 100);
            rows.push_str(&format!(
                "{n}\t2026-01-{day:02} {hour:02}:{minute:02}\t{euros}.{cents:02}\t"
            ));
            for _ in 0..4 {
                rows.push_str(&words[next() as usize % words.len()]);
                rows.push(' ');
            }
            rows.push('\n');
            if rows.len() >= 2 * SAMPLE {
                break;
            }
        }
        rows.into_bytes()
    }

    #[test]
    fn the_fastest_way_is_taken_that_makes_rows_as_small() {
        let words = words(2000);
        for (plain, way) in
            [(rows(&[]), Some(0)), (orders(&words[..12]), Some(1)), (rows(&words), None)]
        {
            let mut usual = Vec::new();
            let mut compressor = Compressor::new(Compression::default()).unwrap();
            compressor.compress(&plain, &mut usual).unwrap();
            let (hint, mut learnt, mut after) =
                (CompressionHint::default(), Vec::new(), Vec::new());
            compressor.compress_alike(&plain[..SAMPLE - 1], &hint, &mut learnt).unwrap();
            assert_eq!(hint.way(), None, "too little to learn from");
            compressor.compress_alike(&plain, &hint, &mut learnt).unwrap();
            assert_eq!(hint.way(), way);
            compressor.compress_alike(&plain, &hint, &mut after).unwrap();
            assert_eq!(after, learnt);
            assert_eq!(after == usual, way.is_none());
            assert!(after.len() <= usual.len() + usual.len() / LARGER);
            let mut decompressor = Decompressor::new(Codec::Zstd).unwrap();
            let mut read = Vec::new();
            decompressor.decompress(&after, plain.len(), &mut read).unwrap();
            assert_eq!(read, plain);
        }
    }

    #[test]
    fn another_level_is_what_was_asked_for() {
        let compression = Compression::new(Codec::Zstd, Some(4)).unwrap();
        let (plain, hint) = (rows(&[]), CompressionHint::default());
        let (mut usual, mut alike) = (Vec::new(), Vec::new());
        let mut compressor = Compressor::new(compression).unwrap();
        compressor.compress(&plain, &mut usual).unwrap();
        compressor.compress_alike(&plain, &hint, &mut alike).unwrap();
        compressor.compress_alike(&plain, &hint, &mut alike).unwrap();
        assert_eq!(alike, usual);
    }

    #[test]
    fn contents_that_change_are_learnt_anew() {
        let mut compressor = Compressor::new(Compression::default()).unwrap();
        let (hint, mut stored) = (CompressionHint::default(), Vec::new());
        compressor.compress_alike(&rows(&[]), &hint, &mut stored).unwrap();
        assert_eq!(hint.way(), Some(0));
        let changed = rows(&words(2000));
        for _ in 0..100 {
            compressor.compress_alike(&changed, &hint, &mut stored).unwrap();
        }
        assert_eq!(hint.way(), None);
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
