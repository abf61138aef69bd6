//! C programs against the library as it is installed.

use std::process::Command;

use crate::support::{build, built, ok, ok_with_library, package, pkg_config, prefix};

#[test]
fn the_header_compiles_in_every_dialect_under_gcc_and_clang() {
    let folder = tempfile::tempdir().unwrap();
    for compilers in [["gcc", "g++"], ["clang", "clang++"]] {
        for (compiler, source, dialects) in [
            (compilers[0], "include.c", &["c99", "c11", "c17"][..]),
            (compilers[1], "include.cpp", &["c++11", "c++17"]),
        ] {
            for dialect in dialects {
                let dialect = format!("-std={dialect}");
                let program = build(compiler, &[&dialect], source, &["--libs"], folder.path());
                ok_with_library(&mut Command::new(program));
            }
        }
    }
}

#[test]
fn every_function_does_what_it_says() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = build("gcc", &["-std=c11"], "everything.c", &["--libs"], folder.path());
    let said = ok_with_library(Command::new(program).arg(lab.path()));
    assert_eq!(said, "everything holds\n");
}

#[test]
fn every_function_holds_under_sanitizers() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let flags = ["-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = build("gcc", &flags, "everything.c", &["--libs"], folder.path());
    let said = ok_with_library(Command::new(program).arg(lab.path()).arg("sanitized"));
    assert_eq!(said, "everything holds\n");
}

#[test]
fn nothing_leaks_under_valgrind() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = build("gcc", &["-std=c11"], "everything.c", &["--libs"], folder.path());
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--quiet", "--error-exitcode=9", "--fair-sched=yes", "--leak-check=full"]);
    // What is kept for the whole program, such as time zones, is only found by pointers into it.
    valgrind
        .args(["--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect"]);
    let said = ok_with_library(valgrind.arg(program).arg(lab.path()).arg("quick"));
    assert_eq!(said, "everything holds\n");
}

#[test]
fn many_threads_cancelled_at_random_agree() {
    let folder = tempfile::tempdir().unwrap();
    let program = build("clang", &["-std=c11"], "threads.c", &["--libs"], folder.path());
    for seed in ["1", "2", "3"] {
        let lab = tempfile::tempdir().unwrap();
        let said = ok_with_library(Command::new(&program).arg(lab.path()).arg(seed));
        assert_eq!(said, "all threads agree\n");
    }
}

#[test]
fn what_no_caller_should_do_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [
        &["-std=c99"][..],
        &["-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    ] {
        let lab = tempfile::tempdir().unwrap();
        let program = build("gcc", flags, "hostile.c", &["--libs"], folder.path());
        let said = ok_with_library(Command::new(program).arg(lab.path()));
        assert_eq!(said, "nothing gave way\n");
    }
}

#[test]
fn a_notifier_in_c_is_told_what_happens() {
    let (folder, lab) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let flags = ["-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = build("gcc", &flags, "notifier.c", &["--libs"], folder.path());
    let said = ok_with_library(Command::new(program).arg(lab.path()));
    assert_eq!(said, "everything was heard\n");
}

#[test]
fn the_static_library_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    // Only the archive is there to be linked.
    for name in ["libseaworthy.so", "libseaworthy.so.1"] {
        assert!(prefix().join("lib").join(name).exists(), "{name}");
    }
    let archive = prefix().join("lib/libseaworthy.a");
    let program = folder.path().join("program");
    let mut command = Command::new("gcc");
    command.args(["-std=c11", "-I"]).arg(prefix().join("include"));
    command.arg(package().join("tests/c/include.c")).arg("-o").arg(&program);
    // What pkg-config says for static linking, with the archive instead of -lseaworthy.
    for word in pkg_config(&["--libs", "--static"]) {
        command.arg(if word == "-lseaworthy" { archive.display().to_string() } else { word });
    }
    ok(&mut command);
    ok(&mut Command::new(&program));
    let needed = ok(Command::new("readelf").arg("-d").arg(&program));
    assert!(!String::from_utf8(needed.stdout).unwrap().contains("seaworthy"));
}

#[test]
fn the_shared_library_has_a_soname_and_shows_its_own_functions_only() {
    let library = built().join("libseaworthy_ffi.so");
    let dynamic = ok(Command::new("readelf").arg("-d").arg(&library));
    assert!(String::from_utf8(dynamic.stdout).unwrap().contains("soname: [libseaworthy.so.1]"));
    let symbols = ok(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let names: Vec<_> = symbols.lines().filter_map(|line| line.split(' ').next_back()).collect();
    assert!(names.len() >= 30 && names.iter().all(|name| name.starts_with("sw_")), "{names:?}");
    let header = std::fs::read_to_string(package().join("include/seaworthy.h")).unwrap();
    for name in names {
        assert!(header.contains(&format!("{name}(")), "{name} is not in the header");
    }
}
