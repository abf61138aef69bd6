//! Trees of files for tests, and the observable state of a tree.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileExt, MetadataExt, symlink},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, Timespec, Timestamps, XattrFlags, setxattr, utimensat},
    process::{Gid, Uid},
};

/// The observable state of one entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    mode: u32,
    owner: (u32, u32),
    time: (i64, i64),
    size: u64,
    content: Vec<u8>,
    /// The first path that is the same file.
    same_as: Option<Vec<u8>>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    device: u64,
}

/// Everything below `root`, by relative path; `root` itself is the empty one.
pub(super) fn look(root: &Path) -> BTreeMap<Vec<u8>, Seen> {
    let mut seen = BTreeMap::new();
    let mut inodes = BTreeMap::new();
    visit(root, Vec::new(), &mut seen, &mut inodes);
    seen
}

fn visit(
    path: &Path,
    name: Vec<u8>,
    seen: &mut BTreeMap<Vec<u8>, Seen>,
    inodes: &mut BTreeMap<(u64, u64), Vec<u8>>,
) {
    let meta = fs::symlink_metadata(path).unwrap();
    let (mut content, mut same_as, mut xattrs) = (Vec::new(), None, BTreeMap::new());
    if meta.is_symlink() {
        content = fs::read_link(path).unwrap().into_os_string().into_encoded_bytes();
    } else if meta.is_file() {
        content = fs::read(path).unwrap();
        if meta.nlink() > 1 {
            same_as = Some(inodes.entry((meta.dev(), meta.ino())).or_insert(name.clone()).clone());
        }
    }
    if meta.is_file() || meta.is_dir() {
        let mut names = [0; 4096];
        let len = rustix::fs::listxattr(path, &mut names).unwrap();
        for attribute in names[..len].split(|b| *b == 0).filter(|a| !a.is_empty()) {
            let mut value = [0; 4096];
            let len = rustix::fs::getxattr(path, attribute, &mut value).unwrap();
            xattrs.insert(attribute.to_vec(), value[..len].to_vec());
        }
    }
    let is_dir = meta.is_dir();
    let here = Seen {
        mode: meta.mode(),
        owner: (meta.uid(), meta.gid()),
        time: (meta.mtime(), meta.mtime_nsec()),
        size: if is_dir { 0 } else { meta.size() },
        content,
        same_as,
        xattrs,
        device: meta.rdev(),
    };
    seen.insert(name.clone(), here);
    if is_dir {
        let mut names: Vec<_> =
            fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        for below in names {
            let mut inner = name.clone();
            if !inner.is_empty() {
                inner.push(b'/');
            }
            inner.extend_from_slice(below.as_encoded_bytes());
            visit(&path.join(below), inner, seen, inodes);
        }
    }
}

pub(super) fn set_time(path: &Path, seconds: i64, nanos: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Bytes that do not compress, the same for the same seed.
pub(super) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A tree with one of everything that root can make.
pub(super) fn everything(root: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let odd = |bytes: &[u8]| root.join(std::ffi::OsStr::from_bytes(bytes));
    fs::create_dir_all(root.join("a/empty folder")).unwrap();
    fs::write(root.join("a/plain"), "hello\n").unwrap();
    fs::write(root.join("a/empty"), "").unwrap();
    fs::hard_link(root.join("a/plain"), root.join("a/z-link")).unwrap();
    fs::hard_link(root.join("a/plain"), root.join("link")).unwrap();
    symlink("nowhere/at all", root.join("dangling")).unwrap();
    symlink("/etc/passwd", root.join("outside")).unwrap();
    symlink("t".repeat(3000), root.join("long target")).unwrap();
    fs::write(odd(b"no utf-8 \xff\xfe"), "x").unwrap();
    symlink("plain", odd(b"link \xff")).unwrap();
    fs::write(root.join("new\nline\tand \"quotes\""), "y").unwrap();
    fs::write(root.join("ümläut"), "z").unwrap();
    fs::write(root.join("n".repeat(255)), "long name").unwrap();
    fs::create_dir_all(root.join("d".repeat(200)).join("e".repeat(200))).unwrap();
    fs::write(root.join("d".repeat(200)).join("e".repeat(200)).join("f"), "deep").unwrap();
    fs::hard_link(
        root.join("d".repeat(200)).join("e".repeat(200)).join("f"),
        root.join("d".repeat(200)).join("g"),
    )
    .unwrap();
    for (name, seconds, nanos) in [
        ("before 1970", -86_400 * 365, 0),
        ("before 1970 and a bit", -2, 250_000_000),
        ("after 2038", 4_000_000_000, 1),
        ("nanoseconds", 1_700_000_000, 123_456_789),
        ("half", 1_700_000_000, 500_000_000),
        ("epoch", 0, 0),
    ] {
        fs::write(root.join(name), name).unwrap();
        set_time(&root.join(name), seconds, nanos);
    }
    for (name, mode) in
        [("suid", 0o4755), ("sgid", 0o2755), ("secret", 0o600), ("none", 0), ("all", 0o777)]
    {
        fs::write(root.join(name), name).unwrap();
        let chown = |u, g| {
            rustix::fs::chown(root.join(name), Some(Uid::from_raw(u)), Some(Gid::from_raw(g)))
        };
        chown(1234, 3_000_000_000).unwrap();
        rustix::fs::chmod(root.join(name), Mode::from_raw_mode(mode)).unwrap();
    }
    fs::write(root.join("attributes"), "with").unwrap();
    let set = |name: &str, value: &[u8]| {
        setxattr(root.join("attributes"), name, value, XattrFlags::empty()).unwrap();
    };
    set("user.plain", b"value");
    set("user.a=b%c", b"bytes \x00\xff\n");
    set("security.capability", &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    setxattr(root.join("a"), "user.folder", b"too", XattrFlags::empty()).unwrap();
    rustix::fs::mkfifoat(CWD, root.join("fifo"), Mode::from_raw_mode(0o640)).unwrap();
    let device = rustix::fs::makedev(1, 3);
    let kind = rustix::fs::FileType::CharacterDevice;
    rustix::fs::mknodat(CWD, root.join("null"), kind, Mode::from_raw_mode(0o666), device).unwrap();
    sparse(&root.join("sparse"), 1 << 20, &[(0, b"begin"), (500_000, b"middle")]);
    sparse(&root.join("hole alone"), 70_000, &[]);
    sparse(&root.join("large and sparse"), 30 << 20, &[(4096, b"x"), (20 << 20, b"y")]);
    fs::create_dir(root.join("closed")).unwrap();
    fs::write(root.join("closed/within"), "w").unwrap();
    fs::set_permissions(root.join("closed"), std::os::unix::fs::PermissionsExt::from_mode(0o500))
        .unwrap();
    set_time(&root.join("closed"), 1_000_000_000, 42);
    set_time(&root.join("outside"), 1_100_000_000, 7);
    set_time(&root.join("a"), 1_200_000_000, 0);
}

/// A file of `size` bytes with nothing but `parts` in it.
pub(super) fn sparse(path: &Path, size: u64, parts: &[(u64, &[u8])]) {
    let file = fs::File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (at, bytes) in parts {
        file.write_all_at(bytes, *at).unwrap();
    }
}
