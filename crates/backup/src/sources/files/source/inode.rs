//! A file's metadata.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    buffer::spare_capacity,
    fs::{
        FileType as Kind, Mode, OFlags, SeekFrom, Stat, fgetxattr, flistxattr, major, minor,
        openat, seek,
    },
    io::{Errno, pread},
};

use crate::{
    format::index::{FileType, PathBytes},
    sources::files::archive::{EntryMeta, Extent, SparseMap},
};

/// Opens `name` in `folder` for reading: never through a link, never waiting for a FIFO, without
/// changing the access time if that is permitted.
pub(super) fn open(folder: impl AsFd, name: &[u8], extra: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | extra;
    match openat(&folder, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(&folder, name, flags, Mode::empty()),
        opened => opened,
    }
}

/// An entry without link and attributes.
pub(super) fn meta(path: &[u8], file_type: FileType, stat: &Stat) -> EntryMeta {
    let is_device = matches!(file_type, FileType::CharDevice | FileType::BlockDevice);
    EntryMeta {
        path: PathBytes(path.to_vec()),
        file_type,
        size: if file_type == FileType::File { stat.st_size.cast_unsigned() } else { 0 },
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid.into(),
        gid: stat.st_gid.into(),
        mtime: stat.st_mtime,
        nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        link: None,
        device: if is_device { (major(stat.st_rdev), minor(stat.st_rdev)) } else { (0, 0) },
        xattrs: Vec::new(),
    }
}

/// The kind of entry for `stat`; `None` for a socket and for unknown kinds.
pub(super) fn file_type(stat: &Stat) -> Option<FileType> {
    Some(match Kind::from_raw_mode(stat.st_mode) {
        Kind::RegularFile => FileType::File,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::Fifo,
        Kind::CharacterDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        _ => return None,
    })
}

/// Whether it is a regular file.
pub(super) fn is_file(stat: &Stat) -> bool {
    file_type(stat) == Some(FileType::File)
}

/// Whether a file was changed between two calls of stat.
pub(super) fn differs(a: &Stat, b: &Stat) -> bool {
    let times = |s: &Stat| (s.st_mtime, s.st_mtime_nsec, s.st_ctime, s.st_ctime_nsec);
    a.st_size != b.st_size || times(a) != times(b)
}

/// The largest total size of the extended attributes of one file, in bytes: headers stay far below
/// what a reader accepts.
const MAX_XATTRS: usize = 1 << 20;

/// The extended attributes that are archived, sorted by name; access control lists are among them.
pub(super) fn xattrs(file: impl AsFd) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut short = [0_u8; 1024];
    let mut long;
    let names = match flistxattr(&file, &mut short) {
        Ok(len) => &short[..len],
        Err(Errno::RANGE) => {
            long = vec![0; 64 << 10];
            let len = flistxattr(&file, &mut *long)?;
            &long[..len]
        }
        // This file system has none.
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    let mut total = 0;
    for name in names.split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = vec![0; 64 << 10];
        match fgetxattr(&file, name, &mut *value) {
            Ok(len) => {
                total += name.len() + len;
                if total > MAX_XATTRS {
                    return Err(io::Error::other("together they are larger than 1 MiB"));
                }
                value.truncate(len);
                value.shrink_to_fit();
                found.push((name.to_vec(), value));
            }
            // Removed since it was listed, or not readable for us.
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    found.sort();
    Ok(found)
}

fn is_kept(name: &[u8]) -> bool {
    name.starts_with(b"user.")
        || name.starts_with(b"security.")
        || name.starts_with(b"trusted.")
        || name.starts_with(b"system.posix_acl_")
}

/// Appends the bytes of `extent` to `out`, or zeros if the file has become too short, and returns
/// whether it had them all. With `to_end` the file ends there, so that more may be requested.
pub(super) fn append(
    out: &mut Vec<u8>,
    file: impl AsFd,
    extent: Extent,
    to_end: bool,
) -> io::Result<bool> {
    let start = out.len();
    let len = usize::try_from(extent.len).map_err(io::Error::other)?;
    let end = start + len;
    out.reserve(len);
    // Reading into spare capacity avoids filling it with zeros first.
    let is_near = out.capacity() - end <= 256 << 10;
    if !to_end && !is_near {
        out.resize(end, 0);
    }
    let mut filled = 0;
    while filled < len {
        let at = extent.offset + filled as u64;
        let read = if to_end || is_near {
            pread(&file, spare_capacity(out), at)
        } else {
            pread(&file, &mut out[start + filled..], at)
        };
        match read {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(Errno::INTR) => {}
            Err(error) => {
                out.truncate(start + filled);
                return Err(error.into());
            }
        }
    }
    out.resize(end, 0);
    Ok(filled >= len)
}

/// The parts of an open file of `size` bytes that hold data; `None` if it has no holes.
pub(super) fn extents(file: impl AsFd, stat: &Stat) -> Option<Vec<Extent>> {
    let size = stat.st_size.cast_unsigned();
    let allocated = stat.st_blocks.cast_unsigned().saturating_mul(512);
    if allocated >= size {
        return None;
    }
    let mut map = SparseMap::default();
    let mut at = 0;
    while at < size {
        let start = match seek(&file, SeekFrom::Data(at)) {
            Ok(start) => start.min(size),
            // Only a hole from here on.
            Err(Errno::NXIO) => break,
            // The file system does not report holes.
            Err(_) => return None,
        };
        // What is not known to be a hole is read.
        let end = seek(&file, SeekFrom::Hole(start)).ok()?.min(size);
        if end <= start {
            return None;
        }
        map.push(Extent { offset: start, len: end - start });
        at = end;
    }
    map.finish(size)
}
