//! The examples in other languages: each backs a folder up and restores it, shows progress, is cancelled
//! and meets an error; Python brings a sink of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{ok, ok_with_library, pkg_config, prefix, workspace};

/// A folder with data, and one to work in.
struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("data/below")).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        fs::write(folder.path().join("data/a.txt"), "hello\n").unwrap();
        fs::write(folder.path().join("data/below/b"), vec![b'x'; 3_000_000]).unwrap();
        Self { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs `program` on the lab, and compares what it restored.
    #[track_caller]
    fn run(&self, program: &mut Command) -> String {
        let library = prefix().join("lib/libseaworthy.so.1");
        program.env("SEAWORTHY_LIBRARY", library).arg(self.data()).arg(self.work());
        let said = ok_with_library(program);
        let restored = self.work().join("restored").join(self.data().strip_prefix("/").unwrap());
        ok(Command::new("diff").arg("-r").arg(self.data()).arg(restored));
        said
    }
}

#[track_caller]
fn shows_everything(said: &str) {
    for word in ["advanced", "backup: done", "restore: done", "cancelled backup", "no such job"] {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

fn compile(compiler: &str, dialect: &str, source: &Path, program: &Path) {
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", dialect]).arg(source);
    command.args(pkg_config(&["--cflags", "--libs"])).arg("-o").arg(program);
    ok(&mut command);
}

/// The commands of the header: functions of a context that take a request.
fn commands() -> Vec<String> {
    let header = fs::read_to_string(crate::support::package().join("include/seaworthy.h")).unwrap();
    let after = header.split("int32_t sw_").skip(1);
    let commands = after.filter_map(|text| {
        let (name, rest) = text.split_once('(')?;
        let arguments: Vec<_> = rest.split(')').next()?.split(',').map(str::trim).collect();
        let takes = arguments.first()?.contains("sw_ctx *ctx");
        (takes && arguments.get(1)?.ends_with("*request")).then(|| name.to_owned())
    });
    commands.collect()
}

#[test]
fn each_language_has_every_command() {
    let commands = commands();
    assert!(commands.len() >= 17, "{commands:?}");
    for (file, quote) in [
        ("python/seaworthy/native.py", "\"NAME\","),
        ("node/seaworthy.js", "\"NAME\","),
        ("go/seaworthy/seaworthy.go", "C.sw_command(C.sw_NAME)"),
    ] {
        let text = fs::read_to_string(workspace().join("examples").join(file)).unwrap();
        let text = text.replace("\"]", "\",]").replace("\")", "\",)");
        for command in &commands {
            assert!(text.contains(&quote.replace("NAME", command)), "{file} lacks {command}");
        }
    }
}

#[test]
fn from_c_and_cpp() {
    let examples = workspace().join("examples");
    for (compiler, dialect, source) in [
        ("gcc", "-std=c99", "c/backup.c"),
        ("clang", "-std=c99", "c/backup.c"),
        ("g++", "-std=c++11", "cpp/backup.cpp"),
        ("clang++", "-std=c++17", "cpp/backup.cpp"),
    ] {
        let lab = Lab::new();
        let program = lab.folder.path().join("program");
        compile(compiler, dialect, &examples.join(source), &program);
        shows_everything(&lab.run(&mut Command::new(program)));
    }
}

#[test]
fn from_python() {
    let python = workspace().join("examples/python");
    let lab = Lab::new();
    let mut command = Command::new("python3");
    shows_everything(&lab.run(command.arg("-B").arg(python.join("backup.py"))));
}

#[test]
fn a_sink_in_python_passes_the_suite() {
    let python = workspace().join("examples/python");
    let lab = Lab::new();
    let mut command = Command::new("python3");
    let said = lab.run(command.arg("-B").arg(python.join("own_sink.py")));
    assert!(said.contains("conformance: 17 cases passed"), "{said}");
}

#[test]
fn the_types_of_the_python_package_hold() {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ffi-mypy");
    let mypy = kept.join("bin/mypy");
    if !mypy.exists() {
        ok(Command::new("python3").args(["-m", "venv"]).arg(&kept));
        let mut pip = Command::new(kept.join("bin/pip"));
        ok(pip.args(["install", "-q", "--disable-pip-version-check", "mypy==2.4.1"]));
    }
    let mut check = Command::new(mypy);
    check.args(["--strict", "seaworthy", "backup.py", "own_sink.py", "--cache-dir"]);
    check.arg(kept.join("cache")).current_dir(workspace().join("examples/python"));
    ok(&mut check);
}

#[test]
fn from_node() {
    let node = workspace().join("examples/node");
    // The package is fetched once, and kept in cargo's target folder.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ffi-node");
    fs::create_dir_all(&kept).unwrap();
    for name in ["package.json", "package-lock.json", "seaworthy.js", "backup.js"] {
        fs::copy(node.join(name), kept.join(name)).unwrap();
    }
    if !kept.join("node_modules/koffi").exists() {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&kept);
        ok(&mut npm);
    }
    let lab = Lab::new();
    shows_everything(&lab.run(Command::new("node").arg(kept.join("backup.js"))));
}

#[test]
fn from_go() {
    let go = workspace().join("examples/go");
    let lab = Lab::new();
    let program = lab.folder.path().join("program");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg(".").current_dir(&go);
    build.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    build.env("GOFLAGS", "-mod=mod -buildvcs=false").env("GOTOOLCHAIN", "local");
    build.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache"));
    ok(&mut build);
    shows_everything(&lab.run(&mut Command::new(program)));
}
