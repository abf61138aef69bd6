//! The walk: one after another, sorted by name, each folder before its contents.

use std::{
    collections::{HashMap, hash_map},
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use rustix::fs::{AtFlags, OFlags, Stat, fstat, readlinkat, statat};

use super::{
    exclude::Excludes,
    hooks::{Hooks, Moment},
    inode,
    item::{Item, attributes_lost, lost, replaced, socket},
    listing::Listing,
    roots::Root,
};
use crate::format::index::{FileType, Loss, LossRecord, PathBytes};

/// How many folders above the current one stay open, so that a deep tree needs few descriptors.
const KEPT_OPEN: usize = 48;

/// Walks the configured paths.
#[derive(Debug)]
pub(super) struct Walker {
    /// The remaining paths, last first.
    roots: Vec<Root>,
    excludes: Excludes,
    /// Excluded folders, by device and inode.
    left_out: Vec<(u64, u64)>,
    hooks: Hooks,
    /// The folders from the configured path down to the current one.
    levels: Vec<Level>,
    /// The name of the current folder in the archive.
    path: Vec<u8>,
    /// How much of it is the configured path.
    root_len: usize,
    /// Already found, to be returned first; last first.
    found: Vec<Item>,
    /// The first names of files that have more, and how many are still to come.
    links: HashMap<(u64, u64), (PathBytes, u64)>,
}

#[derive(Debug)]
struct Level {
    folder: Option<Arc<OwnedFd>>,
    id: (u64, u64),
    listing: Listing,
    path_len: usize,
}

impl Walker {
    pub(super) fn new(mut roots: Vec<Root>, excludes: Excludes, hooks: Hooks) -> Self {
        roots.reverse();
        Self {
            roots,
            excludes,
            left_out: Vec::new(),
            hooks,
            levels: Vec::new(),
            path: Vec::new(),
            root_len: 0,
            found: Vec::new(),
            links: HashMap::new(),
        }
    }

    pub(super) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Returns `item` next.
    pub(super) fn put_back(&mut self, item: Item) {
        self.found.push(item);
    }

    pub(super) fn next_item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.found.pop() {
                return Some(item);
            }
            let Some(level) = self.levels.last_mut() else {
                let root = self.roots.pop()?;
                self.enter_root(root);
                continue;
            };
            let Some(folder) = level.folder.clone() else {
                self.leave();
                continue;
            };
            let Some(name) = level.listing.next().map(<[u8]>::to_vec) else {
                self.leave();
                continue;
            };
            if let Some(item) = self.look_at(&folder, name) {
                return Some(item);
            }
        }
    }

    fn enter_root(&mut self, root: Root) {
        let path = root.name.0;
        self.root_len = path.len();
        self.path.clone_from(&path);
        let Some(file) = root.file else {
            let item = match inode::file_type(&root.stat) {
                Some(kind) => Item::Known(inode::meta(&path, kind, &root.stat)),
                None => socket(path),
            };
            return self.found.push(item);
        };
        if inode::file_type(&root.stat) == Some(FileType::Directory) {
            if let Some(item) = self.enter(file, &root.stat) {
                self.found.push(item);
            }
        } else {
            let item = self.file_opened(file, path);
            self.found.push(item);
        }
    }

    /// The same walk, without the folders `left_out`. They need not exist.
    pub(super) fn leaving_out(mut self, left_out: &[std::path::PathBuf]) -> Self {
        use std::os::unix::fs::MetadataExt;
        let found = left_out.iter().filter_map(|folder| std::fs::metadata(folder).ok());
        self.left_out = found.map(|meta| (meta.dev(), meta.ino())).collect();
        self
    }

    /// The kind of `name` in `folder`; `None` if it is excluded.
    fn look_at(&mut self, folder: &Arc<OwnedFd>, name: Vec<u8>) -> Option<Item> {
        let path = if self.path.is_empty() {
            name.clone()
        } else {
            [&self.path, &b"/"[..], &name].concat()
        };
        let stat = match statat(folder, &*name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(error) => return Some(lost(path, &error.into())),
        };
        let kind = inode::file_type(&stat);
        let below = path.get(self.root_len..).unwrap_or_default();
        let below = PathBytes(below.strip_prefix(b"/").unwrap_or(below).to_vec());
        let is_folder = kind == Some(FileType::Directory);
        if self.excludes.matches(below.as_path(), is_folder)
            || is_folder && self.left_out.contains(&(stat.st_dev, stat.st_ino))
        {
            return None;
        }
        Some(match kind {
            None => socket(path),
            Some(FileType::Directory) => {
                let opened = self.hooks.at(Moment::Open, &path).and_then(|()| {
                    let opened = inode::open(folder, &name, OFlags::DIRECTORY)?;
                    let stat = fstat(&opened)?;
                    Ok((opened, stat))
                });
                match opened {
                    Ok((opened, stat)) => {
                        self.path = path;
                        return self.enter(opened, &stat);
                    }
                    Err(error) => {
                        let LossOrGone { is_gone, item } = loss_or_gone(&path, &error);
                        if is_gone {
                            return Some(item);
                        }
                        self.found.push(item);
                        Item::Known(inode::meta(&path, FileType::Directory, &stat))
                    }
                }
            }
            Some(FileType::Symlink) => match readlinkat(folder, &*name, Vec::new()) {
                Ok(target) => {
                    let mut meta = inode::meta(&path, FileType::Symlink, &stat);
                    meta.link = Some(PathBytes(target.into_bytes()));
                    Item::Known(meta)
                }
                Err(error) => lost(path, &error.into()),
            },
            Some(FileType::File) if stat.st_nlink > 1 => self.file_with_names(folder, &name, path),
            Some(FileType::File) => {
                let size = stat.st_size.cast_unsigned();
                Item::Listed { folder: folder.clone(), name, path, size }
            }
            Some(other) => Item::Known(inode::meta(&path, other, &stat)),
        })
    }

    /// Enters the folder `self.path`, which is open as `folder`.
    fn enter(&mut self, folder: OwnedFd, stat: &Stat) -> Option<Item> {
        let mut meta = inode::meta(&self.path, FileType::Directory, stat);
        match inode::xattrs(&folder) {
            Ok(xattrs) => meta.xattrs = xattrs,
            Err(error) => self.found.push(attributes_lost(&self.path, &error)),
        }
        let listing = Listing::read(folder.as_fd()).unwrap_or_else(|error| {
            self.found.push(lost(self.path.clone(), &error));
            Listing::default()
        });
        let depth = self.levels.len();
        if depth > KEPT_OPEN {
            // The configured path itself stays open.
            self.levels[depth - KEPT_OPEN].folder = None;
        }
        self.levels.push(Level {
            folder: Some(Arc::new(folder)),
            id: (stat.st_dev, stat.st_ino),
            listing,
            path_len: self.path.len(),
        });
        (!self.path.is_empty()).then_some(Item::Known(meta))
    }

    /// Returns to the parent folder.
    fn leave(&mut self) {
        let Some(left) = self.levels.pop() else { return };
        let Some(above) = self.levels.last() else { return };
        self.path.truncate(above.path_len);
        if above.folder.is_some() {
            return;
        }
        let by_parent = left.folder.as_ref().and_then(|left| open_as(left, b"..", above.id));
        let folder = by_parent.or_else(|| self.open_from_root(above));
        if folder.is_none() {
            // Its contents are missing, perhaps a whole tree: that is more than one lost file.
            let why = "it could not be opened again; it may have been moved while it was read";
            let record = LossRecord::new(PathBytes(self.path.clone()), Loss::Unreadable, why);
            self.found.push(Item::Loss(record));
        }
        if let Some(above) = self.levels.last_mut() {
            above.folder = folder.map(Arc::new);
        }
    }

    /// Opens the folder of `level` again by its name.
    fn open_from_root(&self, level: &Level) -> Option<OwnedFd> {
        let root = self.levels.first()?;
        let mut folder = root.folder.as_ref()?.try_clone().ok()?;
        let below = self.path.get(root.path_len..level.path_len)?;
        for name in below.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            folder = inode::open(&folder, name, OFlags::DIRECTORY).ok()?;
        }
        is(&folder, level.id).then_some(folder)
    }

    /// A file with several names: the first that can be opened carries the data.
    fn file_with_names(&mut self, folder: &OwnedFd, name: &[u8], path: Vec<u8>) -> Item {
        let opened = self.hooks.at(Moment::Open, &path);
        match opened.and_then(|()| Ok(inode::open(folder, name, OFlags::empty())?)) {
            Ok(file) => self.file_opened(file, path),
            Err(error) => lost(path, &error),
        }
    }

    fn file_opened(&mut self, file: OwnedFd, path: Vec<u8>) -> Item {
        let stat = match fstat(&file) {
            Ok(stat) => stat,
            Err(error) => return lost(path, &error.into()),
        };
        if inode::file_type(&stat) != Some(FileType::File) {
            return replaced(path);
        }
        if stat.st_nlink > 1 {
            match self.links.entry((stat.st_dev, stat.st_ino)) {
                hash_map::Entry::Occupied(mut first) => {
                    let mut meta = inode::meta(&path, FileType::Hardlink, &stat);
                    meta.link = Some(first.get().0.clone());
                    first.get_mut().1 -= 1;
                    if first.get().1 == 0 {
                        first.remove();
                    }
                    return Item::Known(meta);
                }
                hash_map::Entry::Vacant(vacant) => {
                    vacant.insert((PathBytes(path.clone()), stat.st_nlink - 1));
                }
            }
        }
        Item::Opened { file, path, stat: Box::new(stat) }
    }
}

fn open_as(folder: &OwnedFd, name: &[u8], id: (u64, u64)) -> Option<OwnedFd> {
    let opened = inode::open(folder, name, OFlags::DIRECTORY).ok()?;
    is(&opened, id).then_some(opened)
}

fn is(folder: &OwnedFd, id: (u64, u64)) -> bool {
    fstat(folder).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == id)
}

struct LossOrGone {
    is_gone: bool,
    item: Item,
}

fn loss_or_gone(path: &[u8], error: &io::Error) -> LossOrGone {
    let item = lost(path.to_vec(), error);
    let is_gone = matches!(&item, Item::Loss(loss) if loss.loss == Loss::Vanished);
    LossOrGone { is_gone, item }
}
