//! From the file's words to the parts that do the work.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use seaworthy_backup::{
    BackupJob, BackupSink, BackupSource, KeepPolicy, Repository, RestoreTarget, RetentionPolicy,
    RunOptions,
    config::{CommandConfig, EnvironmentValue, JobConfig, LimitConfig, SinkConfig, SourceConfig},
    format::SnapshotKind,
    restore::PlainTarget,
    sinks::ObjectStoreSink,
    sources::{CommandSource, FilesSource, FilesTarget, SqliteSource, SqliteTarget},
};
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result, Secret};

use crate::{Seaworthy, bucket::Intent, keys::Purpose, machine, replicas};

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

    /// The names of the sinks of `job`, or the one that is asked for.
    pub(crate) fn sinks_of(&self, job: &Name, only: Option<&Name>) -> Result<Vec<Name>> {
        let config = self.job_config(job)?;
        match only {
            None => Ok(config.sinks.clone()),
            Some(sink) if config.sinks.contains(sink) => Ok(vec![sink.clone()]),
            Some(sink) => {
                let message = format!("{job} does not store in the sink {:?}", sink.as_str());
                let names = config.sinks.iter().map(Name::as_str);
                let suggestion = crate::config::suggestion(sink.as_str(), names);
                Err(Error::new(ErrorKind::InvalidInput, "sink.find", message)
                    .remedy_is(suggestion.unwrap_or_default()))
            }
        }
    }

    /// Opens the sink `name`, and says what is doubtful about it. What an append-only sink cannot
    /// do depends on the `intent`; `limit` is that of a job.
    pub(crate) async fn open_sink(
        &self,
        name: &Name,
        intent: Intent,
        limit: &LimitConfig,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSink>> {
        let sink = match self.config.sink.get(name.as_str()) {
            Some(SinkConfig::Local(local)) => {
                let sink = ObjectStoreSink::local(&local.path)?;
                for warning in sink.warnings().await {
                    cx.emit(Event::warning(warning));
                }
                let only_adds = local.append_only && intent == Intent::Use;
                if only_adds { sink.append_only() } else { sink }
            }
            Some(SinkConfig::S3(s3)) => {
                ObjectStoreSink::s3(self.s3_options(name, s3, intent, limit, cx).await?)?
            }
            Some(SinkConfig::B2(b2)) => {
                ObjectStoreSink::s3(self.b2_options(name, b2, intent, limit, cx).await?)?
            }
            Some(SinkConfig::Custom(_)) => return self.custom_sink(name),
            _ => {
                let message = format!("this version cannot open the sink {:?}", name.as_str());
                return Err(Error::new(ErrorKind::Unsupported, "sink.open", message));
            }
        };
        Ok(Arc::new(sink))
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
        let intent = if purpose == Purpose::Prune { Intent::Prune } else { Intent::Use };
        let limit = &self.job_config(job)?.limit;
        let sink = self.open_sink(sink, intent, limit, cx).await?;
        Ok(Repository::new(sink, job.clone(), self.meant_host().clone()).keys(keys))
    }

    /// Whether runs must not delete from `sink`.
    pub(crate) fn is_append_only(&self, sink: &Name) -> bool {
        self.config.sink.get(sink.as_str()).is_some_and(SinkConfig::append_only)
    }

    /// The policy of `job` on `sink`; none keeps everything.
    pub(crate) fn policy(
        &self,
        job: &Name,
        sink: &Name,
    ) -> Result<Option<Arc<dyn RetentionPolicy>>> {
        let Some(keep) = self.job_config(job)?.keep_for(sink.as_str()) else { return Ok(None) };
        let policy = KeepPolicy::new(keep.clone(), self.config.time_zone())?;
        Ok(Some(Arc::new(policy)))
    }

    /// The job `name` as a run of the engine, with those of its sources that `chosen` names.
    pub(crate) async fn engine_job(
        &self,
        name: &Name,
        sink: &Name,
        chosen: &(dyn Fn(&Name) -> bool + Sync),
        changes: impl FnOnce(&mut RunOptions),
        cx: &Context,
    ) -> Result<BackupJob> {
        let config = self.job_config(name)?;
        let mut options = RunOptions::default();
        options.compression = config.compression.compression()?;
        if let Some(workers) = config.limit.workers {
            options.workers = workers.into();
        }
        options.verify_after = self.verify_after(config, sink);
        options.temp = self.temp_of(config);
        options.host_name = machine::host_name();
        changes(&mut options);
        let (kind, temp) = (options.kind, options.temp.clone());
        let keys = self.keys(name, Purpose::Write, cx).await?;
        let sink_opened = self.open_sink(sink, Intent::Use, &config.limit, cx).await?;
        let mut job = BackupJob::new(name.clone(), self.host.clone(), sink_opened)
            .state(self.state.clone())
            .keys(keys)
            .options(options);
        for (source, source_config) in config.sources.iter().filter(|(source, _)| chosen(source)) {
            job = match source_config {
                SourceConfig::Postgres(postgres) => {
                    self.add_database(job, source, postgres, kind, cx).await?
                }
                other => job.source(source.clone(), self.open_source(other, &temp, cx).await?),
            };
        }
        if kind == SnapshotKind::Backup {
            job = job.max_hold(replicas::max_hold(config));
            for replica in self.replicas(name, cx).await? {
                job = job.replica(replica);
            }
            // An append-only sink is pruned by `prune` alone.
            let policy = self.policy(name, sink)?;
            if let Some(policy) = policy.filter(|_| !self.is_append_only(sink)) {
                job = job.retention(policy);
            }
        }
        Ok(job)
    }

    /// The folder for temporary files of a job.
    pub(crate) fn temp_of(&self, config: &JobConfig) -> PathBuf {
        config.limit.temp.clone().unwrap_or_else(std::env::temp_dir)
    }

    async fn open_source(
        &self,
        config: &SourceConfig,
        temp: &Path,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSource>> {
        match config {
            SourceConfig::Files(files) => {
                let source = FilesSource::new(&files.paths)?.exclude(&files.exclude)?;
                Ok(Arc::new(source.leave_out(self.own_folders())))
            }
            SourceConfig::Sqlite(sqlite) => Ok(Arc::new(
                SqliteSource::new(&sqlite.path).temp(temp).foreign_keys(sqlite.foreign_keys),
            )),
            SourceConfig::Command(command) => self.command_source(command, cx).await,
            _ => Err(unknown_source()),
        }
    }

    async fn command_source(
        &self,
        config: &CommandConfig,
        cx: &Context,
    ) -> Result<Arc<dyn BackupSource>> {
        let mut source = CommandSource::new(config.command.clone(), config.output_name())?;
        if let Some(directory) = &config.directory {
            source = source.directory(directory);
        }
        if let Some(limit) = &config.timeout {
            source = source.time_limit(limit.as_duration());
        }
        for (name, value) in &config.environment {
            let value = match value {
                EnvironmentValue::Secret(secret) => self.secret(secret, cx).await?,
                EnvironmentValue::Plain(text) => Secret::new(text),
                _ => return Err(unknown_source()),
            };
            source = source.environment(name, value);
        }
        Ok(Arc::new(source))
    }

    /// The folders that Seaworthy itself keeps: its sinks on this machine and its state. They are
    /// never part of a backup, and never moved aside by a restore.
    pub(crate) fn own_folders(&self) -> Vec<PathBuf> {
        let sinks = self.config.sink.iter().filter_map(|(_, sink)| match sink {
            SinkConfig::Local(local) => Some(local.path.clone()),
            _ => None,
        });
        sinks.chain([self.state.path().to_owned()]).collect()
    }
}

/// The place where a source's data was.
pub(crate) fn target_in_place(
    config: &SourceConfig,
    stamp: &str,
) -> Result<Box<dyn RestoreTarget>> {
    match config {
        SourceConfig::Files(files) => Ok(Box::new(FilesTarget::in_place(&files.paths, stamp))),
        SourceConfig::Sqlite(sqlite) => Ok(Box::new(SqliteTarget::in_place(&sqlite.path, stamp))),
        SourceConfig::Command(_) => {
            let message = "nothing says where a command's output belongs";
            Err(Error::new(ErrorKind::InvalidInput, "restore.choose", message)
                .remedy_is("restore it to a folder with --to"))
        }
        _ => Err(unknown_source()),
    }
}

/// `folder` as a place for a payload of this kind; what is neither files nor a database file is
/// written as it is.
pub(crate) fn target_in_folder(kind: &str, folder: &Path) -> Box<dyn RestoreTarget> {
    match kind {
        "tar" => Box::new(FilesTarget::to_folder(folder)),
        "sqlite" => Box::new(SqliteTarget::to_folder(folder)),
        _ => Box::new(PlainTarget::to_folder(folder)),
    }
}

/// The paths that a source's data was in.
pub(crate) fn places_of(config: &SourceConfig) -> Vec<PathBuf> {
    match config {
        SourceConfig::Files(files) => files.paths.clone(),
        SourceConfig::Sqlite(sqlite) => vec![sqlite.path.clone()],
        _ => Vec::new(),
    }
}

fn unknown_source() -> Error {
    Error::new(ErrorKind::Unsupported, "source.open", "this version does not know this source")
}
