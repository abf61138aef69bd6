//! Builds the parts from the configuration.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use seaworthy_backup::{
    BackupJob, BackupSink, KeepPolicy, Repository, RetentionPolicy, RunOptions,
    config::{JobConfig, LimitConfig},
    format::SnapshotKind,
    sinks::{SinkKind, SinkUse},
    sources::{OpenedSource, Origin, SourceKind, origin_of},
};
use seaworthy_core::{Context, Environment, Error, ErrorKind, Name, Result, Section};

use crate::{Config, Seaworthy, keys::Purpose, machine, replicas};

/// A source that a program brings along, with its job and its name.
#[derive(Clone, Debug)]
pub(crate) struct BroughtSource {
    job: Name,
    name: Name,
    kind: Arc<dyn SourceKind>,
}

impl Config {
    /// The folders of this machine that sinks fill, with their names.
    pub(crate) fn sink_folders(&self) -> impl Iterator<Item = (&Name, &Path)> {
        self.sink.iter().filter_map(|(name, sink)| Some((name, sink.as_kind().folder()?)))
    }
}

impl Seaworthy {
    /// The job `name` of the file.
    pub(crate) fn job_config(&self, name: &Name) -> Result<&JobConfig> {
        self.config.backup.get(name.as_str()).ok_or_else(|| {
            let message = format!("there is no job {:?} in the file", name.as_str());
            let error = Error::new(ErrorKind::InvalidInput, "job.find", message);
            let names = self.config.backup.names().map(Name::as_str);
            match crate::config::suggestion(name.as_str(), names) {
                Some(suggestion) => error.remedy_is(suggestion),
                None => error.remedy_is("the file has no [backup.NAME]"),
            }
        })
    }

    /// The names of the sinks of `job`, or the requested one.
    pub(crate) fn sinks_of(&self, job: &Name, only: Option<&Name>) -> Result<Vec<Name>> {
        let config = self.job_config(job)?;
        match only {
            None => Ok(config.sinks.clone()),
            Some(sink) if config.sinks.contains(sink) => Ok(vec![sink.clone()]),
            Some(sink) => {
                let message = format!("job {job} does not use the sink {:?}", sink.as_str());
                let names = config.sinks.iter().map(Name::as_str);
                let suggestion = crate::config::suggestion(sink.as_str(), names);
                Err(Error::new(ErrorKind::InvalidInput, "sink.find", message)
                    .remedy_is(suggestion.unwrap_or_default()))
            }
        }
    }

    /// The sink `name` of the file.
    pub(crate) fn sink_kind(&self, name: &Name) -> Result<&dyn SinkKind> {
        let sink = self.config.sink.get(name.as_str()).ok_or_else(|| {
            let message = format!("there is no sink {:?} in the file", name.as_str());
            let names = self.config.sink.names().map(Name::as_str);
            let suggestion = crate::config::suggestion(name.as_str(), names);
            Error::new(ErrorKind::InvalidInput, "sink.find", message)
                .remedy_is(suggestion.unwrap_or_default())
        })?;
        Ok(sink.as_kind())
    }

    /// Opens the sink `name`, and says what is doubtful about it.
    pub(crate) async fn open_sink(
        &self,
        name: &Name,
        purpose: SinkUse,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSink>> {
        self.sink_kind(name)?.open(&purpose, &self.environment.of(name), cx).await
    }

    /// The snapshots of `job` in its sink `sink`, with the keys that `purpose` needs.
    pub(crate) async fn repository(
        &self,
        job: &Name,
        sink: &Name,
        purpose: Purpose,
        cx: &Context,
    ) -> Result<Repository> {
        let keys = self.keys(job, purpose, cx).await?;
        let to_prune = purpose == Purpose::Prune;
        let sink_use = if to_prune { SinkUse::prune() } else { SinkUse::run() };
        let sink_use = within(sink_use, &self.job_config(job)?.limit);
        let sink = self.open_sink(sink, sink_use, cx).await?;
        Ok(Repository::new(sink, job.clone(), self.meant_host().clone()).keys(keys))
    }

    /// Whether runs must not delete from `sink`.
    pub(crate) fn is_append_only(&self, sink: &Name) -> bool {
        self.config.sink.get(sink.as_str()).is_some_and(|sink| sink.as_kind().append_only())
    }

    /// The policy of `job` on `sink`; `None` keeps everything.
    pub(crate) fn policy(
        &self,
        job: &Name,
        sink: &Name,
    ) -> Result<Option<Arc<dyn RetentionPolicy>>> {
        let Some(keep) = self.job_config(job)?.keep_for(sink.as_str()) else { return Ok(None) };
        let policy = KeepPolicy::new(keep.clone(), self.config.time_zone())?;
        Ok(Some(Arc::new(policy)))
    }

    /// The job `name` as a run of the engine, with its sources, or with those alone that are
    /// recorded as `only` says.
    pub(crate) async fn engine_job(
        &self,
        name: &Name,
        sink: &Name,
        only: Option<&[Name]>,
        changes: impl FnOnce(&mut RunOptions),
        cx: &Context,
    ) -> Result<BackupJob> {
        let mut options = self.run_options(name, sink)?;
        changes(&mut options);
        let kind = options.kind;
        let job = self.engine_job_without_sources(name, sink, options, cx).await?;
        let sources = self.open_sources(name, only, kind, cx).await?;
        Ok(sources.into_iter().fold(job, |job, opened| job.source(opened.name, opened.source)))
    }

    /// How runs of the job `name` go that store in `sink`.
    pub(crate) fn run_options(&self, name: &Name, sink: &Name) -> Result<RunOptions> {
        let config = self.job_config(name)?;
        let mut options = RunOptions::default();
        options.compression = config.compression.compression()?;
        if let Some(workers) = config.limit.workers {
            options.workers = workers.into();
        }
        options.verify_after = self.verify_after(config, sink);
        options.temp = self.temp_of(config);
        options.host_name = machine::host_name();
        Ok(options)
    }

    /// The job `name` as a run of the engine that has no sources yet.
    pub(crate) async fn engine_job_without_sources(
        &self,
        name: &Name,
        sink: &Name,
        options: RunOptions,
        cx: &Context,
    ) -> Result<BackupJob> {
        let config = self.job_config(name)?;
        let kind = options.kind;
        let keys = self.keys(name, Purpose::Write, cx).await?;
        let opened = self.open_sink(sink, within(SinkUse::run(), &config.limit), cx).await?;
        let mut job = BackupJob::new(name.clone(), self.host.clone(), opened)
            .state(self.state.clone())
            .keys(keys)
            .options(options);
        if kind == SnapshotKind::Backup {
            job = job.max_hold(replicas::max_hold(config));
            for replica in self.replicas(name, cx).await? {
                job = job.replica(replica);
            }
            // An append-only sink is only pruned by `prune`.
            let policy = self.policy(name, sink)?;
            if let Some(policy) = policy.filter(|_| !self.is_append_only(sink)) {
                job = job.retention(policy);
            }
        }
        Ok(job)
    }

    /// Everything that the sources of `job` hold now, ready to be read for a snapshot of this kind;
    /// or only what is recorded as `only` says.
    pub(crate) async fn open_sources(
        &self,
        job: &Name,
        only: Option<&[Name]>,
        kind: SnapshotKind,
        cx: &Context,
    ) -> Result<Vec<OpenedSource>> {
        let config = self.job_config(job)?;
        let made_by =
            |recorded: &Name| self.origin(job, recorded).map(|origin| origin.name.clone());
        let wanted: Option<Vec<Name>> = only.map(|only| only.iter().filter_map(made_by).collect());
        let mut all = Vec::new();
        for (name, source) in self.sources(job) {
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(name)) {
                continue;
            }
            let environment = self.source_environment(name, config);
            let mut opened = source.expand(name, kind, &environment, cx).await?;
            opened.retain(|one| only.is_none_or(|only| only.contains(&one.name)));
            all.extend(opened);
        }
        Ok(all)
    }

    /// The sources of `job`: those of the file, and those that a program brought.
    pub(crate) fn sources(&self, job: &Name) -> impl Iterator<Item = (&Name, &dyn SourceKind)> {
        let config = self.config.backup.get(job.as_str());
        let of_file = config.into_iter().flat_map(|config| config.sources.iter());
        let brought = self.brought_sources.iter().filter({
            let job = job.clone();
            move |source| source.job == job
        });
        of_file
            .map(|(name, source)| (name, source.as_kind()))
            .chain(brought.map(|source| (&source.name, &*source.kind)))
    }

    /// The source of `job` that made what is `recorded` in a snapshot.
    pub(crate) fn origin<'a>(&'a self, job: &Name, recorded: &'a Name) -> Option<Origin<'a>> {
        origin_of(self.sources(job), recorded)
    }

    /// What surrounds the source `name` of the job with this `config`.
    pub(crate) fn source_environment(&self, name: &Name, config: &JobConfig) -> Environment {
        self.environment.of(name).with_temp(self.temp_of(config))
    }

    /// Adds a source of a program's own to the job `job` of the file: it is checked now, backed up
    /// after those of the file, tried by `doctor`, restored and drilled, as any other.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is no such job, if it has a source of that name,
    /// or where [`SourceKind::check`] finds something.
    pub fn add_source(&mut self, job: &Name, name: &Name, kind: Arc<dyn SourceKind>) -> Result<()> {
        self.job_config(job)?;
        let siblings: Vec<&Name> = self.sources(job).map(|(name, _)| name).collect();
        let fail = |message: String| Error::new(ErrorKind::InvalidInput, "source.add", message);
        if siblings.contains(&name) {
            return Err(fail(format!("{job} has a source {name} already")));
        }
        let mut section = Section::new(["backup", job.as_str(), "sources", name.as_str()]);
        kind.check(&siblings, &mut section);
        if let Some(fault) = section.faults().first() {
            let remedy = fault.remedy.clone().unwrap_or_default();
            return Err(fail(fault.message.clone()).remedy_is(remedy));
        }
        self.brought_sources.push(BroughtSource { job: job.clone(), name: name.clone(), kind });
        Ok(())
    }

    /// The folder for temporary files of a job.
    pub(crate) fn temp_of(&self, config: &JobConfig) -> PathBuf {
        config.limit.temp.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// `purpose`, with the limits of a job.
pub(crate) fn within(purpose: SinkUse, limit: &LimitConfig) -> SinkUse {
    purpose.at_most(limit.upload, limit.download)
}
