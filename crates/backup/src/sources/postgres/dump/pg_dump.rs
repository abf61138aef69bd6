//! `pg_dump` and `pg_dumpall` as child processes: found, checked, run, and read with limits.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use bytes::{Bytes, BytesMut};
use seaworthy_core::{Error, ErrorKind, Result, StderrTail};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    sync::mpsc,
    task::JoinHandle,
};

use crate::sources::postgres::connect::options::ConnectOptions;

/// How much of a program's output is read at once, and how many such pieces wait in memory.
const CHUNK: usize = 256 << 10;
const CHUNKS: usize = 64;

/// A program of PostgreSQL that was found.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    major: u32,
}

impl Program {
    /// Whether this `pg_dump` makes large objects before the rows: since version 17 it does so with
    /// their contents, which are not requested from it.
    pub(crate) fn makes_large_objects(&self) -> bool {
        self.major < 17
    }
}

/// Finds `name` (or takes `program`), whose major version must be at least the server's.
///
/// Without a `program`, the folders of Debian's and of PostgreSQL's own packages are searched too,
/// where several versions are installed side by side. The server's own version there comes first:
/// Debian's program in `PATH` is a script that takes a while to choose one.
pub(crate) async fn find(program: Option<&Path>, name: &str, server: u32) -> Result<Program> {
    let wanted = server / 10_000;
    let remedy = format!(
        "install it (`apt-get install postgresql-client-{wanted}`) or set its path with \
         `{name} = \"/path/to/{name}\"`"
    );
    let packaged = |major: u32| {
        [
            PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/{name}")),
            PathBuf::from(format!("/usr/pgsql-{major}/bin/{name}")),
        ]
    };
    let candidates: Vec<PathBuf> = match program {
        Some(program) => vec![program.to_owned()],
        None => packaged(wanted)
            .into_iter()
            .chain([PathBuf::from(name)])
            .chain((wanted + 1..wanted + 8).flat_map(packaged))
            .collect(),
    };
    let mut oldest: Option<(PathBuf, u32)> = None;
    for candidate in candidates {
        match major_version(&candidate).await {
            Some(major) if major >= wanted => return Ok(Program { path: candidate, major }),
            Some(major) => {
                oldest.get_or_insert((candidate, major));
            }
            None => {}
        }
    }
    let message = match (oldest, program) {
        (Some((path, major)), _) => format!(
            "{} has version {major}, which is older than the server's version {wanted}",
            path.display()
        ),
        (None, Some(program)) => format!("{} cannot be run", program.display()),
        (None, None) => format!("{name} is not installed"),
    };
    Err(Error::new(ErrorKind::Command, "postgres.dump", message).remedy_is(remedy))
}

/// The major version that `program --version` prints.
async fn major_version(program: &Path) -> Option<u32> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok().filter(|_| output.status.success())
}

/// A running program whose standard output is read ahead, up to 16 MiB. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Output {
    chunks: mpsc::Receiver<Result<Bytes>>,
    first: Option<Bytes>,
    task: JoinHandle<()>,
}

impl Drop for Output {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Output {
    /// Starts `program`, which reaches the database of `options` through its environment alone: a
    /// password is never in its arguments.
    pub(crate) fn start(
        program: &Path,
        arguments: Vec<String>,
        options: &ConnectOptions,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in options.child_environment() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let name = program.display().to_string();
        let mut child = command.spawn().map_err(|e| {
            Error::new(ErrorKind::Command, "postgres.dump", format!("cannot start {name}"))
                .caused_by(e)
        })?;
        let (sender, chunks) = mpsc::channel(CHUNKS);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let task = tokio::spawn(async move {
            let (_, errors) = tokio::join!(forward(stdout, &sender), read_tail(stderr));
            let failure = match child.wait().await {
                Ok(status) if status.success() => {
                    if !errors.is_empty() {
                        tracing::warn!(program = name, "{errors}");
                    }
                    return;
                }
                Ok(status) => format!("{name} failed ({status}): {errors}"),
                Err(error) => format!("cannot wait for {name}: {error}"),
            };
            // Without a receiver the error is not needed.
            let error = Error::new(ErrorKind::Command, "postgres.dump", failure);
            let _ = sender.send(Err(error)).await;
        });
        Ok(Self { chunks, first: None, task })
    }

    /// Waits for the first output: a program that got so far has all its locks.
    pub(crate) async fn started(&mut self) -> Result<&[u8]> {
        if self.first.is_none() {
            self.first = Some(self.chunks.recv().await.transpose()?.unwrap_or_default());
        }
        Ok(self.first.as_deref().unwrap_or_default())
    }

    /// The next piece of output; at the end, `None` if the program succeeded.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.chunks.recv().await.transpose(),
        }
    }
}

async fn forward(pipe: Option<impl AsyncRead + Unpin>, sender: &mpsc::Sender<Result<Bytes>>) {
    let Some(mut pipe) = pipe else { return };
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let mut ended = false;
        while buffer.len() < CHUNK {
            // A broken pipe ends the output; the exit status says whether that was a failure.
            if pipe.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                ended = true;
                break;
            }
        }
        if !buffer.is_empty() && sender.send(Ok(buffer.freeze())).await.is_err() {
            return;
        }
        if ended {
            return;
        }
    }
}

/// The end of what `pipe` says, as text without control characters.
async fn read_tail(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut tail = StderrTail::default();
    if let Some(mut pipe) = pipe {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
            tail.push(&buffer[..n]);
        }
    }
    tail.into_text()
}
