//! What several of these tests need.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A small file system in memory, mounted while it lives.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path, size: &str) -> Self {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let mounted =
            mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(at).status();
        assert!(mounted.unwrap().success(), "this test mounts a small file system: run it as root");
        Self(at.to_owned())
    }

    #[allow(dead_code, reason = "each test uses a part")]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
