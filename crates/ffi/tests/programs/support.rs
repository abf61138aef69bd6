//! The library as it is installed, and commands that must succeed.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

/// This package's folder.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    package().join("../..").canonicalize().unwrap()
}

/// Where the libraries of this build are.
pub(crate) fn built() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// The prefix below which the library of this build is installed: in a temporary folder, once for
/// each test program.
pub(crate) fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ffi-{}", program_name()));
        drop(std::fs::remove_dir_all(&prefix));
        let mut install = Command::new(package().join("install"));
        install.arg("--prefix").arg(&prefix).arg("--from").arg(built());
        ok(&mut install);
        prefix
    })
}

fn program_name() -> String {
    let program = std::env::current_exe().unwrap();
    program.file_name().unwrap().to_string_lossy().into_owned()
}

/// What pkg-config says about the installed library, and nothing else.
pub(crate) fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.args(arguments).arg("seaworthy");
    command.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    let said = ok(&mut command);
    // A space in a path is escaped.
    let words = String::from_utf8(said.stdout).unwrap().replace("\\ ", "\0");
    words.split_whitespace().map(|word| word.replace('\0', " ")).collect()
}

/// Builds tests/c/`source` with `compiler` and what pkg-config says, into `folder`.
pub(crate) fn build(
    compiler: &str,
    flags: &[&str],
    source: &str,
    libs: &[&str],
    folder: &Path,
) -> PathBuf {
    let program = folder.join("program");
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"]).args(flags);
    command.args(pkg_config(&["--cflags"]));
    command.arg(package().join("tests/c").join(source)).arg("-o").arg(&program);
    command.args(pkg_config(libs)).arg("-pthread");
    ok(&mut command);
    program
}

/// Runs `command`, which must succeed.
#[track_caller]
pub(crate) fn ok(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| panic!("{command:?}: {e}; scripts/test installs it"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The same with the installed library where programs look for it.
#[track_caller]
pub(crate) fn ok_with_library(command: &mut Command) -> String {
    command.env("LD_LIBRARY_PATH", prefix().join("lib"));
    String::from_utf8(ok(command).stdout).unwrap()
}
