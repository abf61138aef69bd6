//! Commands: an argv list, never a shell string.

use std::{collections::VecDeque, fmt, process::Stdio, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process,
};

use crate::{Context, Error, ErrorKind, Result};

/// How much of a command's standard error an error message carries, in bytes.
const STDERR_TAIL: usize = 2048;

/// How much of a command's standard output is kept, in bytes.
const STDOUT_MOST: usize = 4 << 20;

/// How long a command that has ended may still be read from.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A program and its arguments, as the operating system takes them. No shell reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// A command line. The first word is the program.
    pub fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        Self::try_from(words.into_iter().map(Into::into).collect::<Vec<_>>())
    }

    /// The program.
    pub fn program(&self) -> &str {
        &self.0[0]
    }

    /// The arguments.
    pub fn arguments(&self) -> &[String] {
        &self.0[1..]
    }

    /// Runs it with no standard input and returns its standard output, at most 4 MiB of it. It is
    /// killed when `cx` is cancelled, after `limit`, and when the future is dropped.
    ///
    /// Fails with [`ErrorKind::Command`] when it cannot be started, exits with a code other than 0
    /// or is ended by a signal; the message ends with the last lines of its standard error.
    pub async fn run(&self, cx: &Context, limit: Option<Duration>) -> Result<Vec<u8>> {
        self.run_with(None, cx, limit).await
    }

    /// The same with `input` on its standard input. It is not an error if the command does not read
    /// all of it.
    pub async fn run_with_input(
        &self,
        input: Vec<u8>,
        cx: &Context,
        limit: Option<Duration>,
    ) -> Result<Vec<u8>> {
        self.run_with(Some(input), cx, limit).await
    }

    async fn run_with(
        &self,
        input: Option<Vec<u8>>,
        cx: &Context,
        limit: Option<Duration>,
    ) -> Result<Vec<u8>> {
        let mut child = process::Command::new(self.program())
            .args(self.arguments())
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| {
                Error::new(ErrorKind::Command, "command.run", format!("cannot start {self}"))
                    .caused_by(source)
                    .remedy_is(format!("is {} installed and in PATH?", self.program()))
            })?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut out, mut errors) = (Vec::new(), StderrTail::default());
        let work = async {
            let read = async {
                tokio::join!(
                    write_all(stdin, input.unwrap_or_default()),
                    read_up_to(stdout, &mut out),
                    read_tail(stderr, &mut errors)
                )
            };
            tokio::pin!(read);
            let status = tokio::select! {
                status = child.wait() => {
                    // A daemon that it left behind may hold the pipes open forever.
                    let _ = tokio::time::timeout(LAST_WORDS, &mut read).await;
                    status
                }
                _ = &mut read => child.wait().await,
            };
            status.map_err(|e| Error::io("command.run", "cannot wait", e))
        };
        let timer = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let status = tokio::select! {
            result = work => result?,
            () = cx.cancel().triggered() => return Err(Error::cancelled("command.run")),
            () = timer => {
                let limit = limit.unwrap_or_default().as_secs();
                let message = format!("{self} did not end within {limit} s");
                return Err(Error::new(ErrorKind::TimedOut, "command.run", message));
            }
        };
        if status.success() {
            return Ok(out);
        }
        let errors = errors.into_text();
        let mut message = format!("{self} failed: {status}");
        if !errors.is_empty() {
            message.push_str("\n  ");
            message.push_str(&errors.replace('\n', "\n  "));
        }
        Err(Error::new(ErrorKind::Command, "command.run", message))
    }
}

/// Writes what the program reads, and closes the pipe.
async fn write_all(pipe: Option<process::ChildStdin>, input: Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    // A program may stop reading early; its exit status says whether it failed.
    let _ = pipe.write_all(&input).await;
}

/// Reads the first [`STDOUT_MOST`] bytes and discards the rest.
async fn read_up_to(pipe: Option<impl AsyncRead + Unpin>, out: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; 4096];
    // A broken pipe ends the output; the exit status says whether that was a failure.
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        let room = STDOUT_MOST - out.len();
        out.extend_from_slice(&buffer[..n.min(room)]);
    }
}

/// Reads to the end and keeps the last of it.
async fn read_tail(pipe: Option<impl AsyncRead + Unpin>, tail: &mut StderrTail) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        tail.push(&buffer[..n]);
    }
}

/// The end of a program's standard error: as much as an error message carries.
#[derive(Clone, Debug, Default)]
pub struct StderrTail(VecDeque<u8>);

impl StderrTail {
    /// Adds the next piece of output.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        self.0.drain(..self.0.len().saturating_sub(STDERR_TAIL));
    }

    /// The last 2 KiB as text, without control characters other than newlines.
    pub fn into_text(mut self) -> String {
        let text = String::from_utf8_lossy(self.0.make_contiguous()).into_owned();
        text.trim_end().chars().filter(|c| *c == '\n' || !c.is_control()).collect()
    }
}

/// For people: words that a shell would split or interpret are quoted.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

impl TryFrom<Vec<String>> for CommandLine {
    type Error = Error;

    fn try_from(words: Vec<String>) -> Result<Self> {
        let invalid = |message: &str| {
            Error::new(ErrorKind::InvalidInput, "command", message)
                .remedy_is("write [\"program\", \"argument\", …]")
        };
        if words.first().is_none_or(String::is_empty) {
            return Err(invalid("a command needs a program"));
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(invalid("a command cannot contain a NUL character"));
        }
        Ok(Self(words))
    }
}

impl From<CommandLine> for Vec<String> {
    fn from(command: CommandLine) -> Self {
        command.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> CommandLine {
        CommandLine::new(words.iter().copied()).unwrap()
    }

    #[tokio::test]
    async fn gives_back_the_output() {
        let out = command(&["printf", "%s", "a b"]).run(&Context::new(), None).await.unwrap();
        assert_eq!(out, b"a b");
    }

    #[tokio::test]
    async fn is_given_its_input_whether_or_not_it_reads_it() {
        let input = "x".repeat(1 << 20).into_bytes();
        let out = command(&["wc", "-c"]).run_with_input(input.clone(), &Context::new(), None).await;
        assert_eq!(out.unwrap().trim_ascii(), b"1048576");
        command(&["true"]).run_with_input(input, &Context::new(), None).await.unwrap();
    }

    #[tokio::test]
    async fn a_failure_carries_the_exit_status_and_the_end_of_standard_error() {
        let failing = command(&["sh", "-c", "echo lost >&2; exit 7"]);
        let error = failing.run(&Context::new(), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Command);
        let text = error.to_string();
        assert!(text.contains("exit status: 7") && text.contains("lost"), "{text}");
    }

    #[tokio::test]
    async fn is_killed_after_its_limit_and_when_cancelled() {
        let sleeping = command(&["sleep", "60"]);
        let limit = Some(Duration::from_millis(20));
        let error = sleeping.run(&Context::new(), limit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let cx = Context::new();
        cx.cancel().trigger();
        let error = sleeping.run(&cx, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }

    #[tokio::test]
    async fn a_daemon_that_it_leaves_behind_holds_nothing_up() {
        let starter = command(&["sh", "-c", "sleep 600 & echo started $!"]);
        let out = starter.run(&Context::new(), None).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        let daemon = text.trim().strip_prefix("started ").unwrap().to_owned();
        command(&["kill", &daemon]).run(&Context::new(), None).await.unwrap();
    }

    #[test]
    fn prints_as_a_shell_would_read_it() {
        assert_eq!(command(&["a", "b c", "d'e", ""]).to_string(), r"a 'b c' 'd'\''e' ''");
        assert!(CommandLine::new(Vec::<String>::new()).is_err());
    }
}
