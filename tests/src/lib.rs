//! Support for end-to-end tests: the built program, and a folder with data to try it on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod forge;
pub mod postgres;
pub mod python;
pub mod s3;
pub mod server;
pub mod web;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

/// The program: the one that `SEAWORTHY_TEST_PROGRAM` names, else built from this workspace.
///
/// `scripts/test` names the one that `cargo test --workspace` has built with the tests, so that
/// nothing is compiled a second time with other features.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("SEAWORTHY_TEST_PROGRAM") {
        Some(path) => path.into(),
        None => built(),
    })
}

fn built() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let build = ["build", "-q", "-p", "seaworthy-cli", "--bin", "seaworthy"];
    let output = Command::new(env!("CARGO"))
        .args(build)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "cannot build the program");
    // Wherever the target folder is: cargo says where it put the program.
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        message["executable"].as_str().map(PathBuf::from)
    });
    executable.expect("cargo names no program")
}

/// A temporary folder with a configuration file, data to back up, and a sink.
#[derive(Debug)]
pub struct Lab {
    folder: tempfile::TempDir,
    /// The configuration file's text.
    config: String,
    /// Who runs the program.
    user: Option<u32>,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// A lab whose job `nightly` backs up the folder `data` into the folder `sink`.
    pub fn new() -> Self {
        let lab = Self { folder: tempfile::tempdir().unwrap(), config: String::new(), user: None };
        fs::create_dir(lab.path("data")).unwrap();
        lab.with_job("[backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n")
    }

    /// The same lab with these `[backup.nightly.sources.…]` sections.
    #[must_use]
    pub fn with_job(self, sources: &str) -> Self {
        let config = format!(
            "state = \"state\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n\
             [backup.nightly]\nsinks = [\"local\"]\nlimit = {{ temp = \".\" }}\n{sources}"
        );
        self.with_config(&config)
    }

    /// The same lab with another configuration file.
    #[must_use]
    pub fn with_config(mut self, config: &str) -> Self {
        self.config = config.to_owned();
        fs::write(self.path("seaworthy.toml"), config).unwrap();
        self
    }

    /// The same lab with a line added below `[backup.nightly]`.
    #[must_use]
    pub fn with_line(self, line: &str) -> Self {
        let config =
            self.config.replace("[backup.nightly]\n", &format!("[backup.nightly]\n{line}\n"));
        self.with_config(&config)
    }

    /// The same lab, owned and used by the user `nobody`, for whom permissions count.
    #[must_use]
    pub fn unprivileged(mut self) -> Self {
        const NOBODY: u32 = 65534;
        assert!(
            rustix::process::geteuid().is_root(),
            "this test gives up root's rights: run it as root"
        );
        let mut chown = Command::new("chown");
        chown.args(["-R", "65534:65534"]).arg(self.folder.path());
        assert!(chown.status().unwrap().success());
        self.user = Some(NOBODY);
        self
    }

    /// A path in the lab.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in the lab, with its folders.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The program with this lab's configuration and `arguments`, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.user {
            None => Command::new(program()),
            Some(user) => {
                // The build folder may not be open to others: a copy in the lab is.
                let copy = self.path("seaworthy");
                if !copy.exists() {
                    fs::copy(program(), &copy).unwrap();
                }
                let mut command = Command::new("setpriv");
                let id = user.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(copy);
                command
            }
        };
        command.arg("--config").arg(self.path("seaworthy.toml")).args(arguments);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("RUST_BACKTRACE");
        command
    }

    /// Runs the program and gives its output.
    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap(), arguments)
    }

    /// Runs the program, which must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Run {
        self.run(arguments).expect_code(0)
    }

    /// The folders of the job `nightly` in the sink, whole snapshots or not, sorted.
    pub fn stored(&self) -> Vec<PathBuf> {
        match fs::read_dir(self.path("sink/nightly")) {
            Err(_) => Vec::new(),
            Ok(entries) => {
                let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
                folders.sort();
                folders
            }
        }
    }

    /// The folders of whole snapshots, sorted by time.
    pub fn snapshots(&self) -> Vec<PathBuf> {
        let mut stored = self.stored();
        stored.retain(|folder| folder.join("manifest.json").exists());
        stored
    }
}

/// What the program did.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    arguments: Vec<String>,
}

impl Run {
    /// What `output` says, of a run with `arguments`.
    pub fn of(output: Output, arguments: &[&str]) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
        }
    }

    /// Fails the test if the exit code is another.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "{:?}\nstdout: {}\nstderr: {}",
            self.arguments,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test unless standard error has all of `words`, and no panic.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {}", self.stderr);
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

/// Every path below `folder` with what it is, for comparing trees: type, mode, size, time, content.
pub fn tree(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        let metadata = fs::symlink_metadata(&next).unwrap();
        let name = next.strip_prefix(folder).unwrap().display().to_string();
        let content = if metadata.is_dir() {
            waiting.extend(fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&next).unwrap().display())
        } else if metadata.is_file() {
            format!("{:?}", fs::read(&next).unwrap())
        } else {
            "special".to_owned()
        };
        let times = (metadata.mtime(), metadata.mtime_nsec());
        found.push(format!(
            "{name} {:o} {}:{} {times:?} {content}",
            metadata.mode(),
            metadata.uid(),
            metadata.gid()
        ));
    }
    found.sort();
    found
}

/// Bytes that do not compress and differ with `seed`.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}
