//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use seaworthy::{SnapshotName, core::Name};

/// Backups that are proved to restore and a web server that is proved to serve, from one typed
/// file.
#[derive(Debug, Parser)]
#[command(name = "seaworthy", version, propagate_version = false, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The configuration file [default: $SEAWORTHY_CONFIG, ./seaworthy.toml,
    /// /etc/seaworthy/seaworthy.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document, also on failure
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; twice for what only developers want to know
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: When,
    /// Show no progress bars
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Write what happens as lines of JSON to the end of this file; - is standard error
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) events: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented seaworthy.toml for what is found on this machine
    ///
    /// It is written where --config or $SEAWORTHY_CONFIG says, else to
    /// /etc/seaworthy/seaworthy.toml as root and to ./seaworthy.toml as anybody else; a file that is
    /// there is never overwritten.
    Init {
        /// Do not ask: everything that is found
        #[arg(long)]
        yes: bool,
    },
    /// Look at the configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run backup jobs: all of them when none is named
    Backup {
        /// The jobs
        #[arg(value_name = "JOB")]
        jobs: Vec<Name>,
        /// Store nothing and say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Take what looks suspicious, such as an empty source, as right
        #[arg(long)]
        accept: bool,
    },
    /// List snapshots, newest first, per sink
    Snapshots {
        /// The jobs; all of them when none is named
        #[arg(value_name = "JOB")]
        jobs: Vec<Name>,
        #[command(flatten)]
        host: OfHost,
    },
    /// Show what one snapshot holds
    Show {
        /// The snapshot: ID is `latest` or any unambiguous beginning
        #[arg(value_name = "JOB[@ID]")]
        snapshot: SnapshotName,
        /// List its files too, without reading the payloads
        #[arg(long)]
        files: bool,
        /// List its databases and tables too, with their rows
        #[arg(long)]
        tables: bool,
        #[command(flatten)]
        identities: IdentityFiles,
        #[command(flatten)]
        host: OfHost,
    },
    /// Read every byte of a snapshot back and check it
    Verify {
        /// The snapshots; the latest of each job when none is named
        #[arg(value_name = "JOB[@ID]")]
        snapshots: Vec<SnapshotName>,
        /// Only in this sink
        #[arg(long)]
        sink: Option<Name>,
        /// Read only a part of it, such as 10%
        #[arg(long, value_name = "PERCENT", value_parser = percent)]
        sample: Option<f64>,
        /// Make a lost index anew from the payloads
        #[arg(long, conflicts_with = "sample")]
        rebuild_index: bool,
        #[command(flatten)]
        identities: IdentityFiles,
        #[command(flatten)]
        host: OfHost,
    },
    /// Restore a snapshot into a throw-away place, compare it with its index and remove it again
    Drill {
        /// The snapshots; the latest of each job when none is named
        #[arg(value_name = "JOB[@ID]")]
        snapshots: Vec<SnapshotName>,
        /// From this sink
        #[arg(long)]
        sink: Option<Name>,
        #[command(flatten)]
        host: OfHost,
    },
    /// Restore a snapshot, or a part of it
    Restore(Restore),
    /// Apply the retention policy, with a reason for each decision
    Prune {
        /// The jobs; all of them when none is named
        #[arg(value_name = "JOB")]
        jobs: Vec<Name>,
        /// Remove nothing and say what would be removed
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        host: OfHost,
    },
    /// Copy snapshots that other sinks of the jobs still lack
    Sync {
        /// The jobs; all of them when none is named
        #[arg(value_name = "JOB")]
        jobs: Vec<Name>,
    },
    /// Protect a snapshot from prune
    Pin {
        /// The snapshot
        #[arg(value_name = "JOB@ID")]
        snapshot: SnapshotName,
    },
    /// Take a snapshot's protection from prune away
    Unpin {
        /// The snapshot
        #[arg(value_name = "JOB@ID")]
        snapshot: SnapshotName,
    },
    /// Make a key pair, to encrypt (age) or to sign (sign), and print the public half
    Keygen {
        /// What it is for
        #[arg(value_name = "age|sign", hide_possible_values = true)]
        kind: KeygenKind,
        /// Write the secret half to this new file; without it everything is printed
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// How backups, certificates, sites, services and disks do. Ends with 1 when something is wrong
    Status(crate::status::StatusArguments),
    /// Read, follow, filter and count logs, or clean old ones
    Logs(crate::logs::Logs),
    /// Load an HTTP server and measure what its users would see
    LoadTest(crate::load_test::LoadTestArguments),
    /// Run services: render, check, compare, install, start, stop, restart, look
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Bring a new version of a service into use, or the one before
    #[command(group(clap::ArgGroup::new("what").required(true).args(["from", "rollback"])))]
    Deploy {
        /// The service
        service: Name,
        /// The folder or the archive with its files
        #[arg(long, value_name = "DIR|ARCHIVE")]
        from: Option<PathBuf>,
        /// The release before the present one
        #[arg(long)]
        rollback: bool,
    },
    /// Certificates: issued, renewed, deployed, and proved to be served
    #[command(subcommand)]
    Cert(CertCommand),
    /// Configure the web server: render, check, compare, install, switch pools
    #[command(subcommand)]
    Proxy(ProxyCommand),
    /// Bring this machine to what the file says: web server, certificates, services, timer
    Apply {
        /// Change nothing, and show every file and command
        #[arg(long)]
        dry_run: bool,
        /// End with 4 instead of 0 when nothing had to be done
        #[arg(long)]
        detailed_exit_code: bool,
        #[command(flatten)]
        kind: ServiceType,
        #[command(flatten)]
        place: UnitFolder,
    },
    /// Do everything that is due now: what one timer calls
    Run {
        /// Do nothing and say what is due, and what is next
        #[arg(long)]
        dry_run: bool,
        /// End with 4 instead of 0 when nothing was due
        #[arg(long)]
        detailed_exit_code: bool,
    },
    /// Can each part work here? Everything is tried, nothing is left behind; ends with 1 when
    /// something cannot
    Doctor {
        /// Send each notifier a test message
        #[arg(long)]
        notify: bool,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeygenKind {
    Age,
    Sign,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Is the file right?
    Check,
    /// Print the JSON Schema of the file, for editors
    Schema {
        /// That of the documents that --json prints, instead
        #[arg(long, conflicts_with = "of_events")]
        output: bool,
        /// That of the result of `status`, instead
        #[arg(long, alias = "status", conflicts_with_all = ["output", "of_events"])]
        of_status: bool,
        /// That of the lines that --events writes, instead
        #[arg(long)]
        of_events: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Print the files of the services, or write them into a folder; touches nothing else
    Render {
        #[command(flatten)]
        kind: ServiceType,
        /// Write them into this folder, which holds nothing but rendered files
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Would systemd take the services? Nothing becomes live
    Check {
        #[command(flatten)]
        kind: ServiceType,
        #[command(flatten)]
        place: UnitFolder,
    },
    /// Compare the services with what is installed, hand edits included
    Diff {
        #[command(flatten)]
        kind: ServiceType,
        /// Compare with the files in this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        place: UnitFolder,
    },
    /// Install the services: checked, started and proved to be well, or the old ones back
    Apply {
        #[command(flatten)]
        kind: ServiceType,
        /// Check, and say what would change
        #[arg(long)]
        dry_run: bool,
        /// End with 4 instead of 0 when nothing had to be done
        #[arg(long)]
        detailed_exit_code: bool,
        #[command(flatten)]
        place: UnitFolder,
    },
    /// Start all instances of a service and wait until they are well
    Start {
        /// The service
        name: Name,
    },
    /// Stop all instances of a service
    Stop {
        /// The service
        name: Name,
    },
    /// Restart one instance after the other, each once the one before is well
    Restart {
        /// The service
        name: Name,
    },
    /// Is the service well? Ends with 1 when it is not
    Status {
        /// The services; all of them when none is named
        #[arg(value_name = "NAME")]
        names: Vec<Name>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServiceType {
    /// For which program
    #[arg(long = "type", value_name = "TYPE", default_value = "systemd")]
    pub(crate) kind: ServiceTypeName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceTypeName {
    Systemd,
    Pm2,
    Cron,
    GithubActions,
}

#[derive(Debug, Args)]
pub(crate) struct UnitFolder {
    /// Where systemd or cron looks [default: /etc/systemd/system, /etc/cron.d]
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    /// Print the files of the sites, or write them into a folder; touches nothing else
    Render {
        /// Write them into this folder, which holds nothing but rendered files
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Would nginx take the sites, and are they meant? Nothing becomes live
    Check,
    /// Compare the sites with what lies on disk, hand edits included
    Diff,
    /// Install the sites: checked, served and proved, or the old ones back
    Apply {
        /// Check, and say what would change
        #[arg(long)]
        dry_run: bool,
        /// Leave sites out that nginx refuses, instead of changing nothing
        #[arg(long)]
        keep_going: bool,
        /// End with 4 instead of 0 when nothing had to be done
        #[arg(long)]
        detailed_exit_code: bool,
    },
    /// Use another pool for a site, such as blue or green, without losing a request
    Switch {
        /// The site
        site: Name,
        /// The pool
        to: Name,
    },
}

pub(crate) use crate::cert_arguments::CertCommand;
pub(crate) use crate::snapshot_arguments::{IdentityFiles, OfHost, Restore};

impl Command {
    /// The files of private keys that it was given.
    pub(crate) fn identities(&self) -> Option<&IdentityFiles> {
        match self {
            Self::Show { identities, .. } | Self::Verify { identities, .. } => Some(identities),
            Self::Restore(restore) => Some(&restore.identities),
            _ => None,
        }
    }

    /// The machine whose snapshots are meant, and the jobs that are looked at.
    pub(crate) fn host(&self) -> Option<(&str, Vec<Name>)> {
        let of = |names: &[SnapshotName]| names.iter().map(|name| name.job.clone()).collect();
        let (host, jobs) = match self {
            Self::Snapshots { host, jobs } | Self::Prune { host, jobs, .. } => (host, jobs.clone()),
            Self::Show { host, snapshot, .. } => (host, of(std::slice::from_ref(snapshot))),
            Self::Verify { host, snapshots, .. } | Self::Drill { host, snapshots, .. } => {
                (host, of(snapshots))
            }
            Self::Restore(restore) => (&restore.host, of(std::slice::from_ref(&restore.snapshot))),
            _ => return None,
        };
        Some((host.name.as_deref()?, jobs))
    }

    /// Its name in documents.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Init { .. } => "init",
            Self::Config(ConfigCommand::Check) => "config check",
            Self::Config(ConfigCommand::Schema { .. }) => "config schema",
            Self::Backup { .. } => "backup",
            Self::Snapshots { .. } => "snapshots",
            Self::Show { .. } => "show",
            Self::Verify { .. } => "verify",
            Self::Drill { .. } => "drill",
            Self::Restore(_) => "restore",
            Self::Prune { .. } => "prune",
            Self::Sync { .. } => "sync",
            Self::Pin { .. } => "pin",
            Self::Unpin { .. } => "unpin",
            Self::Keygen { .. } => "keygen",
            Self::Status(_) => "status",
            Self::Logs(_) => "logs",
            Self::LoadTest(_) => "load-test",
            Self::Service(ServiceCommand::Render { .. }) => "service render",
            Self::Service(ServiceCommand::Check { .. }) => "service check",
            Self::Service(ServiceCommand::Diff { .. }) => "service diff",
            Self::Service(ServiceCommand::Apply { .. }) => "service apply",
            Self::Service(ServiceCommand::Start { .. }) => "service start",
            Self::Service(ServiceCommand::Stop { .. }) => "service stop",
            Self::Service(ServiceCommand::Restart { .. }) => "service restart",
            Self::Service(ServiceCommand::Status { .. }) => "service status",
            Self::Deploy { .. } => "deploy",
            Self::Cert(cert) => cert.name(),
            Self::Proxy(ProxyCommand::Render { .. }) => "proxy render",
            Self::Proxy(ProxyCommand::Check) => "proxy check",
            Self::Proxy(ProxyCommand::Diff) => "proxy diff",
            Self::Proxy(ProxyCommand::Apply { .. }) => "proxy apply",
            Self::Proxy(ProxyCommand::Switch { .. }) => "proxy switch",
            Self::Apply { .. } => "apply",
            Self::Run { .. } => "run",
            Self::Doctor { .. } => "doctor",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}

/// `10%` as a part of 1.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    match number {
        Some(number) if number > 0.0 && number <= 100.0 => Ok(number / 100.0),
        _ => Err("write more than 0% and at most 100%, such as 10%".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }
}
