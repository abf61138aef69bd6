//! Owner, attributes, permissions and times of what was restored, in the order that keeps them.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::{
    fs::{
        AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod,
        fchown, fsetxattr, futimens, utimensat,
    },
    io::Errno,
};
use seaworthy_core::Result;

use super::{confine::cannot, warnings::Warnings};
use crate::{format::index::FileType, sources::files::archive::EntryMeta};

/// Sets metadata, as far as this process may.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) warnings: Warnings,
    user: u32,
    group: u32,
}

impl Metadata {
    pub(super) fn new() -> Self {
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        Self { warnings: Warnings::default(), user: user.as_raw(), group: group.as_raw() }
    }

    /// Sets everything of an open file or folder.
    pub(super) fn apply(&self, file: impl AsFd, meta: &EntryMeta) -> Result<()> {
        let path = &meta.path.0;
        // A change of owner removes set-user-ID bits and capabilities, so it comes first.
        let is_owned = self.owner(meta, |uid, gid| fchown(&file, uid, gid))?;
        for (name, value) in &meta.xattrs {
            match fsetxattr(&file, &**name, value, XattrFlags::empty()) {
                Ok(()) => {}
                Err(error @ (Errno::NOSPC | Errno::DQUOT)) => {
                    return Err(cannot("set an attribute of", path, error));
                }
                Err(error) => {
                    let name = String::from_utf8_lossy(name);
                    let why = std::io::Error::from(error).kind();
                    let what = format!("the attribute {name} was not restored ({why})");
                    self.warnings.add(what, &meta.path);
                }
            }
        }
        fchmod(&file, mode(meta, is_owned)).map_err(|e| cannot("set the mode of", path, e))?;
        futimens(&file, &times(meta)).map_err(|e| cannot("set the time of", path, e))
    }

    /// Sets what can be set on something that must not be opened: a link, a FIFO, a device.
    pub(super) fn apply_at(
        &self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        meta: &EntryMeta,
    ) -> Result<()> {
        let (path, nofollow) = (&meta.path.0, AtFlags::SYMLINK_NOFOLLOW);
        let is_owned = self.owner(meta, |uid, gid| chownat(folder, name, uid, gid, nofollow))?;
        if meta.file_type != FileType::Symlink {
            // No other user can write here yet, so this is not a link that could be followed.
            chmodat(folder, name, mode(meta, is_owned), AtFlags::empty())
                .map_err(|e| cannot("set the mode of", path, e))?;
        }
        utimensat(folder, name, &times(meta), nofollow)
            .map_err(|e| cannot("set the time of", path, e))
    }

    /// Sets its owner, and returns whether that worked.
    fn owner(
        &self,
        meta: &EntryMeta,
        chown: impl FnOnce(Option<Uid>, Option<Gid>) -> rustix::io::Result<()>,
    ) -> Result<bool> {
        let (Ok(uid), Ok(gid)) = (u32::try_from(meta.uid), u32::try_from(meta.gid)) else {
            self.warnings.add("the owner's id is too large for this system", &meta.path);
            return Ok(false);
        };
        if self.user != 0 {
            let is_owned = (uid, gid) == (self.user, self.group);
            if !is_owned {
                let what = "the owner was not restored, since only root can do that";
                self.warnings.add(what, &meta.path);
            }
            return Ok(is_owned);
        }
        // The highest number means "do not change".
        let known = |id: u32| id != u32::MAX;
        let chowned =
            chown(known(uid).then(|| Uid::from_raw(uid)), known(gid).then(|| Gid::from_raw(gid)));
        match chowned {
            Ok(()) => Ok(true),
            Err(error @ (Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP)) => {
                let why = std::io::Error::from(error).kind();
                self.warnings.add(format!("the owner was not restored ({why})"), &meta.path);
                Ok(false)
            }
            Err(error) => Err(cannot("set the owner of", &meta.path.0, error)),
        }
    }
}

/// Set-user-ID and set-group-ID bits are for the owner who had them.
fn mode(meta: &EntryMeta, is_owned: bool) -> Mode {
    Mode::from_raw_mode(if is_owned { meta.mode } else { meta.mode & 0o1777 })
}

fn times(meta: &EntryMeta) -> Timestamps {
    let time = Timespec { tv_sec: meta.mtime, tv_nsec: meta.nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}
