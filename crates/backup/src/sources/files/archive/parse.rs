//! Reading the headers of an entry back.

use seaworthy_core::{Error, ErrorKind, Result};
use tar::{EntryType, Header};

use super::{BLOCK, EntryMeta, Extent, MAX_HEADERS, padded, pax, sparse};
use crate::format::index::{FileType, PathBytes};

/// The headers of one entry.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) meta: EntryMeta,
    /// How many bytes the headers take; what is stored follows.
    pub(crate) headers: u64,
    /// How many bytes are stored, before padding; the map of a sparse file is among them.
    pub(crate) stored: u64,
    /// Whether what is stored begins with a map.
    pub(crate) is_sparse: bool,
}

impl Parsed {
    /// How many bytes the whole entry takes, padding included.
    pub(crate) fn len(&self) -> u64 {
        self.headers.saturating_add(padded(self.stored))
    }
}

/// Reads the headers at the beginning of `bytes`. `None` if they continue beyond it.
pub(crate) fn parse_entry(bytes: &[u8]) -> Result<Option<Parsed>> {
    let mut extension = Extension::default();
    let mut at = 0;
    loop {
        let Some(block) = bytes.get(at..at + BLOCK as usize) else { return Ok(None) };
        let header = Header::from_byte_slice(block);
        check_sum(block, header)?;
        at += BLOCK as usize;
        let kind = header.entry_type();
        if !kind.is_pax_local_extensions() {
            return plain(header, kind, extension, at as u64).map(Some);
        }
        let size = header.size().map_err(malformed)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_HEADERS);
        let size = size.ok_or_else(|| damaged("an extended header is too large"))?;
        let Some(body) = bytes.get(at..at + size) else { return Ok(None) };
        extension.read(body)?;
        at += padded(size as u64) as usize;
        if at > 2 * MAX_HEADERS {
            return Err(damaged("an entry's headers are too large"));
        }
    }
}

/// Reads the map at the beginning of what a sparse entry stores: extents, and how many bytes the
/// map takes.
pub(crate) fn parse_map(entry: &Parsed, stored: &[u8]) -> Result<(Vec<Extent>, u64)> {
    let wrong = || damaged("the map of a sparse file is wrong");
    let (extents, map) = sparse::decode(stored).ok_or_else(wrong)?;
    let data = extents.iter().try_fold(0_u64, |sum, extent| sum.checked_add(extent.len));
    let end = extents.last().map_or(0, |extent| extent.offset + extent.len);
    if end > entry.meta.size || data.and_then(|data| data.checked_add(map)) != Some(entry.stored) {
        return Err(wrong());
    }
    Ok((extents, map))
}

fn check_sum(block: &[u8], header: &Header) -> Result<()> {
    let field = 148..156;
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if field.contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    match header.cksum() {
        Ok(noted) if noted == sum => Ok(()),
        _ => Err(damaged("a header's checksum is wrong")),
    }
}

fn plain(header: &Header, kind: EntryType, extra: Extension, headers: u64) -> Result<Parsed> {
    let file_type = match kind {
        EntryType::Regular | EntryType::Continuous => FileType::File,
        EntryType::Directory => FileType::Directory,
        EntryType::Symlink => FileType::Symlink,
        EntryType::Link => FileType::Hardlink,
        EntryType::Fifo => FileType::Fifo,
        EntryType::Char => FileType::CharDevice,
        EntryType::Block => FileType::BlockDevice,
        _ => return Err(damaged("an entry is of an unknown type")),
    };
    let has_link = matches!(file_type, FileType::Symlink | FileType::Hardlink);
    let link = match extra.link {
        Some(link) => Some(link),
        None => header.link_name_bytes().map(std::borrow::Cow::into_owned),
    };
    let mut path = extra.path.unwrap_or_else(|| header.path_bytes().into_owned());
    if file_type == FileType::Directory && path.ends_with(b"/") {
        path.pop();
    }
    let number = |pax: Option<u64>, field: std::io::Result<u64>| match pax {
        Some(number) => Ok(number),
        None => field.map_err(malformed),
    };
    let stored = number(extra.size, header.size())?;
    let is_file = file_type == FileType::File;
    if !is_file && stored != 0 {
        return Err(damaged("an entry has data although its type has none"));
    }
    let (mtime, nanos) = match extra.mtime {
        Some(time) => time,
        None => (header.mtime().map_err(malformed)?.cast_signed(), 0),
    };
    let is_device = matches!(file_type, FileType::CharDevice | FileType::BlockDevice);
    let device = if is_device {
        let major = header.device_major().map_err(malformed)?;
        let minor = header.device_minor().map_err(malformed)?;
        (major.unwrap_or(0), minor.unwrap_or(0))
    } else {
        (0, 0)
    };
    let meta = EntryMeta {
        path: PathBytes(path),
        file_type,
        size: extra.real_size.unwrap_or(stored),
        mode: header.mode().map_err(malformed)? & 0o7777,
        uid: number(extra.uid, header.uid())?,
        gid: number(extra.gid, header.gid())?,
        mtime,
        nanos,
        link: link.filter(|_| has_link).map(PathBytes),
        device,
        xattrs: extra.xattrs,
    };
    Ok(Parsed { meta, headers, stored, is_sparse: is_file && extra.real_size.is_some() })
}

/// What extended headers say about the entry after them.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    mtime: Option<(i64, u32)>,
    uid: Option<u64>,
    gid: Option<u64>,
    size: Option<u64>,
    real_size: Option<u64>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Extension {
    fn read(&mut self, mut body: &[u8]) -> Result<()> {
        let wrong = || damaged("an extended header is wrong");
        while !body.is_empty() {
            let (key, value, rest) = pax::split(body).ok_or_else(wrong)?;
            body = rest;
            let number = || -> Result<Option<u64>> {
                let text = std::str::from_utf8(value).map_err(|_| wrong())?;
                text.parse().map(Some).map_err(|_| wrong())
            };
            match key {
                b"path" | b"GNU.sparse.name" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"mtime" => self.mtime = Some(pax::parse_time(value).ok_or_else(wrong)?),
                b"uid" => self.uid = number()?,
                b"gid" => self.gid = number()?,
                b"size" => self.size = number()?,
                b"GNU.sparse.realsize" => self.real_size = number()?,
                b"GNU.sparse.major" if value != b"1" => {
                    return Err(damaged("a sparse file is stored in an unknown way"));
                }
                _ => {
                    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                        self.xattrs.push((pax::unescape(name), value.to_vec()));
                    }
                }
            }
        }
        Ok(())
    }
}

fn malformed(source: std::io::Error) -> Error {
    damaged("a header field is invalid").caused_by(source)
}

pub(super) fn damaged(why: &str) -> Error {
    Error::new(ErrorKind::Damaged, "tar.read", format!("the tar archive is damaged: {why}"))
}
