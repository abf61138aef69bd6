//! The programs that people have read our archives: GNU tar, Python, bsdtar.

use std::{fs, path::Path, process::Command};

use tempfile::tempdir;

use super::{
    harness::{below, files, run, store},
    trees::{everything, look, noise},
};

fn archive(tree: &Path, to: &Path) {
    run(async {
        let stored = store(&files(tree), 2).await;
        fs::write(to, stored.plain().await).unwrap();
    });
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    let (out, err) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {err}");
    assert!(err.is_empty(), "{command:?}: {err}");
    String::from_utf8_lossy(out).into_owned()
}

fn tree_and_archive() -> (tempfile::TempDir, tempfile::TempDir) {
    let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
    everything(tree.path());
    fs::write(tree.path().join("large"), noise(11 << 20, 1)).unwrap();
    archive(tree.path(), &out.path().join("a.tar"));
    fs::create_dir(out.path().join("x")).unwrap();
    (tree, out)
}

#[test]
fn gnu_tar_restores_everything() {
    let (tree, out) = tree_and_archive();
    let to = out.path().join("x");
    succeeds(
        Command::new("tar")
            .args(["--xattrs", "--xattrs-include=*", "--numeric-owner"])
            // It warns about dates before 1970, and about names that are not UTF-8.
            .args(["--warning=no-timestamp", "--warning=no-unknown-keyword", "-xpf"])
            .arg(out.path().join("a.tar"))
            .arg("-C")
            .arg(&to),
    );
    compare(tree.path(), &below(&to, tree.path()), |_| false);
}

#[test]
fn bsdtar_restores_everything() {
    let (tree, out) = tree_and_archive();
    let to = out.path().join("x");
    succeeds(
        Command::new("bsdtar")
            .env("LC_ALL", "C.UTF-8")
            .args(["--numeric-owner", "-xpf"])
            .arg(out.path().join("a.tar"))
            .arg("-C")
            .arg(&to),
    );
    // It does not decode `%3D` in an attribute's name, and reads the fraction of a negative time as
    // positive.
    let known: [&[u8]; 2] = [b"attributes", b"before 1970 and a bit"];
    compare(tree.path(), &below(&to, tree.path()), |name| known.contains(&name));
}

#[test]
fn python_reads_everything() {
    let (tree, out) = tree_and_archive();
    let script = r#"
import os, sys, tarfile
root = os.fsencode(sys.argv[2])
seen = 0
for member in tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape"):
    name = b"/" + os.fsencode(member.name)
    stat = os.lstat(name)
    assert name == root or name.startswith(root + b"/"), name
    assert member.mode == stat.st_mode & 0o7777, name
    assert (member.uid, member.gid) == (stat.st_uid, stat.st_gid), name
    assert abs(member.mtime - stat.st_mtime) < 1e-5, (name, member.mtime, stat.st_mtime)
    if member.issym():
        assert os.fsencode(member.linkname) == os.readlink(name), name
    elif member.isreg():
        assert member.size == stat.st_size, (name, member.size)
    seen += 1
print(seen)
"#;
    let mut python = Command::new("python3");
    python.arg("-c").arg(script).arg(out.path().join("a.tar")).arg(tree.path());
    let seen = succeeds(&mut python);
    assert_eq!(seen.trim(), look(tree.path()).len().to_string());
    let script = "import sys, tarfile
archive = tarfile.open(sys.argv[1], errors='surrogateescape')
for member in archive:
    if member.isreg() or member.islnk():
        name = '/' + member.name
        with open(name, 'rb') as file:
            assert archive.extractfile(member).read() == file.read(), name
";
    let mut python = Command::new("python3");
    succeeds(python.arg("-c").arg(script).arg(out.path().join("a.tar")));
}

fn compare(before: &Path, after: &Path, passed_over: impl Fn(&[u8]) -> bool) {
    let (before, after) = (look(before), look(after));
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, seen) in before.iter().filter(|(name, _)| !passed_over(name)) {
        assert_eq!(&after[name], seen, "{}", String::from_utf8_lossy(name));
    }
}
