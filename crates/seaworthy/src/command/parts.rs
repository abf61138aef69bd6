//! What several requests have in common.

use std::{borrow::Cow, path::PathBuf};

use seaworthy_core::{Context, Name, Result};
use serde::Deserialize;

use super::SnapshotName;
use crate::{Seaworthy, find_identities};

/// The private keys that snapshots are decrypted with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct IdentityFiles {
    /// Files with private keys of age or ssh; by default those that were given to
    /// [`with_identities`](Seaworthy::with_identities), or those of the variable
    /// `SEAWORTHY_IDENTITY`.
    #[cfg_attr(feature = "clap", arg(long, value_name = "FILE", help = IDENTITY))]
    pub identity: Vec<PathBuf>,
}

#[cfg(feature = "clap")]
const IDENTITY: &str = "Decrypt with the private keys of age or ssh in this file [default: \
                        $SEAWORTHY_IDENTITY]";

/// The machine whose snapshots are used.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[non_exhaustive]
pub struct OfHost {
    /// Another machine, by its name or id, whose snapshots are used instead of this one's.
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "NAME",
            help = "Use the snapshots of this machine (name or id) instead of our own"
        )
    )]
    pub host: Option<String>,
}

impl Seaworthy {
    /// The same, which decrypts with `identities` and means the snapshots of `host`. It is looked
    /// for in the sinks of `jobs`.
    pub(crate) async fn looking(
        &self,
        identities: Option<&IdentityFiles>,
        host: &OfHost,
        jobs: &[Name],
        cx: &Context,
    ) -> Result<Cow<'_, Self>> {
        let mut looking = Cow::Borrowed(self);
        if let Some(IdentityFiles { identity }) = identities {
            let variable = self.environment.variables().get("SEAWORTHY_IDENTITY");
            // What an embedder gave stays, unless the request says something else.
            if !identity.is_empty() || (self.identities.is_empty() && variable.is_some()) {
                let found = find_identities(identity, variable)?;
                looking = Cow::Owned(looking.into_owned().with_identities(found));
            }
        }
        if let Some(host) = &host.host {
            looking = Cow::Owned(looking.into_owned().of_host(host, jobs, cx).await?);
        }
        Ok(looking)
    }
}

/// The jobs of `snapshots`.
pub(super) fn jobs_of(snapshots: &[SnapshotName]) -> Vec<Name> {
    snapshots.iter().map(|name| name.job.clone()).collect()
}
