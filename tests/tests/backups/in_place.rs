//! Restores in place: what is asked first, what is refused, what is said.

use std::{fs, process::Command};

use seaworthy_tests::{Lab, tree};

fn with_hooks(lab: Lab, before: &str, after: &str) -> Lab {
    let config = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let hooks = format!("[backup.nightly.restore]\nbefore = {before}\nafter = {after}\n");
    lab.with_config(&(config + &hooks))
}

#[test]
fn it_asks_first_and_moves_the_old_data_aside() {
    let lab = Lab::new();
    lab.write("data/a", "old");
    lab.ok(&["backup"]);
    let saved = tree(&lab.path("data"));
    lab.write("data/a", "broken");
    lab.write("data/b", "new since");
    // No terminal to ask on, and no --yes.
    lab.run(&["restore", "nightly", "--in-place"]).expect_code(2).says(&["--yes"]);
    assert_eq!(fs::read_to_string(lab.path("data/a")).unwrap(), "broken");

    let run = lab.ok(&["restore", "nightly", "--in-place", "--yes", "--json"]).json();
    assert_eq!(tree(&lab.path("data")), saved);
    let aside = run["result"]["restored"][0]["moved_aside"][0].as_str().unwrap().to_owned();
    assert_eq!(fs::read_to_string(format!("{aside}/b")).unwrap(), "new since");
    // The safety snapshot holds what was there, and is never the latest.
    let safety = run["result"]["safety"][0].as_str().unwrap();
    lab.ok(&["restore", &format!("nightly@{safety}"), "--to", "before"]);
    let data = lab.path("data");
    let before = lab.path("before").join(data.strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(before.join("a")).unwrap(), "broken");
    lab.ok(&["restore", "nightly", "--to", "latest"]);
}

#[test]
fn before_stops_it_and_after_runs_whatever_happened() {
    let lab = with_hooks(
        Lab::new(),
        r#"[["sh", "-c", "echo before >> log"]]"#,
        r#"[["sh", "-c", "echo after >> log"]]"#,
    );
    lab.write("data/a", "a");
    lab.ok(&["backup"]);
    lab.ok(&["restore", "nightly", "--in-place", "--yes"]);
    let log = || fs::read_to_string(lab.path("log")).unwrap();
    assert_eq!(log(), "before\nafter\n");

    // The payload is damaged: nothing is replaced, and `after` runs all the same.
    let payload = lab.snapshots()[0].join("data.tar.zst");
    let mut bytes = fs::read(&payload).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&payload, bytes).unwrap();
    let id = format!("nightly@{}", lab.snapshots()[0].file_name().unwrap().to_str().unwrap());
    let saved = tree(&lab.path("data"));
    lab.run(&["restore", &id, "--in-place", "--yes"]).expect_code(1).says(&["damaged"]);
    assert_eq!(tree(&lab.path("data")), saved);
    assert_eq!(log(), "before\nafter\nbefore\nafter\n");
}

#[test]
fn a_failing_after_is_said_with_what_was_done_and_the_others_run() {
    let lab = with_hooks(
        Lab::new(),
        "[]",
        r#"[["sh", "-c", "echo no luck >&2; exit 3"], ["touch", "second"]]"#,
    );
    lab.write("data/a", "a");
    lab.ok(&["backup"]);
    let run = lab.run(&["restore", "nightly", "--in-place", "--yes"]).expect_code(1);
    assert!(run.stdout.contains("old data in"), "{}", run.stdout);
    assert!(lab.path("second").exists());
    run.says(&["after", "no luck"]);
}

#[test]
fn a_failing_before_changes_nothing() {
    let lab = with_hooks(Lab::new(), r#"[["false"]]"#, "[]");
    lab.write("data/a", "a");
    lab.ok(&["backup"]);
    lab.write("data/a", "b");
    let run = lab.run(&["restore", "nightly", "--in-place", "--yes"]).expect_code(1);
    run.says(&["before", "nothing was replaced"]);
    assert_eq!(fs::read_to_string(lab.path("data/a")).unwrap(), "b");
}

#[test]
fn our_own_folders_are_never_backed_up_nor_moved_aside() {
    let lab = Lab::new();
    lab.write("data/a", "a");
    let everything = "[backup.nightly.sources.all]\ntype = \"files\"\npaths = [\".\"]\n";
    let lab = lab.with_job(everything);
    lab.ok(&["backup"]);
    let files = lab.ok(&["show", "nightly", "--files"]).stdout;
    assert!(files.contains("/data/a") && !files.contains("/sink"), "{files}");
    let before = lab.snapshots();
    let run = lab.run(&["restore", "nightly", "--in-place", "--yes"]).expect_code(2);
    run.says(&["sink", "--to"]);
    assert_eq!(lab.snapshots(), before);
}

#[test]
fn a_disk_mounted_below_is_not_carried_away() {
    let lab = Lab::new();
    lab.write("data/a", "a");
    lab.write("data/disk/old", "what the mount hides");
    lab.ok(&["backup"]);
    let disk = lab.path("data/disk");
    let mut mount = Command::new("mount");
    let mounted = mount.args(["-t", "tmpfs", "-o", "size=1M", "none"]).arg(&disk).status().unwrap();
    assert!(mounted.success(), "this test mounts a small file system: run it as root");
    lab.write("data/disk/on the disk", "x");
    let run = lab.run(&["restore", "nightly", "--in-place", "--yes"]);
    let still_there = lab.path("data/disk/on the disk").exists();
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    assert!(still_there, "the mounted disk was carried away");
    run.expect_code(1).says(&["mounted at", "data/disk", "unmount"]);
}

#[test]
fn one_file_comes_back_alone_and_only_its_frames_are_read() {
    let lab = Lab::new();
    for n in 0..20 {
        lab.write(&format!("data/{n:02}"), seaworthy_tests::noise(1 << 20, n));
    }
    lab.ok(&["backup"]);
    lab.write("data/07", "broken");
    lab.write("data/08", "kept as it is");
    let path = lab.path("data/07");
    let only = path.to_str().unwrap();
    let run = lab.ok(&["restore", "nightly", "--in-place", "--yes", "--only", only, "--json"]);
    let fetched = run.json()["result"]["restored"][0]["fetched"].as_u64().unwrap();
    assert!(fetched < 6 << 20, "{fetched} bytes were fetched for one of 20 MiB");
    assert_eq!(fs::read(&path).unwrap(), seaworthy_tests::noise(1 << 20, 7));
    assert_eq!(fs::read_to_string(lab.path("data/08")).unwrap(), "kept as it is");
}
