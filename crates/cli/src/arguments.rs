//! The command line: the commands of the facade, those of the terminal alone, and what the terminal
//! adds to some.

use std::ffi::OsString;

use clap::{ArgGroup, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use seaworthy::{
    command::{Command, Named},
    core::{Error, ErrorKind},
};

use crate::{global::Global, local::Local, status::StatusArguments};

/// Backups that are proved to restore and a web server that is proved to serve, from one typed
/// file.
#[derive(Debug, Parser)]
#[command(name = "seaworthy", version, propagate_version = false, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Given,
}

/// The command that was given.
#[derive(Debug, Subcommand)]
pub(crate) enum Given {
    #[command(flatten)]
    Local(Local),
    #[command(flatten)]
    Request(Command),
}

/// A flag of commands that may have nothing to do.
#[derive(Debug, Args)]
struct DetailedExitCode {
    /// Exit with 4 instead of 0 if nothing had to be done
    #[arg(long)]
    detailed_exit_code: bool,
}

/// Who leaves `--from` out must mean it.
#[derive(Debug, Args)]
struct Rollback {
    /// The release before the current one
    #[arg(long)]
    rollback: bool,
}

/// Options of the given command that are not part of its request.
#[derive(Debug)]
pub(crate) struct Additions(ArgMatches);

impl Given {
    /// Its name in documents.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Local(local) => local.name(),
            Self::Request(request) => request.name(),
        }
    }
}

impl Additions {
    /// Whether the exit code says that nothing had to be done.
    pub(crate) fn detailed_exit_code(&self) -> bool {
        let said = self.0.try_get_one::<bool>("detailed_exit_code");
        said.ok().flatten().copied().unwrap_or(false)
    }

    /// What was said to the command that has all of `T`.
    pub(crate) fn get<T: FromArgMatches>(&self) -> Result<T, clap::Error> {
        T::from_arg_matches(&self.0)
    }
}

/// `command` with the arguments of `T` too; what is said about it stays.
fn added<T: Args>(command: clap::Command) -> clap::Command {
    let about = command.get_about().cloned().unwrap_or_default();
    T::augment_args(command).about(about)
}

/// The whole command line.
pub(crate) fn command_line() -> clap::Command {
    let detailed = added::<DetailedExitCode>;
    let in_group = |command: clap::Command, group, name| {
        command.mut_subcommand(group, |command| command.mut_subcommand(name, detailed))
    };
    let mut command = Arguments::command()
        .mut_subcommand("apply", detailed)
        .mut_subcommand("run", detailed)
        .mut_subcommand("status", added::<StatusArguments>)
        .mut_subcommand("deploy", |deploy| {
            let either = ArgGroup::new("what").required(true).args(["from", "rollback"]);
            added::<Rollback>(deploy).group(either)
        });
    for (group, name) in [("cert", "renew"), ("proxy", "apply"), ("service", "apply")] {
        command = in_group(command, group, name);
    }
    command
}

/// What `words` say.
pub(crate) fn parse(words: &[OsString]) -> Result<(Arguments, Additions), clap::Error> {
    let matches = command_line().try_get_matches_from(words)?;
    let arguments = Arguments::from_arg_matches(&matches)?;
    let mut own = &matches;
    while let Some((_, below)) = own.subcommand() {
        own = below;
    }
    Ok((arguments, Additions(own.clone())))
}

/// The error of a command line that is wrong.
pub(crate) fn wrong(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    Error::new(ErrorKind::InvalidInput, "command_line", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command_line().debug_assert();
    }

    #[test]
    fn a_command_is_described_as_the_facade_describes_it() {
        use clap::Subcommand as _;
        let facade = Command::augment_subcommands(clap::Command::new("facade"));
        let ours = command_line();
        let about = |command: &clap::Command| command.get_about().map(ToString::to_string);
        for command in facade.get_subcommands() {
            let same = ours.find_subcommand(command.get_name()).unwrap();
            assert_eq!(about(same), about(command));
            for one in command.get_subcommands() {
                let same = same.find_subcommand(one.get_name()).unwrap();
                assert_eq!(about(same), about(one));
            }
        }
    }

    #[test]
    fn what_the_terminal_adds_is_read_where_it_was_said() {
        let parse = |line: &str| {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            parse(&words).map(|(arguments, more)| (arguments.command.name(), more))
        };
        for name in ["run", "apply", "cert renew", "proxy apply", "service apply"] {
            let (found, more) = parse(&format!("seaworthy {name} --detailed-exit-code")).unwrap();
            assert_eq!((found, more.detailed_exit_code()), (name, true));
            let (_, more) = parse(&format!("seaworthy {name}")).unwrap();
            assert!(!more.detailed_exit_code());
        }
        assert!(parse("seaworthy backup --detailed-exit-code").is_err());
        assert!(!parse("seaworthy backup").unwrap().1.detailed_exit_code());
        assert!(parse("seaworthy deploy app").is_err(), "it says what comes into use");
        assert!(parse("seaworthy deploy app --rollback --from x").is_err());
        assert!(parse("seaworthy deploy app --rollback").is_ok());
        assert!(parse("seaworthy status --watch --every 5s").is_ok());
    }
}
