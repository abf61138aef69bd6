//! Writing the headers of an entry.

use seaworthy_core::{Error, Result};
use tar::{EntryType, Header};

use super::{EntryMeta, Extent, pad, padded, pax, sparse};
use crate::format::index::FileType;

/// The largest numbers that the octal fields of a ustar header hold.
const MAX_ID: u64 = 0o7_777_777;
const MAX_SIZE: u64 = 0o77_777_777_777;

/// The longest name or link that fits in the header itself.
const MAX_NAME: usize = 100;

/// Appends everything before an entry's data: headers, and the map of a sparse file. Returns how
/// many bytes of data must follow, before padding.
pub(crate) fn write_headers(
    out: &mut Vec<u8>,
    meta: &EntryMeta,
    extents: Option<&[Extent]>,
) -> Result<u64> {
    let map = extents.map(sparse::encode).unwrap_or_default();
    let data = match extents {
        Some(extents) => extents.iter().map(|extent| extent.len).sum(),
        None => meta.size,
    };
    let stored = data + map.len() as u64;

    let mut path = meta.path.0.clone();
    if meta.file_type == FileType::Directory {
        path.push(b'/');
    }
    let base = meta.path.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let body = extension(meta, &path, stored, extents.is_some());
    if !body.is_empty() {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        set_name(&mut header, &[b"PaxHeaders/", base].concat());
        push(out, header);
        out.extend_from_slice(&body);
        pad(out);
    }

    let mut header = Header::new_ustar();
    header.set_entry_type(match meta.file_type {
        FileType::File => EntryType::Regular,
        FileType::Directory => EntryType::Directory,
        FileType::Symlink => EntryType::Symlink,
        FileType::Hardlink => EntryType::Link,
        FileType::Fifo => EntryType::Fifo,
        FileType::CharDevice => EntryType::Char,
        FileType::BlockDevice => EntryType::Block,
    });
    match extents {
        // A reader without support for sparse files must not extract this as the file.
        Some(_) => set_name(&mut header, &[b"GNUSparseFile.0/", base].concat()),
        None => set_name(&mut header, &path),
    }
    if let Some(link) = &meta.link
        && let Some(ustar) = header.as_ustar_mut()
    {
        let len = link.0.len().min(MAX_NAME);
        ustar.linkname[..len].copy_from_slice(&link.0[..len]);
    }
    header.set_mode(meta.mode);
    header.set_uid(meta.uid);
    header.set_gid(meta.gid);
    header.set_size(stored);
    header.set_mtime(u64::try_from(meta.mtime).unwrap_or(0));
    let device = header.set_device_major(meta.device.0);
    device
        .and_then(|()| header.set_device_minor(meta.device.1))
        .map_err(|e| Error::io("tar.write", format!("cannot describe {}", meta.path), e))?;
    push(out, header);
    out.extend_from_slice(&map);
    debug_assert_eq!(padded(map.len() as u64), map.len() as u64);
    Ok(data)
}

fn set_name(header: &mut Header, name: &[u8]) {
    if let Some(ustar) = header.as_ustar_mut() {
        let len = name.len().min(MAX_NAME);
        ustar.name[..len].copy_from_slice(&name[..len]);
    }
}

fn push(out: &mut Vec<u8>, mut header: Header) {
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
}

/// What the plain header cannot express; empty if it can express everything.
fn extension(meta: &EntryMeta, path: &[u8], stored: u64, is_sparse: bool) -> Vec<u8> {
    let mut body = Vec::new();
    let link = meta.link.as_ref().map_or(&[][..], |link| &link.0);
    if std::str::from_utf8(path).is_err() || std::str::from_utf8(link).is_err() {
        pax::push(&mut body, b"hdrcharset", b"BINARY");
    }
    if is_sparse {
        pax::push(&mut body, b"GNU.sparse.major", b"1");
        pax::push(&mut body, b"GNU.sparse.minor", b"0");
        pax::push(&mut body, b"GNU.sparse.name", path);
        pax::push(&mut body, b"GNU.sparse.realsize", meta.size.to_string().as_bytes());
    } else if path.len() > MAX_NAME || !path.is_ascii() {
        pax::push(&mut body, b"path", path);
    }
    if link.len() > MAX_NAME || !link.is_ascii() {
        pax::push(&mut body, b"linkpath", link);
    }
    if meta.nanos != 0 || !(0..=MAX_SIZE.cast_signed()).contains(&meta.mtime) {
        pax::push(&mut body, b"mtime", pax::time(meta.mtime, meta.nanos).as_bytes());
    }
    for (key, id) in [(&b"uid"[..], meta.uid), (b"gid", meta.gid)] {
        if id > MAX_ID {
            pax::push(&mut body, key, id.to_string().as_bytes());
        }
    }
    if stored > MAX_SIZE {
        pax::push(&mut body, b"size", stored.to_string().as_bytes());
    }
    for (name, value) in &meta.xattrs {
        let key = [b"SCHILY.xattr.", &*pax::escape(name)].concat();
        pax::push(&mut body, &key, value);
    }
    body
}
