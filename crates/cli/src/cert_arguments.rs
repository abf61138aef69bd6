//! The command line of `cert`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use seaworthy::{command::Target, core::Name, tls::RevocationReason};

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Get certificates that are missing or due: all of them when none is named
    Issue(Run),
    /// The same for timers: after a failure it waits before it tries again
    Renew {
        #[command(flatten)]
        run: Run,
        /// End with 4 instead of 0 when nothing had to be done
        #[arg(long)]
        detailed_exit_code: bool,
    },
    /// List the certificates
    List,
    /// Show certificates: all of them when none is named
    Show {
        /// The certificates
        #[arg(value_name = "NAME")]
        names: Vec<Name>,
    },
    /// Are certificates good, and are they what visitors see?
    Check {
        /// Certificates of the file, or any server as host:port
        #[arg(value_name = "NAME|HOST:PORT")]
        targets: Vec<Target>,
    },
    /// Make certificates invalid for ever
    Revoke {
        /// The certificates
        #[arg(value_name = "NAME", required = true)]
        names: Vec<Name>,
        /// Why
        #[arg(long, default_value = "unspecified")]
        reason: Why,
    },
    /// Take over certbot's certificates and accounts, and print the settings that do the same
    ImportCertbot {
        /// The certificates: all of them when none is named
        #[arg(value_name = "NAME")]
        names: Vec<Name>,
        /// certbot's folder
        #[arg(long, value_name = "DIR", default_value = "/etc/letsencrypt")]
        from: PathBuf,
        /// Change nothing
        #[arg(long)]
        dry_run: bool,
        /// Give accounts with RSA keys a new key at the authority: they are ours then, and certbot
        /// cannot use them any more
        #[arg(long)]
        roll_over: bool,
    },
    /// Remove certificates that nothing uses
    Cleanup {
        /// Remove nothing and say what would be removed
        #[arg(long)]
        dry_run: bool,
        /// Look for names of certificates in this folder too, beside /etc/nginx and the like
        #[arg(long, value_name = "DIR")]
        look_in: Vec<PathBuf>,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Run {
    /// The certificates
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<Name>,
    /// Do everything against the directories for trying out, and store nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Use the directories for trying out: no browser trusts what they issue
    #[arg(long)]
    pub(crate) staging: bool,
    /// Whether or not one is due; use the last slot of a limit
    #[arg(long)]
    pub(crate) force: bool,
    /// Take what is only likely to fail as certain
    #[arg(long)]
    pub(crate) strict: bool,
    /// Ask at once, without looking first whether it can work
    #[arg(long, conflicts_with = "strict")]
    pub(crate) skip_checks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Why {
    Unspecified,
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
}

impl From<Why> for RevocationReason {
    fn from(why: Why) -> Self {
        match why {
            Why::Unspecified => Self::Unspecified,
            Why::KeyCompromise => Self::KeyCompromise,
            Why::AffiliationChanged => Self::AffiliationChanged,
            Why::Superseded => Self::Superseded,
            Why::CessationOfOperation => Self::CessationOfOperation,
        }
    }
}

impl CertCommand {
    /// Its name in documents.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Issue(_) => "cert issue",
            Self::Renew { .. } => "cert renew",
            Self::List => "cert list",
            Self::Show { .. } => "cert show",
            Self::Check { .. } => "cert check",
            Self::Revoke { .. } => "cert revoke",
            Self::ImportCertbot { .. } => "cert import-certbot",
            Self::Cleanup { .. } => "cert cleanup",
        }
    }
}
