//! What every kind of sink has to answer: the trait behind [`SinkConfig`](super::SinkConfig).

use std::{fmt::Debug, path::Path, sync::Arc};

use async_trait::async_trait;
use seaworthy_core::{
    ByteRate, ByteSize, Context, Environment, Error, ErrorKind, Findings, Result, Section,
};

use super::BackupSink;

/// A kind of sink, as one table of the file describes it. What has a default need not be said.
#[async_trait]
pub trait SinkKind: Debug + Send + Sync {
    /// Makes relative paths relative to `base`.
    fn resolve(&mut self, base: &Path);

    /// Says what is wrong in its section, and what is right but may come as a surprise.
    fn check(&self, section: &mut Section) {
        let _ = section;
    }

    /// Whether runs must not delete there.
    fn append_only(&self) -> bool {
        false
    }

    /// Whether what it says is enough to delete from it where runs must not.
    fn may_prune(&self) -> bool {
        true
    }

    /// Whether it lies on another machine.
    fn is_remote(&self) -> bool {
        true
    }

    /// The folder of this machine that it fills.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Whether a program that embeds Seaworthy brings it.
    fn is_brought(&self) -> bool {
        false
    }

    /// Opens it, for what `purpose` says. Doubts about it go to `cx` as warnings.
    async fn open(
        &self,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSink>> {
        let _ = (purpose, cx);
        let name = environment.name();
        let message = format!("this build has no code for the kind of sink that {name} is");
        Err(Error::new(ErrorKind::Unsupported, "sink.open", message)
            .remedy_is("build it with the feature of that kind"))
    }

    /// What a trial of it has to look at besides what every sink does.
    fn trial(&self) -> SinkTrial {
        SinkTrial::default()
    }

    /// Tries what only its own kind has, such as a bucket's rules.
    async fn probe(&self, environment: &Environment, findings: &mut Findings, cx: &Context) {
        let _ = (environment, findings, cx);
    }
}

/// What a sink is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkUse {
    /// To delete from it: where runs must not, with keys of its own.
    pub prune: bool,
    /// To try it out: what is stored has to go again at once, and somebody waits for the answer.
    pub trial: bool,
    /// The most bytes that a job sends in a second.
    pub upload: Option<ByteRate>,
    /// The most bytes that a job receives in a second.
    pub download: Option<ByteRate>,
}

impl SinkUse {
    /// For runs, and for whatever only reads.
    pub fn run() -> Self {
        Self::default()
    }

    /// To delete from it.
    pub fn prune() -> Self {
        Self { prune: true, ..Self::default() }
    }

    /// The same, to try it out.
    #[must_use]
    pub fn for_trial(self) -> Self {
        Self { trial: true, ..self }
    }

    /// The same, with the limits of a job.
    #[must_use]
    pub fn at_most(self, upload: Option<ByteRate>, download: Option<ByteRate>) -> Self {
        Self { upload, download, ..self }
    }
}

/// What a trial of a sink has to look at besides what every sink does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkTrial {
    /// The size of the smallest part of an upload, where larger objects are stored in parts.
    pub part: Option<ByteSize>,
    /// The store keeps every version, so who cannot see them cannot delete.
    pub needs_versions: bool,
    /// Snapshots are locked there.
    pub locks: bool,
}
