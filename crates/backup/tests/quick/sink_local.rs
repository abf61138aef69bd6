//! What only a folder has: permissions, half-written files, full and read-only disks.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;
use seaworthy_backup::{BackupSink, BackupSinkExt, ObjectKey, PutOptions, sinks::ObjectStoreSink};
use seaworthy_core::ErrorKind;

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        found.push(entry.path());
        found.extend(files_below(&entry.path()));
    }
    found
}

async fn put(sink: &ObjectStoreSink, name: &str, bytes: impl Into<Bytes>) {
    sink.put(&key(name), bytes.into(), PutOptions::default()).await.unwrap();
}

#[tokio::test]
async fn what_it_makes_is_closed_to_others_and_what_it_finds_open_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("made/backups");
    let sink = ObjectStoreSink::local(&root).unwrap();
    assert_eq!(sink.to_string(), root.display().to_string());
    put(&sink, "nightly/one/small", "x").await;
    let mut upload = sink.begin(&key("nightly/one/large"), PutOptions::default()).await.unwrap();
    upload.write(vec![1; 20 << 20].into()).await.unwrap();
    // Also while it is on its way.
    assert_eq!(mode(&root.join("nightly/one/large#1")), 0o600);
    upload.commit().await.unwrap();
    for made in ["", "nightly", "nightly/one"] {
        assert_eq!(mode(&root.join(made)), 0o700, "{made:?}");
    }
    for file in ["small", "large"] {
        assert_eq!(mode(&root.join("nightly/one").join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(root.parent().unwrap()), 0o700);
    assert_eq!(sink.warnings().await, Vec::<String>::new());

    fs::set_permissions(root.join("nightly"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    let warnings = sink.warnings().await;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("0755") && warnings[0].contains("chmod 700"), "{warnings:?}");
    assert!(warnings[1].contains("nightly") && warnings[1].contains("0750"), "{warnings:?}");
    assert_eq!(mode(&root), 0o755, "what exists is not changed");
}

#[tokio::test]
async fn uploads_that_are_given_up_leave_nothing_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let sink = ObjectStoreSink::local(folder.path()).unwrap();
    for (abort, options) in [
        (false, PutOptions::default()),
        (true, PutOptions::default()),
        (false, PutOptions::if_absent()),
        (true, PutOptions::if_absent()),
    ] {
        let mut upload = sink.begin(&key("job/id/large"), options).await.unwrap();
        upload.write(vec![1; 40 << 20].into()).await.unwrap();
        assert!(!files_below(folder.path()).is_empty(), "parts are on disk before the commit");
        if abort {
            upload.abort().await.unwrap()
        } else {
            drop(upload)
        }
        assert_eq!(files_below(folder.path()), Vec::<PathBuf>::new(), "abort: {abort}");
    }
    put(&sink, "job/id/large", "old").await;
    let mut upload = sink.begin(&key("job/id/large"), PutOptions::if_absent()).await.unwrap();
    upload.write(vec![1; 20 << 20].into()).await.unwrap();
    assert_eq!(upload.commit().await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let left = files_below(folder.path());
    assert_eq!(left.iter().filter(|path| path.is_file()).count(), 1, "{left:?}");
}

#[tokio::test]
async fn a_delete_removes_folders_that_it_empties_but_never_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let sink = ObjectStoreSink::local(folder.path()).unwrap();
    put(&sink, "job/a/one", "x").await;
    put(&sink, "job/b", "x").await;
    sink.delete(&key("job/a/one")).await.unwrap();
    assert!(!folder.path().join("job/a").exists());
    sink.delete(&key("job/b")).await.unwrap();
    assert!(folder.path().is_dir() && !folder.path().join("job").exists());
}

#[tokio::test]
async fn stage_files_are_reaped_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let sink = ObjectStoreSink::local(root).unwrap();
    put(&sink, "nightly/one/manifest.json", "{}").await;
    put(&sink, "other/x", "x").await;
    fs::create_dir_all(root.join("nightly/dead")).unwrap();
    for litter in ["dead/db.sql.zst#1", "one/.a.zst.staged-0123456789abcdef", "one/a#17"] {
        fs::write(root.join("nightly").join(litter), "half").unwrap();
    }
    for theirs in ["nightly/one/.hidden", "nightly/one/notes#draft", "other/x#1"] {
        fs::write(root.join(theirs), "theirs").unwrap();
    }
    let listed = sink.list_sorted(&key("nightly")).await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(sink.discard_unfinished(&key("nightly"), None).await.unwrap(), 3);
    assert_eq!(sink.discard_unfinished(&key("nightly"), None).await.unwrap(), 0);
    assert!(!root.join("nightly/dead").exists());
    for kept in ["nightly/one/manifest.json", "nightly/one/.hidden", "nightly/one/notes#draft"] {
        assert!(root.join(kept).exists(), "{kept}");
    }
    assert!(root.join("other/x#1").exists(), "it lies in another job's folder");
    assert_eq!(sink.discard_unfinished(&ObjectKey::root(), None).await.unwrap(), 1);
}

#[tokio::test]
async fn foreign_names_and_loops_do_not_disturb_a_list() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("link");
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", &root).unwrap();
    let sink = ObjectStoreSink::local(&root).unwrap();
    put(&sink, "job/a", "x").await;
    fs::create_dir(root.join("lost+found")).unwrap();
    fs::write(root.join("lost+found/inner"), "x").unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    fs::write(root.join("job/name with space"), "x").unwrap();
    symlink("nowhere", root.join("job/broken")).unwrap();
    symlink("..", root.join("job/loop")).unwrap();
    let listed = sink.list_sorted(&key("job")).await.unwrap();
    assert_eq!(listed.iter().map(|info| &info.key).collect::<Vec<_>>(), [&key("job/a")]);
}

#[tokio::test]
async fn a_root_that_is_missing_is_empty_and_one_that_is_a_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let sink = ObjectStoreSink::local(&root).unwrap();
    assert_eq!(sink.list_sorted(&ObjectKey::root()).await.unwrap(), []);
    assert_eq!(sink.stat(&key("a")).await.unwrap_err().kind(), ErrorKind::NotFound);
    sink.delete(&key("a")).await.unwrap();
    assert!(!root.exists(), "only a write creates it");

    fs::write(&root, "a file").unwrap();
    let error = sink.begin(&key("a"), PutOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("root") && error.remedy().is_some(), "{error:?}");
    assert!(sink.list_sorted(&ObjectKey::root()).await.is_err());
    assert!(ObjectStoreSink::local("").is_err());
}

/// The folder of a fresh tmpfs, for the test `name` of this file.
///
/// The first call runs that test again in a mount namespace of its own, so that nothing is left
/// mounted; it gives a folder there, and here nothing once the test has passed there.
fn on_tmpfs(name: &str, options: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("SINK_TEST_FOLDER") {
        return Some(folder.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, module) = module_path!().split_once("::").unwrap();
    let script = format!("mount -t tmpfs -o {options} none \"$0\" && exec \"$@\"");
    let root = rustix::process::geteuid().is_root();
    let done = Command::new("unshare")
        .args(if root { &["-m"][..] } else { &["-rm"][..] })
        .args(["sh", "-c", &script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args([&format!("{module}::{name}"), "--exact", "--nocapture"])
        .env("SINK_TEST_FOLDER", folder.path())
        .output()
        .expect("this test needs unshare(1)");
    let text =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
    None
}

#[tokio::test]
async fn a_full_disk_is_no_space_and_leaves_nothing() {
    let Some(root) = on_tmpfs("a_full_disk_is_no_space_and_leaves_nothing", "size=12M") else {
        return;
    };
    let sink = ObjectStoreSink::local(&root).unwrap();
    put(&sink, "job/old", "old").await;
    // In one put, and in parts.
    for (size, options) in [
        (7 << 20, PutOptions::default()),
        (30 << 20, PutOptions::default()),
        (30 << 20, PutOptions::if_absent()),
    ] {
        fs::write(root.join("ballast"), vec![1; 6 << 20]).unwrap();
        let error = sink.put(&key("job/new"), vec![1; size].into(), options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
        let text = error.chain();
        assert!(text.contains("job/new") && text.contains(&sink.to_string()), "{text}");
        assert!(text.contains("No space left on device"), "{text}");
        assert!(error.remedy().unwrap().contains("free some space"), "{error:?}");
        let left = files_below(&root.join("job"));
        assert_eq!(left, [root.join("job/old")]);
    }
    assert_eq!(sink.get(&key("job/old"), 10).await.unwrap(), b"old");
}

#[tokio::test]
async fn a_read_only_disk_is_an_error_with_a_remedy() {
    let name = "a_read_only_disk_is_an_error_with_a_remedy";
    let Some(disk) = on_tmpfs(name, "ro,size=1M") else { return };
    for root in [disk.clone(), disk.join("below")] {
        let sink = ObjectStoreSink::local(&root).unwrap();
        let error = sink.begin(&key("a"), PutOptions::default()).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
        assert!(error.to_string().contains(&sink.to_string()), "{error:?}");
        assert!(error.remedy().unwrap().contains("writable"), "{error:?}");
        assert_eq!(sink.list_sorted(&ObjectKey::root()).await.unwrap(), []);
    }
}
