//! Programs from PyPI, each in an environment of its own.

use std::{path::PathBuf, process::Command};

/// The environment that holds `package`, such as `moto[s3]==5.2.1`: made once, into a folder that is
/// kept.
pub fn environment(package: &str) -> PathBuf {
    let (name, version) = package.split_once("==").unwrap();
    let name = name.split('[').next().unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target");
    let folder = root.join("test-programs").join(format!("{name}-{version}"));
    // Several test programs may want it at a time; the name appears when all is there.
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let lock = std::fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !folder.join("complete").exists() {
        let run = |command: &mut Command| {
            let done = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
            assert!(done.success(), "{command:?}: apt-get install python3-venv");
        };
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let pip = folder.join("bin/pip");
        run(Command::new(pip).args(["install", "-q", "--disable-pip-version-check", package]));
        std::fs::write(folder.join("complete"), "").unwrap();
    }
    folder
}
