//! A command's standard output as a source: `redis-cli --rdb -`, `mysqldump`, ….

use std::{path::PathBuf, process::Stdio, time::Duration};

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Result, Secret, StderrTail};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    task::JoinSet,
};

use crate::{
    format::{PayloadKind, SourceSummary},
    payload::{SEGMENT_SIZE, Segment, SegmentSender},
    sources::{BackupSource, is_known},
};

/// A command whose standard output is stored as it comes.
///
/// It fails the snapshot unless it exits with 0 and writes some output. The command is not run
/// through a shell, and its child processes are ended with it.
#[derive(Clone, Debug)]
pub struct CommandSource {
    command: CommandLine,
    kind: PayloadKind,
    directory: Option<PathBuf>,
    environment: Vec<(String, Secret)>,
    time_limit: Option<Duration>,
}

impl CommandSource {
    /// The output of `command`, stored under the name `name` (`dump.rdb`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a name that cannot be part of an object's name, or is one of
    /// Seaworthy's own kinds of payload.
    pub fn new(command: CommandLine, name: &str) -> Result<Self> {
        let kind = PayloadKind::new(name)?;
        if is_known(&kind) {
            let message = format!("a command's output cannot be called {name:?}");
            return Err(Error::new(ErrorKind::InvalidInput, "command.dump", message)
                .remedy_is(format!("choose a descriptive name, such as \"dump.{name}\"")));
        }
        Ok(Self { command, kind, directory: None, environment: Vec::new(), time_limit: None })
    }

    /// Runs it in `directory`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the environment variable `name` for it.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: Secret) -> Self {
        self.environment.push((name.into(), value));
        self
    }

    /// Stops it, and fails, if it takes longer than `limit`.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    fn fail(&self, why: &str) -> Error {
        Error::new(ErrorKind::Source, "command.dump", format!("{} {why}", self.command))
    }

    fn start(&self) -> Result<Running> {
        let mut command = Command::new(self.command.program());
        command
            .args(self.command.arguments())
            .envs(self.environment.iter().map(|(name, value)| (name, value.expose())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let child = command.spawn().map_err(|e| {
            let program = self.command.program();
            self.fail("cannot be started").caused_by(e).remedy_is(format!(
                "is {program} installed and in PATH, and does its folder exist?"
            ))
        })?;
        Ok(Running(child))
    }

    /// Sends all of its output, and waits for its successful exit.
    async fn stream(&self, running: &mut Running, out: &SegmentSender) -> Result<u64> {
        let (stdout, stderr) = (running.0.stdout.take(), running.0.stderr.take());
        let (sent, errors) = tokio::join!(send(stdout, out), read_tail(stderr));
        let sent = sent?;
        let status = running.0.wait().await;
        let status = status.map_err(|e| self.fail("cannot be waited for").caused_by(e))?;
        if !status.success() {
            let errors = if errors.is_empty() { errors } else { format!("\n  {errors}") };
            return Err(self.fail(&format!("failed: {status}{errors}")));
        }
        if sent == 0 {
            return Err(self.fail("produced no output").remedy_is("is it the right command?"));
        }
        Ok(sent)
    }
}

#[async_trait]
impl BackupSource for CommandSource {
    fn payload(&self) -> PayloadKind {
        self.kind.clone()
    }

    async fn dump(&self, out: SegmentSender, cx: &Context) -> Result<SourceSummary> {
        let mut running = self.start()?;
        let limit = async {
            match self.time_limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let bytes = tokio::select! {
            sent = self.stream(&mut running, &out) => sent?,
            () = cx.cancel().triggered() => return Err(Error::cancelled("command.dump")),
            () = limit => {
                let seconds = self.time_limit.unwrap_or_default().as_secs();
                return Err(self.fail(&format!("did not end within {seconds} s")));
            }
        };
        Ok(SourceSummary { files: 1, bytes, ..SourceSummary::default() })
    }
}

/// A running command. Dropping it stops it together with its child processes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has an id until it was waited for: the process group cannot have been reused.
        let group = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Sends everything read from `pipe` and returns how many bytes that were. Pieces are compressed
/// while the next one is read.
async fn send(pipe: Option<impl AsyncRead + Unpin>, out: &SegmentSender) -> Result<u64> {
    let Some(mut pipe) = pipe else { return Ok(0) };
    let (mut sent, mut workers) = (0, JoinSet::new());
    loop {
        let slot = out.reserve().await?;
        let mut data = out.buffer();
        while data.len() < SEGMENT_SIZE {
            let mut rest = (&mut pipe).take((SEGMENT_SIZE - data.len()) as u64);
            // A broken pipe ends the output; the exit status says whether that was a failure.
            if rest.read_buf(&mut data).await.unwrap_or(0) == 0 {
                break;
            }
        }
        let (len, ended) = (data.len() as u64, data.len() < SEGMENT_SIZE);
        sent += len;
        let segment = Segment { data, entries: Vec::new(), progress_bytes: len };
        workers.spawn_blocking(move || slot.fill(segment));
        while let Some(done) = workers.try_join_next() {
            done.map_err(panicked)??;
        }
        if ended {
            break;
        }
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(panicked)??;
    }
    Ok(sent)
}

async fn read_tail(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut tail = StderrTail::default();
    if let Some(mut pipe) = pipe {
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
            tail.push(&buffer[..n]);
        }
    }
    tail.into_text().replace('\n', "\n  ")
}

fn panicked(source: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "command.dump", "a worker panicked").caused_by(source)
}
