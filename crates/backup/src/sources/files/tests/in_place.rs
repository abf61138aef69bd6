//! Restoring files where they were.

use std::{fs, path::Path};

use seaworthy_core::ErrorKind;
use tempfile::tempdir;

use super::{
    harness::{archived, files, run, store, try_restore},
    trees::{everything, look},
};
use crate::{
    format::index::PathBytes,
    restore::Selection,
    sources::{FilesSource, FilesTarget},
};

fn only(path: &Path) -> Selection {
    Selection::only([PathBytes(archived(path))])
}

#[test]
fn a_folder_is_swapped_and_the_old_one_kept() {
    let base = tempdir().unwrap();
    let live = base.path().join("live");
    fs::create_dir(&live).unwrap();
    everything(&live);
    let before = look(&live);
    run(async {
        let stored = store(&files(&live), 2).await;
        fs::remove_file(live.join("a/plain")).unwrap();
        fs::write(live.join("newer"), "kept").unwrap();
        let broken = look(&live);
        let target = FilesTarget::in_place([&live], "1");
        let report = try_restore(&stored, target, &Selection::all()).await.unwrap();
        assert!(look(&live) == before);
        let aside = base.path().join("live.before-restore-1");
        assert!(look(&aside) == broken);
        assert_eq!((report.placed, report.moved_aside), (vec![live.clone()], vec![aside]));
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 2);
        // The same stamp again would have to overwrite what was moved aside.
        let target = FilesTarget::in_place([&live], "1");
        let error = try_restore(&stored, target, &Selection::all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(look(&live) == before);
    });
}

#[test]
fn what_is_missing_is_put_back() {
    let base = tempdir().unwrap();
    let live = base.path().join("gone/with/it");
    fs::create_dir_all(&live).unwrap();
    fs::write(live.join("file"), "x").unwrap();
    let before = look(&live);
    run(async {
        let stored = store(&files(&live), 2).await;
        fs::remove_dir_all(base.path().join("gone")).unwrap();
        let target = FilesTarget::in_place([&live], "1");
        let report = try_restore(&stored, target, &Selection::all()).await.unwrap();
        assert!(look(&live) == before);
        assert!(report.moved_aside.is_empty());
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
    });
}

#[test]
fn with_a_selection_only_that_is_replaced() {
    let live = tempdir().unwrap();
    everything(live.path());
    run(async {
        let stored = store(&files(live.path()), 2).await;
        let before = look(live.path());
        fs::write(live.path().join("suid"), "changed").unwrap();
        fs::write(live.path().join("secret"), "changed").unwrap();
        let target = FilesTarget::in_place([live.path()], "1");
        let report = try_restore(&stored, target, &only(&live.path().join("suid"))).await.unwrap();
        assert_eq!(report.files, 1);
        let mut after = look(live.path());
        assert!(after.remove(&b"suid.before-restore-1"[..]).is_some());
        assert_eq!(after[&b"suid"[..]], before[&b"suid"[..]]);
        assert!(after[&b"secret"[..]] != before[&b"secret"[..]]);
        assert_eq!(after.len(), before.len());
        // A hard link whose target is not selected gets its bytes.
        let link = live.path().join("a/z-link");
        fs::remove_dir_all(live.path().join("a")).unwrap();
        let target = FilesTarget::in_place([live.path()], "2");
        try_restore(&stored, target, &only(&link)).await.unwrap();
        assert_eq!(fs::read(&link).unwrap(), b"hello\n");
    });
}

#[test]
fn what_the_snapshot_lacks_is_not_moved_away() {
    let live = tempdir().unwrap();
    fs::write(live.path().join("a"), "a").unwrap();
    run(async {
        let stored = store(&files(live.path()), 2).await;
        fs::write(live.path().join("b"), "b").unwrap();
        let before = look(live.path());
        for path in [live.path().join("b"), live.path().join("c/d"), "/elsewhere".into()] {
            let target = FilesTarget::in_place([live.path()], "1");
            let error = try_restore(&stored, target, &only(&path)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.chain());
            assert_eq!(look(live.path()).len(), before.len());
            assert_eq!(fs::read(live.path().join("b")).unwrap(), b"b");
        }
    });
}

#[test]
fn a_swap_that_fails_undoes_the_others() {
    let base = tempdir().unwrap();
    let (a, b) = (base.path().join("a"), base.path().join("b"));
    for path in [&a, &b] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), "old").unwrap();
    }
    run(async {
        let stored = store(&FilesSource::new([&a, &b]).unwrap(), 2).await;
        fs::write(a.join("file"), "live").unwrap();
        let before = look(base.path());
        let cx = seaworthy_core::Context::new();
        let mut target = Box::new(FilesTarget::in_place([&a, &b], "1"));
        crate::restore::RestoreTarget::prepare(&mut *target, &stored.snapshot, &cx).await.unwrap();
        let all = Selection::all();
        let reader = stored.reader.clone();
        crate::restore::RestoreTarget::load(&mut *target, reader, &all, &cx).await.unwrap();
        // Another program takes the name that the second one should be moved to.
        let taken = base.path().join("b.before-restore-1");
        fs::write(&taken, "mine").unwrap();
        let error = crate::restore::RestoreTarget::finish(target, &cx).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        fs::remove_file(&taken).unwrap();
        assert_eq!(look(base.path()).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        assert_eq!(fs::read(a.join("file")).unwrap(), b"live");
    });
}

/// Ends the mount even when the test fails.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let ended = std::process::Command::new("umount").arg(self.0).status();
        assert!(ended.is_ok_and(|status| status.success()));
    }
}

#[test]
fn of_a_mount_point_the_children_are_moved() {
    let base = tempdir().unwrap();
    let live = base.path().join("live");
    fs::create_dir(&live).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(&live);
    assert!(mount.status().unwrap().success());
    let _mounted = Mounted(&live);
    fs::create_dir(live.join("folder")).unwrap();
    fs::write(live.join("folder/file"), "old").unwrap();
    rustix::fs::chmod(&live, rustix::fs::Mode::from_raw_mode(0o751)).unwrap();
    let before = look(&live);
    run(async {
        let stored = store(&files(&live), 2).await;
        fs::write(live.join("folder/file"), "live").unwrap();
        rustix::fs::chmod(&live, rustix::fs::Mode::from_raw_mode(0o700)).unwrap();
        let target = FilesTarget::in_place([&live], "1");
        let report = try_restore(&stored, target, &Selection::all()).await.unwrap();
        let aside = live.join(".before-restore-1");
        assert_eq!(report.moved_aside, std::slice::from_ref(&aside));
        assert_eq!(fs::read(aside.join("folder/file")).unwrap(), b"live");
        let mut after = look(&live);
        after.retain(|name, _| !name.starts_with(b".before-restore-1"));
        assert!(after == before);
        assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1);
    });
}
