//! What a service may do beyond the default, each with its reason.

use serde::{Deserialize, Serialize};

use super::text::Line;

/// `[service.<name>.relax]`: each key removes one protection; its value is the reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Relax {
    /// Reads the users' home folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_read_only: Option<Line>,
    /// Reads and writes the users' home folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<Line>,
    /// Shares /tmp and /var/tmp with others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmp: Option<Line>,
    /// Opens devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Line>,
    /// Sees other processes and the kernel's settings in /proc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proc: Option<Line>,
    /// Makes namespaces, as a browser's sandbox does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Line>,
    /// Talks to the kernel over netlink, for example to list network interfaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netlink: Option<Line>,
    /// Listens on a port below 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_ports: Option<Line>,
    /// Sees all users of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Line>,
    /// Sets priorities and limits of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Line>,
    /// Becomes another user, changes owners of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privileges: Option<Line>,
    /// Writes anywhere that its user may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system: Option<Line>,
}
