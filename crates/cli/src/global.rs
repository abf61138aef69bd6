//! What is said to every command: the file, and how to speak.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};
use seaworthy::{
    Config, Seaworthy,
    core::{CommandLine, Result},
};

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The configuration file [default: $SEAWORTHY_CONFIG, ./seaworthy.toml,
    /// /etc/seaworthy/seaworthy.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document, also on failure
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more; give it twice for debug output
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: When,
    /// Show no progress bars
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Append events as lines of JSON to this file; - is standard error
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) events: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

impl Global {
    /// The configuration file that is meant.
    pub(crate) fn file(&self) -> Result<PathBuf> {
        let variable = std::env::var_os("SEAWORTHY_CONFIG");
        let found =
            seaworthy::config::find(self.config.as_deref(), variable.as_deref().map(Path::new));
        found.map_err(|error| error.remedy_is("name one with --config FILE or SEAWORTHY_CONFIG"))
    }

    /// What the configuration file describes.
    pub(crate) fn open(&self) -> Result<Seaworthy> {
        let file = self.file()?;
        let seaworthy = Seaworthy::open(Config::load(&file)?, std::env::vars_os().collect())?;
        Ok(match (std::env::current_exe(), std::path::absolute(&file)) {
            (Ok(program), Ok(file)) => {
                let words = [program.into_os_string(), "--config".into(), file.into_os_string()];
                let words = words.map(|word| word.to_string_lossy().into_owned());
                seaworthy.with_program(CommandLine::new(words)?)
            }
            _ => seaworthy,
        })
    }
}
