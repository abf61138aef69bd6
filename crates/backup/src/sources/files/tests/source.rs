//! How the source stores a tree.

use std::{
    fs, io,
    os::unix::fs::{FileExt, symlink},
    path::PathBuf,
};

use seaworthy_core::ErrorKind;
use tempfile::tempdir;

use super::{
    harness::{archived, files, run, store, try_store},
    trees::{everything, noise, sparse},
};
use crate::{
    format::index::{FileType, Loss},
    sources::{
        FilesSource,
        files::{
            TarScanner,
            source::hooks::{Hooks, Moment},
        },
    },
};

#[test]
fn the_bytes_depend_on_nothing_but_the_tree() {
    let tree = tempdir().unwrap();
    everything(tree.path());
    fs::write(tree.path().join("large"), noise(11 << 20, 1)).unwrap();
    run(async {
        let first = store(&files(tree.path()), 1).await;
        let bytes = first.compressed().await;
        for workers in [1, 2, 4] {
            let again = store(&files(tree.path()), workers).await;
            assert!(again.compressed().await == bytes, "{workers} workers");
            assert_eq!(again.records(), first.records());
            assert_eq!(again.summary, first.summary);
        }
    });
}

#[test]
fn an_index_is_rebuilt_from_the_archive_alone() {
    let tree = tempdir().unwrap();
    everything(tree.path());
    fs::write(tree.path().join("large"), noise(11 << 20, 1)).unwrap();
    run(async {
        let stored = store(&files(tree.path()), 2).await;
        let (plain, entries) = (stored.plain().await, stored.entries());
        for piece in [plain.len(), 4 << 20, 1000, 512, 77] {
            let (mut scanner, mut found) = (TarScanner::new(), Vec::new());
            for part in plain.chunks(piece) {
                scanner.push(part, &mut found).unwrap();
            }
            scanner.finish().unwrap();
            assert_eq!(found, entries, "pieces of {piece}");
        }
        let mut scanner = TarScanner::new();
        scanner.push(&plain[..plain.len() - 1024], &mut Vec::new()).unwrap();
        assert_eq!(scanner.finish().unwrap_err().kind(), ErrorKind::Damaged);
        let mut flipped = plain.clone();
        flipped[20] ^= 1;
        let error = TarScanner::new().push(&flipped, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
    });
}

#[test]
fn folders_come_first_and_names_are_sorted() {
    let tree = tempdir().unwrap();
    for name in ["b/y", "b/x", "a", "b-", "c/d/e"] {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let stored = run(store(&files(tree.path()), 2));
    let expected = ["", "a", "b", "b/x", "b/y", "b-", "c", "c/d", "c/d/e"];
    assert_eq!(stored.names(tree.path()), expected);
    assert_eq!((stored.summary.files, stored.summary.bytes), (5, 3 + 3 + 1 + 2 + 5));
}

#[test]
fn the_first_name_of_a_file_carries_its_data() {
    let tree = tempdir().unwrap();
    fs::write(tree.path().join("m"), "data").unwrap();
    fs::hard_link(tree.path().join("m"), tree.path().join("a")).unwrap();
    fs::hard_link(tree.path().join("m"), tree.path().join("z")).unwrap();
    let entries = run(store(&files(tree.path()), 2)).entries();
    let kinds: Vec<_> = entries.iter().map(|e| (e.file_type, e.size)).collect();
    let link = (FileType::Hardlink, 0);
    assert_eq!(kinds, [(FileType::Directory, 0), (FileType::File, 4), link, link]);
    assert_eq!(entries[3].link.as_ref(), Some(&entries[1].path));
}

#[test]
fn when_the_first_name_vanishes_the_next_carries_the_data() {
    let tree = tempdir().unwrap();
    fs::write(tree.path().join("a"), "data").unwrap();
    fs::hard_link(tree.path().join("a"), tree.path().join("b")).unwrap();
    let first = tree.path().join("a");
    let hooks = Hooks::new(move |moment, path| {
        if moment == Moment::Open && path.ends_with(b"/a") {
            fs::remove_file(&first)?;
        }
        Ok(())
    });
    let stored = run(store(&files(tree.path()).with_hooks(hooks), 2));
    let entries = stored.entries();
    assert_eq!((entries.len(), entries[1].file_type, entries[1].size), (2, FileType::File, 4));
    assert_eq!(stored.summary.vanished, 1);
}

#[test]
fn what_is_excluded_is_not_walked() {
    let tree = tempdir().unwrap();
    for name in ["cache/x", "keep/cache", "a.tmp", "keep/b.tmp", "top", "keep/top", "keep/!"] {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let source = files(tree.path()).exclude(["*.tmp", "cache/", "/top"]).unwrap();
    let stored = run(store(&source, 2));
    assert_eq!(stored.names(tree.path()), ["", "keep", "keep/!", "keep/cache", "keep/top"]);
    let error = files(tree.path()).exclude(["*.tmp", "[z-a]"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("[z-a]"), "{error}");
}

#[test]
fn sockets_are_passed_over_and_fifos_do_not_block() {
    let tree = tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, tree.path().join("fifo"), 0o600.into()).unwrap();
    let stored = run(store(&files(tree.path()), 2));
    assert_eq!(stored.names(tree.path()), ["", "fifo"]);
    assert_eq!(stored.losses().len(), 1);
    assert_eq!(stored.losses()[0].0, Loss::Socket);
    assert_eq!(stored.summary.unreadable + stored.summary.vanished, 0);
}

#[test]
fn a_folder_of_sockets_alone_still_tells_of_them() {
    let tree = tempdir().unwrap();
    let path = tree.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let stored = run(store(&files(&path), 1));
    assert_eq!((stored.entries().len(), stored.losses().len()), (0, 1));
}

#[test]
fn losses_are_told_and_counted() {
    let tree = tempdir().unwrap();
    for name in ["fine", "gone", "refused", "broken"] {
        fs::write(tree.path().join(name), name).unwrap();
    }
    fs::create_dir(tree.path().join("shut")).unwrap();
    let hooks = Hooks::new(|moment, path| {
        let os = |errno: rustix::io::Errno| Err(io::Error::from(errno));
        match (moment, path.rsplit(|b| *b == b'/').next().unwrap()) {
            (Moment::Open, b"gone") => os(rustix::io::Errno::NOENT),
            (Moment::Open, b"refused" | b"shut") => os(rustix::io::Errno::ACCESS),
            (Moment::Read, b"broken") => os(rustix::io::Errno::IO),
            _ => Ok(()),
        }
    });
    let stored = run(store(&files(tree.path()).with_hooks(hooks), 2));
    assert_eq!(stored.names(tree.path()), ["", "fine", "shut"]);
    assert_eq!((stored.summary.unreadable, stored.summary.vanished), (3, 1));
    let mut kinds: Vec<_> = stored.losses().into_iter().map(|(loss, _)| loss).collect();
    kinds.sort_by_key(|loss| *loss == Loss::Vanished);
    assert_eq!(kinds, [Loss::Unreadable, Loss::Unreadable, Loss::Unreadable, Loss::Vanished]);
    let Loss::Unreadable = stored.losses()[0].0 else { panic!("{:?}", stored.losses()) };
}

/// Changes the file called `victim` with `change` this many times, each time it is read.
fn changing(
    victim: PathBuf,
    times: u32,
    change: impl Fn(&fs::File, u32) + Send + Sync + 'static,
) -> Hooks {
    let done = std::sync::atomic::AtomicU32::new(0);
    Hooks::new(move |moment, path| {
        if moment == Moment::Read && path == archived(&victim) {
            let n = done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if n < times {
                change(&fs::OpenOptions::new().write(true).open(&victim)?, n);
            }
        }
        Ok(())
    })
}

#[test]
fn a_small_file_that_changes_is_read_again() {
    let tree = tempdir().unwrap();
    let log = tree.path().join("log");
    for (times, changed) in [(1, 0), (2, 0), (3, 1)] {
        fs::write(&log, "start").unwrap();
        let hooks = changing(log.clone(), times, |file, n| {
            file.write_all_at(b"more", 5 + 4 * u64::from(n)).unwrap();
        });
        let stored = run(store(&files(tree.path()).with_hooks(hooks), 2));
        assert_eq!(stored.summary.changed, changed, "{times} times");
        assert_eq!(stored.entries()[1].size, (5 + 4 * u64::from(times)).min(13));
    }
}

#[test]
fn a_large_file_is_cut_or_padded_to_its_first_size() {
    let tree = tempdir().unwrap();
    let path = tree.path().join("large");
    let size = 9 << 20;
    for now in [size + 5, size - (2 << 20), 0] {
        fs::write(&path, noise(size as usize, 3)).unwrap();
        let hooks = changing(path.clone(), 1, move |file, _| file.set_len(now).unwrap());
        run(async {
            let stored = store(&files(tree.path()).with_hooks(hooks), 1).await;
            assert_eq!(stored.entries()[1].size, size);
            assert_eq!(stored.losses().len(), 1);
            assert_eq!((stored.losses()[0].0, stored.summary.changed), (Loss::Changed, 1));
            let mut found = Vec::new();
            let mut scanner = TarScanner::new();
            scanner.push(&stored.plain().await, &mut found).unwrap();
            scanner.finish().unwrap();
            assert_eq!(found, stored.entries());
        });
    }
}

#[test]
fn a_small_file_that_becomes_large_is_taken_whole() {
    let tree = tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(tree.path().join(name), name).unwrap();
    }
    let path = tree.path().join("b");
    let hooks = Hooks::new(move |moment, name| {
        if moment == Moment::Open && name.ends_with(b"/b") {
            fs::write(&path, noise(9 << 20, 5))?;
        }
        Ok(())
    });
    let stored = run(store(&files(tree.path()).with_hooks(hooks), 2));
    let sizes: Vec<_> = stored.entries().iter().map(|e| e.size).collect();
    assert_eq!(sizes.iter().sum::<u64>(), 2 + (9 << 20));
    assert_eq!(stored.summary.changed, 0);
}

#[test]
fn holes_are_not_read() {
    let tree = tempdir().unwrap();
    sparse(&tree.path().join("huge"), 1 << 40, &[(1 << 39, b"needle")]);
    let stored = run(store(&files(tree.path()), 2));
    assert_eq!(stored.summary.bytes, 1 << 40);
    assert!(stored.reader.source().plain < 64 << 10, "{}", stored.reader.source().plain);
}

#[test]
fn a_path_that_is_missing_is_an_error() {
    let tree = tempdir().unwrap();
    let error = run(try_store(&files(&tree.path().join("absent")), 2)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("absent") && error.remedy().is_some(), "{error}");
}

#[test]
fn paths_in_one_another_are_archived_once() {
    let tree = tempdir().unwrap();
    fs::create_dir_all(tree.path().join("in/ner")).unwrap();
    fs::write(tree.path().join("in/ner/file"), "x").unwrap();
    let paths = [tree.path().join("in/ner"), tree.path().to_owned(), tree.path().join("in")];
    let stored = run(store(&FilesSource::new(&paths).unwrap(), 2));
    assert_eq!(stored.names(tree.path()), ["", "in", "in/ner", "in/ner/file"]);
    // A path that is listed explicitly wins over a pattern.
    let source = FilesSource::new(&paths).unwrap().exclude(["ner/"]).unwrap();
    let stored = run(store(&source, 2));
    assert_eq!(stored.names(tree.path()), ["", "in", "in/ner", "in/ner/file"]);
}

#[test]
fn a_named_link_is_followed_and_one_in_the_way_is_refused() {
    let tree = tempdir().unwrap();
    fs::create_dir(tree.path().join("real")).unwrap();
    fs::write(tree.path().join("real/file"), "x").unwrap();
    std::os::unix::fs::symlink("real", tree.path().join("link")).unwrap();
    let link = tree.path().join("link");
    let stored = run(store(&files(&link), 2));
    assert_eq!(stored.names(&link), ["", "file"]);
    let both = FilesSource::new([tree.path(), &link]).unwrap();
    let error = run(try_store(&both, 2)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_file_that_grows_while_all_places_are_taken_holds_nobody_up() {
    let tree = tempdir().unwrap();
    let grower = tree.path().join("0-grower");
    fs::write(&grower, "small").unwrap();
    // Each of these fills a segment of its own.
    for n in 1..=6 {
        fs::write(tree.path().join(n.to_string()), vec![0; 3 << 20]).unwrap();
    }
    let (opened, wait) = (std::sync::Mutex::new(0), std::sync::Condvar::new());
    let victim = grower.clone();
    let hooks = Hooks::new(move |moment, path| {
        if moment != Moment::Open {
            return Ok(());
        }
        let mut count = opened.lock().unwrap();
        if path.ends_with(b"/0-grower") {
            // Until the other worker has had every place but this one.
            while *count < 3 {
                count = wait.wait(count).unwrap();
            }
            return fs::OpenOptions::new().write(true).open(&victim)?.set_len(6 << 20);
        }
        *count += 1;
        wait.notify_all();
        Ok(())
    });
    let source = files(tree.path()).with_hooks(hooks);
    let minute = std::time::Duration::from_secs(60);
    let stored = run(async { tokio::time::timeout(minute, store(&source, 2)).await });
    let stored = stored.expect("the workers wait for each other");
    assert_eq!(stored.entries().len(), 8);
}

#[test]
fn folders_of_our_own_are_left_out_under_whatever_name_they_are_met() {
    let tree = tempdir().unwrap();
    for name in ["kept/file", "sink/nightly/payload", "state/lock"] {
        let path = tree.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let other = tempdir().unwrap();
    let link = other.path().join("by another name");
    symlink(tree.path().join("sink"), &link).unwrap();
    let absent = tree.path().join("absent");
    let source = files(tree.path()).leave_out([link, tree.path().join("state"), absent]);
    let stored = run(store(&source, 2));
    assert_eq!(stored.names(tree.path()), ["", "kept", "kept/file"]);
}
