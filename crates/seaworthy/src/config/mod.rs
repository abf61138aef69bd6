//! `seaworthy.toml`: its content, where it is found, and how it is read.

mod check;
mod check_tls;
mod find;
mod load;
mod problem;
mod promised;
#[cfg(feature = "schema")]
mod schema;
mod source;
mod tree;
mod web;

use std::path::PathBuf;

use seaworthy_backup::config::{JobConfig, SinkConfig};
use seaworthy_core::{Named, TimeZone};
use seaworthy_proxy_config::{Proxy, Site, Upstream};
use seaworthy_service_config::Service;
use seaworthy_tls::config::{CaConfig, CertificateConfig, TlsConfig};
use serde::Serialize;

pub use crate::notify::kinds::*;
pub use find::find;
pub(crate) use problem::suggestion;
#[cfg(feature = "schema")]
pub use schema::schema;
use source::Source;

/// The content of `seaworthy.toml`.
///
/// ```
/// use seaworthy::Config;
/// let text = r#"
/// [sink.local]
/// type = "local"
/// path = "backups"
///
/// [backup.nightly]
/// sinks = ["local"]
/// sources.uploads = { type = "files", paths = ["uploads"] }
/// "#;
/// let config = Config::from_text(text, "/etc/seaworthy/seaworthy.toml".as_ref())?;
/// assert_eq!(config.backup.len(), 1);
/// # Ok::<(), seaworthy_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(title = "seaworthy.toml", deny_unknown_fields))]
#[non_exhaustive]
pub struct Config {
    /// The folder for journals, ledgers and locks. Default: $STATE_DIRECTORY, else
    /// /var/lib/seaworthy as root, else $XDG_STATE_HOME/seaworthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<PathBuf>,
    /// The time zone of schedules, retention and output for people. Default: the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<TimeZone>,
    /// Places for snapshots.
    #[serde(default)]
    pub sink: Named<SinkConfig>,
    /// Jobs: what is backed up, where to, and how.
    #[serde(default)]
    pub backup: Named<JobConfig>,
    /// Notifiers: who is told what happened.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub notify: Named<NotifyConfig>,
    /// Services: programs that run all the time.
    #[serde(default)]
    pub service: Named<Service>,
    /// Authorities that issue certificates.
    #[serde(default)]
    pub ca: Named<CaConfig>,
    /// Where certificates are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Certificates that are kept up to date.
    #[serde(default)]
    pub certificate: Named<CertificateConfig>,
    /// The web server.
    #[serde(skip_serializing)]
    pub proxy: Option<Proxy>,
    /// Sites: hosts and what they serve.
    #[serde(default, skip_serializing)]
    pub site: Named<Site>,
    /// Upstream servers that several routes use, and pools of which one is active.
    #[serde(default, skip_serializing)]
    pub upstream: Named<Upstream>,
    /// The text that all this was read from.
    #[serde(skip)]
    source: Source,
}

impl Config {
    /// The time zone of schedules and retention.
    pub fn time_zone(&self) -> TimeZone {
        self.time_zone.clone().unwrap_or_else(TimeZone::system)
    }
}
