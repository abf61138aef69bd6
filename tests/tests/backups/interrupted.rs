//! Runs that are killed, interrupted, or in each other's way.

use std::{
    fs,
    io::Read,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_tests::{Lab, Run, noise, tree};

/// A lab whose backup takes long enough to be met in the middle.
fn lab() -> Lab {
    let lab = Lab::new().with_line("compression = { codec = \"zstd\", level = 15 }");
    for n in 0..24 {
        let text: Vec<u8> = noise(1 << 20, n).iter().map(|byte| b'a' + byte % 16).collect();
        lab.write(&format!("data/{n}"), text);
    }
    lab
}

fn start(lab: &Lab, arguments: &[&str]) -> Child {
    lab.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until the run has begun to write into the sink.
fn wait_until_it_writes(lab: &Lab, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while lab.stored().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it wrote anything");
        assert!(Instant::now() < deadline, "it wrote nothing for a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_half_visible_and_the_next_run_reaps_it() {
    let lab = lab();
    lab.ok(&["backup"]);
    let began = Instant::now();
    lab.ok(&["backup"]);
    let whole = began.elapsed();
    for moment in 1..=12_u32 {
        let mut child = start(&lab, &["backup"]);
        std::thread::sleep(whole * moment / 13);
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        // Whatever is listed is whole.
        for folder in lab.snapshots() {
            let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
            lab.ok(&["verify", &format!("nightly@{id}")]);
        }
    }
    lab.ok(&["backup"]);
    assert_eq!(lab.stored(), lab.snapshots(), "remains of killed runs");
    for folder in lab.snapshots() {
        for entry in fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.contains('#'), "a half-written file is left: {name}");
        }
    }
    lab.ok(&["restore", "nightly", "--to", "out"]);
    let data = lab.path("data");
    assert_eq!(tree(&lab.path("out").join(data.strip_prefix("/").unwrap())), tree(&data));
}

#[test]
fn interrupted_once_it_stops_cleanly_with_130() {
    let lab = lab();
    let mut child = start(&lab, &["backup"]);
    wait_until_it_writes(&lab, &mut child);
    signal(&child, Signal::INT);
    let run = Run::of(child.wait_with_output().unwrap(), &["backup"]).expect_code(130);
    assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
    assert!(lab.stored().is_empty(), "an interrupted run left something");
    lab.ok(&["backup"]);
}

#[test]
fn two_runs_at_once_the_second_says_who_holds_the_lock() {
    let lab = lab();
    let mut first = start(&lab, &["backup"]);
    wait_until_it_writes(&lab, &mut first);
    let pid = first.id().to_string();
    lab.run(&["backup"]).expect_code(1).says(&["backup nightly", &pid, "wait"]);
    Run::of(first.wait_with_output().unwrap(), &["backup"]).expect_code(0);
    assert_eq!(lab.snapshots().len(), 1);
}

#[test]
fn closing_its_standard_output_is_no_crash() {
    let lab = Lab::new();
    for n in 0..2000 {
        lab.write(&format!("data/{n}"), "x");
    }
    lab.ok(&["backup"]);
    let mut child = start(&lab, &["show", "nightly", "--files"]);
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let run = child.wait_with_output().unwrap();
    let errors = String::from_utf8(run.stderr).unwrap();
    assert!(!errors.contains("panicked"), "{errors}");
}
