//! Commands of the terminal alone: the facade knows nothing of them, or needs no configuration for
//! them.

use std::{io::Write, path::PathBuf};

use clap::Subcommand;
use seaworthy::{
    Outcome, Reply,
    command::{ConfigCheckResult, KeygenRequest, check_file, keygen},
    core::Context,
    init::InitRequest,
};

use crate::{arguments::command_line, ask, finish::Finish, global::Global, load_test, logs};

#[derive(Debug, Subcommand)]
pub(crate) enum Local {
    /// Write a commented seaworthy.toml for what is found on this machine
    ///
    /// It is written to the path in --config or $SEAWORTHY_CONFIG, else to
    /// /etc/seaworthy/seaworthy.toml as root and to ./seaworthy.toml for other users; an existing
    /// file is never overwritten.
    Init {
        /// Do not ask: include everything that is found
        #[arg(long)]
        yes: bool,
    },
    /// Check the configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make a key pair, to encrypt (age) or to sign (sign), and print the public key
    Keygen(KeygenRequest),
    /// Read, follow, filter and count logs, or clean old ones
    #[command(display_order = 500)]
    Logs(logs::Logs),
    /// Load an HTTP server and measure what its users would see
    #[command(display_order = 501)]
    LoadTest(load_test::LoadTestArguments),
    /// Print completions for a shell
    #[command(display_order = 502)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(display_order = 503)]
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check that the file is valid
    Check,
    /// Print the JSON Schema of the file, for editors
    Schema {
        /// Print the schema of the documents that --json prints instead
        #[arg(long, conflicts_with = "of_events")]
        output: bool,
        /// Print the schema of the result of `status` instead
        #[arg(long, alias = "status", conflicts_with_all = ["output", "of_events"])]
        of_status: bool,
        /// Print the schema of the lines that --events writes instead
        #[arg(long)]
        of_events: bool,
    },
}

impl Local {
    /// Its name in documents.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Init { .. } => "init",
            Self::Config(ConfigCommand::Check) => "config check",
            Self::Config(ConfigCommand::Schema { .. }) => "config schema",
            Self::Keygen(_) => KeygenRequest::NAME,
            Self::Logs(_) => "logs",
            Self::LoadTest(_) => "load-test",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }

    /// Does it.
    pub(crate) async fn run(self, global: &Global, finish: &Finish<'_>, cx: &Context) -> Outcome {
        match self {
            Self::Init { yes } => {
                let file = new_file(global);
                let choose = |found: &_| ask::parts(found, &file, yes);
                finish.with(seaworthy::init::init(&InitRequest::new(&file), &choose, cx).await)
            }
            Self::Config(ConfigCommand::Check) => {
                let checked: Reply<ConfigCheckResult> = match global.file() {
                    Ok(path) => check_file(&path),
                    Err(error) => error.into(),
                };
                finish.with(checked)
            }
            Self::Config(ConfigCommand::Schema { output, of_status, of_events }) => {
                let schema = match (output, of_status, of_events) {
                    (true, _, _) => seaworthy::document_schema(),
                    (_, true, _) => seaworthy::status::schema(),
                    (_, _, true) => seaworthy::event_schema(),
                    _ => seaworthy::config::schema(),
                };
                let mut text = serde_json::to_vec_pretty(&schema).unwrap_or_default();
                text.push(b'\n');
                print_raw(&text)
            }
            Self::Keygen(request) => finish.with(keygen(&request)),
            Self::Logs(arguments) => logs::run(arguments, global, finish, cx).await,
            Self::LoadTest(arguments) => load_test::run(arguments, finish, cx).await,
            Self::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut command_line(), "seaworthy", &mut text);
                print_raw(&text)
            }
            Self::Man => {
                let mut text = Vec::new();
                let made = manual(&mut text);
                if made.is_ok() { print_raw(&text) } else { Outcome::Failed }
            }
        }
    }
}

/// The given file, else that of the machine for root, else one in the current folder.
fn new_file(global: &Global) -> PathBuf {
    let named = global.config.clone();
    let named = named.or_else(|| std::env::var_os("SEAWORTHY_CONFIG").map(Into::into));
    named.unwrap_or_else(seaworthy::init::usual_file)
}

/// The manual pages of the program and of each command, one after another.
fn manual(out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut command = command_line().disable_help_subcommand(true);
    command.build();
    clap_mangen::Man::new(command.clone()).render(out)?;
    for sub in command.get_subcommands() {
        clap_mangen::Man::new(sub.clone())
            .title(format!("seaworthy-{}", sub.get_name()))
            .render(out)?;
    }
    Ok(())
}

fn print_raw(text: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Outcome::Failed,
        _ => Outcome::Done,
    }
}
