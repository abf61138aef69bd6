//! The world's faults: full disks, missing rights, damaged bytes.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::small_disk::SmallDisk;
use seaworthy_tests::{Lab, noise, tree};

#[test]
fn a_full_disk_fails_clearly_and_leaves_the_old_state() {
    let lab = Lab::new();
    let _disk = SmallDisk::mount(&lab.path("sink"), "4m");
    lab.write("data/a", noise(1 << 20, 1));
    lab.ok(&["backup"]);
    let before = lab.snapshots();
    lab.write("data/b", noise(8 << 20, 2));
    let run = lab.run(&["backup"]).expect_code(1);
    run.says(&["sink", "No space left", "help:"]);
    assert_eq!(lab.stored(), before, "a failed run left something");
    lab.ok(&["verify", "nightly"]);
    fs::remove_file(lab.path("data/b")).unwrap();
    lab.ok(&["backup"]);
}

#[test]
fn a_full_disk_while_restoring_leaves_nothing_behind() {
    let lab = Lab::new();
    lab.write("data/a", noise(6 << 20, 1));
    lab.ok(&["backup"]);
    let _disk = SmallDisk::mount(&lab.path("small"), "2m");
    lab.run(&["restore", "nightly", "--to", "small/out"]).expect_code(1).says(&["No space left"]);
    assert_eq!(fs::read_dir(lab.path("small")).unwrap().count(), 0);
}

#[test]
fn a_sink_that_cannot_be_written_is_named() {
    let lab = Lab::new();
    lab.write("data/a", "x");
    fs::create_dir(lab.path("sink")).unwrap();
    fs::set_permissions(lab.path("sink"), fs::Permissions::from_mode(0o500)).unwrap();
    let lab = lab.unprivileged();
    lab.run(&["backup"]).expect_code(1).says(&["sink", "ermission denied"]);
    assert!(lab.stored().is_empty());
}

#[test]
fn an_unreadable_file_is_named_and_makes_the_snapshot_suspect() {
    let lab = Lab::new();
    lab.write("data/open", "x");
    let secret = lab.write("data/secret", "y");
    let lab = lab.unprivileged();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let run = lab.run(&["backup"]).expect_code(3);
    assert!(format!("{}{}", run.stdout, run.stderr).contains("data/secret"), "{run:?}");
    // Suspect: not the latest until it is accepted.
    lab.run(&["verify", "nightly"]).expect_code(2).says(&["suspect"]);
    lab.run(&["backup", "--accept"]).expect_code(3);
    lab.ok(&["verify", "nightly"]);
}

#[test]
fn an_unreadable_or_missing_source_fails_and_is_named() {
    let lab = Lab::new();
    lab.write("data/a", "x");
    let lab = lab.unprivileged();
    fs::set_permissions(lab.path("data"), fs::Permissions::from_mode(0o000)).unwrap();
    lab.run(&["backup"]).expect_code(1).says(&["data", "ermission denied"]);
    fs::remove_dir_all(lab.path("data")).unwrap();
    lab.run(&["backup"]).expect_code(1).says(&["data", "help:"]);
    assert!(lab.stored().is_empty());
}

#[test]
fn every_flipped_or_cut_object_is_found_and_never_restored_in_silence() {
    let lab = Lab::new();
    lab.write("data/a", noise(5000, 1));
    lab.write("data/b/c", "text ".repeat(500));
    lab.ok(&["backup"]);
    let snapshot = lab.snapshots().remove(0);
    let original = tree(&lab.path("data"));
    for entry in fs::read_dir(&snapshot).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            for wrong in [flipped, bytes[..at].to_vec()] {
                fs::write(&path, wrong).unwrap();
                let run = lab.run(&["verify", &id_of(&snapshot)]).expect_code(1);
                let said = format!("{}{}", run.stdout, run.stderr);
                let object = if name == "manifest.json" { "manifest" } else { &name };
                assert!(said.contains(object), "no {object} in: {said}");
                let run = lab.run(&["restore", &id_of(&snapshot), "--to", "out"]);
                if run.code == Some(0) {
                    let data = lab.path("data");
                    assert_eq!(
                        tree(&lab.path("out").join(data.strip_prefix("/").unwrap())),
                        original
                    );
                    fs::remove_dir_all(lab.path("out")).unwrap();
                }
                assert!(!lab.path("out").exists(), "a failed restore left something");
            }
        }
        fs::write(&path, bytes).unwrap();
        let _ = fs::remove_dir_all(snapshot.join("checks"));
    }
    lab.ok(&["verify", "nightly"]);
}

fn id_of(snapshot: &Path) -> String {
    format!("nightly@{}", snapshot.file_name().unwrap().to_str().unwrap())
}
