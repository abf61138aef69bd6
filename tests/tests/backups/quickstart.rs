//! What the README promises, as a stranger would do it.

use std::{fs, path::Path, process::Command};

use seaworthy_tests::{Lab, Run, tree};

/// A copy of the shipped example, so that the checkout stays clean.
fn quickstart() -> Lab {
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/quickstart");
    let lab = Lab::new();
    let copied = Command::new("cp").arg("-a").arg(example.join(".")).arg(lab.path(".")).status();
    assert!(copied.unwrap().success());
    let config = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    for made in ["backups", "state"] {
        let _ = fs::remove_dir_all(lab.path(made));
    }
    lab.with_config(&config)
}

fn shell(command: &str, folder: &Path) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(folder)
        .output()
        .unwrap();
    Run::of(output, &[command]).expect_code(0).stdout
}

#[test]
fn the_example_is_backed_up_lost_and_restored() {
    let lab = quickstart();
    let run = lab.ok(&["backup"]);
    for word in ["nightly@20", "MiB/s", "backups", "newest good snapshot"] {
        assert!(run.stdout.contains(word), "no {word:?} in: {}", run.stdout);
    }
    let uploads = tree(&lab.path("uploads"));
    let rows =
        shell("sqlite3 app.db 'SELECT count(*), max(document) FROM booking'", &lab.path("."));

    fs::remove_dir_all(lab.path("uploads")).unwrap();
    fs::remove_file(lab.path("app.db")).unwrap();
    lab.ok(&["restore", "nightly", "--in-place", "--yes"]);
    assert_eq!(tree(&lab.path("uploads")), uploads);
    assert_eq!(
        shell("sqlite3 app.db 'SELECT count(*), max(document) FROM booking'", &lab.path(".")),
        rows
    );
}

#[test]
fn a_snapshot_restores_with_stock_tools_alone() {
    let lab = quickstart();
    lab.ok(&["backup"]);
    let folder = fs::read_dir(lab.path("backups/nightly")).unwrap().next().unwrap().unwrap().path();
    shell("sha256sum -c --strict SHA256SUMS", &folder);
    shell(
        "test \"$(head -n -2 manifest.json | sha256sum | cut -d' ' -f1)\" = \"$(jq -r .sha256 manifest.json)\"",
        &folder,
    );
    shell(
        "mkdir out && zstd -dc uploads.tar.zst | tar -C out -xf - && zstd -qd app.sqlite.zst -o out/app.db",
        &folder,
    );
    let uploads = lab.path("uploads");
    let archived = folder.join("out").join(uploads.strip_prefix("/").unwrap());
    assert_eq!(tree(&archived), tree(&uploads));
    shell(
        "sqlite3 app.db .dump > a; sqlite3 backups/nightly/*/out/app.db .dump | diff a -",
        &lab.path("."),
    );
}

#[test]
fn what_it_stores_is_for_its_owner_alone() {
    use std::os::unix::fs::MetadataExt;
    let lab = quickstart();
    lab.ok(&["backup"]);
    let mut waiting = vec![lab.path("backups"), lab.path("state")];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let open = metadata.mode() & 0o077;
        assert_eq!(open, 0, "{} is open to others", path.display());
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}
