//! What comes back.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use seaworthy_core::ErrorKind;
use tempfile::tempdir;

use super::{
    harness::{archived, below, files, restore, run, store, try_restore},
    trees::{everything, look, noise, sparse},
};
use crate::{format::index::PathBytes, restore::Selection, sources::FilesTarget};

#[test]
fn everything_comes_back_as_it_was() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    everything(tree.path());
    fs::write(tree.path().join("large"), noise(19 << 20, 1)).unwrap();
    let before = look(tree.path());
    for workers in [1, 3] {
        let to = out.path().join(format!("new/{workers}"));
        let report = run(async {
            let stored = store(&files(tree.path()), workers).await;
            let report = restore(&stored, &to).await;
            assert_eq!(report.files, stored.summary.files);
            assert_eq!(report.bytes, stored.summary.bytes);
            assert_eq!(report.fetched, stored.reader.source().stored - last_frame(&stored));
            report
        });
        assert_eq!(report.warnings, Vec::<String>::new());
        assert_eq!(report.placed, std::slice::from_ref(&to));
        let after = look(&below(&to, tree.path()));
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        for (name, seen) in &before {
            assert_eq!(&after[name], seen, "{}", String::from_utf8_lossy(name));
        }
        let sparse = fs::metadata(below(&to, tree.path()).join("large and sparse")).unwrap();
        assert!(sparse.blocks() * 512 < 1 << 20, "{} blocks", sparse.blocks());
    }
}

/// The last frame contains only the end marker, which a restore does not need.
fn last_frame(stored: &super::harness::Stored) -> u64 {
    stored.frames().last().unwrap().stored
}

#[test]
fn a_huge_sparse_file_stays_sparse() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    let path = tree.path().join("huge");
    sparse(
        &path,
        1 << 30,
        &[(5, b"first"), (1 << 29, &noise(9 << 20, 2)), ((1 << 30) - 3, b"end")],
    );
    run(async {
        let stored = store(&files(tree.path()), 3).await;
        restore(&stored, out.path()).await;
    });
    let restored = below(out.path(), &path);
    let (a, b) = (fs::metadata(&path).unwrap(), fs::metadata(&restored).unwrap());
    assert_eq!((a.len(), a.mtime_nsec()), (b.len(), b.mtime_nsec()));
    assert!(b.blocks() * 512 < 12 << 20, "{} blocks", b.blocks());
    let same = std::process::Command::new("cmp").arg(&path).arg(&restored).status().unwrap();
    assert!(same.success());
}

#[test]
fn a_file_with_very_many_holes_is_stored_with_fewer() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    let path = tree.path().join("sieve");
    let parts: Vec<_> = (0..40_000).map(|n| (n * 8192, &b"x"[..])).collect();
    sparse(&path, 40_000 * 8192, &parts);
    run(async {
        let stored = store(&files(tree.path()), 2).await;
        restore(&stored, out.path()).await;
    });
    assert!(fs::read(&path).unwrap() == fs::read(below(out.path(), &path)).unwrap());
}

#[test]
fn paths_longer_than_the_system_takes_come_back() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    let name = "n".repeat(200);
    let dig = |root: &Path, depth: usize, make: bool| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = openat(CWD, root, flags, Mode::empty()).unwrap();
        for _ in 0..depth {
            if make {
                mkdirat(&folder, &*name, Mode::from_raw_mode(0o750)).unwrap();
            }
            folder = openat(&folder, &*name, flags, Mode::empty()).unwrap();
        }
        folder
    };
    // Far over PATH_MAX, and deeper than the folders that are kept open.
    let deep = 100;
    let bottom = dig(tree.path(), deep, true);
    let new = OFlags::WRONLY | OFlags::CREATE;
    for depth in [deep, 60, 3] {
        let folder = dig(tree.path(), depth, false);
        let file = openat(&folder, "z", new, Mode::RWXU).unwrap();
        rustix::io::write(file, format!("at {depth}").as_bytes()).unwrap();
    }
    drop(bottom);
    run(async {
        let stored = store(&files(tree.path()), 2).await;
        assert_eq!((stored.summary.files, stored.losses().len()), (3, 0));
        restore(&stored, out.path()).await;
    });
    let root = below(out.path(), tree.path());
    for depth in [deep, 60, 3] {
        let file = openat(dig(&root, depth, false), "z", OFlags::RDONLY, Mode::empty()).unwrap();
        let mut text = [0; 20];
        let len = rustix::io::read(file, &mut text).unwrap();
        assert_eq!(&text[..len], format!("at {depth}").as_bytes());
    }
}

#[test]
fn a_selection_fetches_its_own_frames_alone() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    for n in 0..20 {
        fs::write(tree.path().join(format!("{n:02}")), noise(3 << 20, n + 1)).unwrap();
    }
    fs::create_dir(tree.path().join("folder")).unwrap();
    fs::write(tree.path().join("folder/x"), "x").unwrap();
    fs::set_permissions(tree.path().join("folder"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::hard_link(tree.path().join("05"), tree.path().join("link 1")).unwrap();
    fs::hard_link(tree.path().join("05"), tree.path().join("link 2")).unwrap();
    run(async {
        let stored = store(&files(tree.path()), 2).await;
        let all: u64 = stored.frames().iter().map(|f| f.stored).sum();
        let only = |names: &[&str]| {
            let names = names.iter().map(|n| PathBytes(archived(&tree.path().join(n))));
            Selection::only(names.collect::<Vec<_>>())
        };
        for (number, names) in
            [&["07"][..], &["folder"], &["link 1", "link 2"], &["05", "link 2"]].iter().enumerate()
        {
            let to = out.path().join(number.to_string());
            let target = FilesTarget::to_folder(&to);
            let report = try_restore(&stored, target, &only(names)).await.unwrap();
            assert!(report.fetched < all / 6, "{names:?}: {} of {all}", report.fetched);
            let root = below(&to, tree.path());
            let found = look(&root);
            let expected = look(tree.path());
            let wanted = names.iter().flat_map(|n| {
                expected.keys().filter(|k| PathBytes(k.to_vec()).is_within(n.as_bytes()))
            });
            let mut wanted: Vec<_> = wanted.cloned().chain([Vec::new()]).collect();
            wanted.sort();
            assert_eq!(found.keys().cloned().collect::<Vec<_>>(), wanted, "{names:?}");
            assert_eq!(report.files, names.len() as u64);
            for name in *names {
                let read = |root: &Path| fs::read(root.join(name)).unwrap_or_default();
                assert!(read(&root) == read(tree.path()), "{name}");
            }
            if names.len() == 2 {
                let ino = |name: &str| fs::metadata(root.join(name)).unwrap().ino();
                assert_eq!(ino(names[0]), ino(names[1]));
            }
        }
        let mode = fs::metadata(below(&out.path().join("1"), &tree.path().join("folder"))).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o711);
    });
}

#[test]
fn a_folder_that_is_not_empty_is_refused_and_left_alone() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    fs::write(out.path().join("mine"), "x").unwrap();
    run(async {
        let stored = store(&files(tree.path()), 1).await;
        let target = FilesTarget::to_folder(out.path());
        let error = try_restore(&stored, target, &Selection::all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotEmpty);
        assert!(error.remedy().is_some());
    });
    assert_eq!(look(out.path()).len(), 2);
}

#[test]
fn a_damaged_frame_fails_the_restore_and_leaves_nothing() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    fs::write(tree.path().join("large"), noise(19 << 20, 1)).unwrap();
    run(async {
        let stored = store(&files(tree.path()), 2).await;
        let mut bytes = stored.compressed().await;
        let key = stored.snapshot.folder().join(&stored.reader.source().object).unwrap();
        // In the file's first frame and in a later one: nothing may wait forever.
        for at in [100, 9 << 20] {
            bytes[at] ^= 1;
            let sink = stored.snapshot.sink();
            let options = crate::sinks::PutOptions::default();
            crate::sinks::BackupSinkExt::put(&**sink, &key, bytes.clone().into(), options)
                .await
                .unwrap();
            let target = FilesTarget::to_folder(out.path().join("new/folder"));
            let error = try_restore(&stored, target, &Selection::all()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged);
            assert!(!out.path().join("new").exists());
            bytes[at] ^= 1;
        }
    });
}

#[test]
fn access_control_lists_come_back() {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    fs::write(tree.path().join("file"), "x").unwrap();
    let mut list = 2_u32.to_le_bytes().to_vec();
    let anybody = u32::MAX;
    for (tag, rights, id) in
        [(1_u16, 6_u16, anybody), (2, 4, 1234), (4, 4, anybody), (16, 6, anybody), (32, 0, anybody)]
    {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&rights.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    let flags = rustix::fs::XattrFlags::empty();
    let set = |path: &Path, name: &str| rustix::fs::setxattr(path, name, &list, flags).unwrap();
    set(&tree.path().join("file"), "system.posix_acl_access");
    set(tree.path(), "system.posix_acl_default");
    let before = look(tree.path());
    run(async {
        let stored = store(&files(tree.path()), 2).await;
        let report = restore(&stored, out.path()).await;
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    });
    assert!(look(&below(out.path(), tree.path())) == before);
}
