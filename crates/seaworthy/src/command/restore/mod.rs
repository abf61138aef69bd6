//! `restore`: to another place, or in place after a safety snapshot.

mod choose;
mod destination;
mod elsewhere;
mod in_place;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use seaworthy_backup::{
    RestoreReport, RestoreTarget, Snapshot, SnapshotId,
    config::JobConfig,
    restore::{Restoration, RestoreOptions, restore},
    sources::payload_handler,
};
use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Event, Name, Result};
use serde::{Deserialize, Serialize};

#[cfg(feature = "clap")]
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::{IdentityFiles, OfHost, Request, SnapshotName};
use crate::{Outcome, Reply, Seaworthy, keys::Purpose};

use choose::Chosen;
pub use destination::{DatabaseUrl, Destination};
use elsewhere::OtherSinks;

/// The request of `restore`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[cfg_attr(
    feature = "clap",
    command(group(clap::ArgGroup::new("place").required(true).args(["to", "in_place"])))
)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// The snapshot: ID is `latest` or any unambiguous beginning.
    #[cfg_attr(feature = "clap", arg(value_name = "JOB[@ID]"))]
    pub snapshot: SnapshotName,
    /// Only this source.
    #[cfg_attr(feature = "clap", arg(long))]
    pub source: Option<Name>,
    /// From this sink.
    #[cfg_attr(feature = "clap", arg(long))]
    pub sink: Option<Name>,
    /// Where to: a new or empty folder, or a database. Either this is said, or `in_place`.
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "TARGET",
            value_parser = OsStringValueParser::new().map(Destination::from),
            help = TO
        )
    )]
    pub to: Option<Destination>,
    /// To the original place; existing data is moved aside, never overwritten.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(long))]
    pub in_place: bool,
    /// Only these paths and everything below them, or only the rows of these tables; by default
    /// everything.
    #[serde(default)]
    #[cfg_attr(
        feature = "clap",
        arg(
            long,
            value_name = "PATH|TABLE",
            help = "Only this path and everything below it, or only the rows of this table"
        )
    )]
    pub only: Vec<PathBuf>,
    /// Also a snapshot that is not signed by a key that the job trusts.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(long))]
    pub force: bool,
    /// What encrypted snapshots are read with.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub identities: IdentityFiles,
    /// The machine of the snapshots.
    #[serde(flatten)]
    #[cfg_attr(feature = "clap", command(flatten))]
    pub host: OfHost,
    /// Do not ask before a restore in place; where nobody can be asked, it is refused without
    /// this.
    #[serde(default)]
    #[cfg_attr(feature = "clap", arg(long, help = "Do not ask before a restore in place"))]
    pub yes: bool,
}

#[cfg(feature = "clap")]
const TO: &str = "Into this folder, which must be new or empty; for a PostgreSQL database, a \
                  connection URL without a password, or env:NAME for one in a variable";

impl RestoreRequest {
    /// Restores all of `snapshot` to another place.
    pub fn to(snapshot: SnapshotName, to: impl Into<Destination>) -> Self {
        Self { to: Some(to.into()), in_place: false, ..Self::in_place(snapshot) }
    }

    /// Restores all of `snapshot` to where the data was.
    pub fn in_place(snapshot: SnapshotName) -> Self {
        let (identities, host) = Default::default();
        Self {
            snapshot,
            source: None,
            sink: None,
            to: None,
            in_place: true,
            only: Vec::new(),
            force: false,
            identities,
            host,
            yes: false,
        }
    }

    /// Where it goes: elsewhere, or, where it says no other place, to where the data was.
    fn place(&self) -> Result<Option<Destination>> {
        match (&self.to, self.in_place) {
            (Some(to), false) => to.checked().map(Some),
            (None, true) => Ok(None),
            _ => {
                let message = "a restore goes either `to` a folder or `in_place`";
                Err(Error::new(ErrorKind::InvalidInput, "restore.prepare", message))
            }
        }
    }
}

impl Request for RestoreRequest {
    const NAME: &'static str = "restore";
    type Result = RestoreResult;

    async fn run(&self, seaworthy: &Seaworthy, cx: &Context) -> Reply<RestoreResult> {
        seaworthy.restore(self, &refuse, cx).await
    }
}

/// Where nobody can be asked, a restore in place says what it would do, and does not.
fn refuse(intent: &RestoreIntent) -> Result<()> {
    let list = |items: Vec<String>| serde_json::Value::from(items).to_string();
    let places = intent.places.clone();
    let before = intent.before.iter().map(ToString::to_string).collect();
    let message = format!("restoring {}@{} in place replaces data", intent.job, intent.id);
    Err(Error::new(ErrorKind::InvalidInput, "restore.confirm", message)
        .with("places", list(places))
        .with("before", list(before))
        .remedy_with("say `yes`, or restore `to` a folder", &["yes", "to"]))
}

/// What a restore in place is about to do.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RestoreIntent {
    /// The job.
    pub job: Name,
    /// The snapshot.
    pub id: SnapshotId,
    /// What will be replaced, for people: paths and databases.
    pub places: Vec<String>,
    /// The commands that run first.
    pub before: Vec<CommandLine>,
}

/// The result of `restore`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RestoreResult {
    /// The job.
    pub job: Name,
    /// The snapshot that was restored.
    pub id: SnapshotId,
    /// The sink's name in the file.
    pub sink: Name,
    /// The sinks that provided what was damaged in that one or could not be read there.
    pub also_from: Vec<Name>,
    /// The safety snapshots of the previous data.
    pub safety: Vec<SnapshotId>,
    /// The result for each source.
    pub restored: Vec<Restored>,
    /// How many items are missing in the snapshot because they could not be read when it was made.
    pub missing: u64,
}

/// The result of `restore` for one source.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Restored {
    /// The source.
    pub source: Name,
    /// What its payload is: `tar`, `sqlite`, `sql`, ….
    pub kind: String,
    /// The kind of check.
    #[serde(flatten)]
    pub report: RestoreReport,
}

impl Seaworthy {
    /// Restores a snapshot or parts of it. A restore in place asks `confirm` before it touches
    /// anything, unless the request says `yes`.
    pub async fn restore(
        &self,
        request: &RestoreRequest,
        confirm: &(dyn Fn(&RestoreIntent) -> Result<()> + Sync),
        cx: &Context,
    ) -> Reply<RestoreResult> {
        let jobs = std::slice::from_ref(&request.snapshot.job);
        let looking = self.looking(Some(&request.identities), &request.host, jobs, cx).await;
        let looking = match looking {
            Ok(looking) => looking,
            Err(error) => return error.into(),
        };
        let mut result = None;
        let failed = looking.try_restore(request, confirm, &mut result, cx).await.err();
        let mut reply = match result {
            Some(result) => {
                Reply { outcome: outcome_of(&result), result: Some(result), error: None }
            }
            None => Reply { outcome: Outcome::Done, result: None, error: None },
        };
        if let Some(error) = failed {
            reply = reply.with_error(Some(error));
        }
        reply
    }

    async fn try_restore(
        &self,
        request: &RestoreRequest,
        confirm: &(dyn Fn(&RestoreIntent) -> Result<()> + Sync),
        result: &mut Option<RestoreResult>,
        cx: &Context,
    ) -> Result<()> {
        let place = request.place()?;
        let confirm = |intent: &_| if request.yes { Ok(()) } else { confirm(intent) };
        let job = &request.snapshot.job;
        let (sink, repository, info) =
            self.find_snapshot(&request.snapshot, request.sink.as_ref(), Purpose::Read, cx).await?;
        let snapshot = match repository.open(&info.id).await {
            Err(error) if error.kind() == ErrorKind::Untrusted && request.force => {
                cx.emit(Event::warning(error.chain()));
                repository.open_untrusted(&info.id).await?
            }
            snapshot => snapshot?,
        };
        // If a sink is given, only that one is used.
        let others = match &request.sink {
            Some(_) => None,
            None => {
                let which = (job, &info.id);
                Some(Arc::new(OtherSinks::new(self, which, &sink, request.force, cx)?))
            }
        };
        let snapshot = match &others {
            Some(others) => snapshot.or_from(others.clone()),
            None => snapshot,
        };
        let config = self.job_config(job)?;
        let chosen = self.choose(&snapshot, config, request, place.as_ref(), cx).await?;
        let mut done = RestoreResult {
            job: job.clone(),
            id: info.id,
            sink,
            also_from: Vec::new(),
            safety: Vec::new(),
            restored: Vec::new(),
            missing: missing_of(&snapshot, &chosen),
        };
        let restored = match &place {
            Some(Destination::Folder(folder)) => {
                self.restore_to(folder, &snapshot, chosen, config, &mut done, cx).await
            }
            Some(Destination::Database(url)) => {
                let url = self.target_url(url)?;
                let one = chosen.first().map(|one| self.database_target(job, one, &url, config));
                let targets = one.into_iter().collect::<Result<_>>()?;
                self.load(&snapshot, chosen, targets, config, &mut done, cx).await
            }
            None => self.restore_in_place(&snapshot, chosen, config, &confirm, &mut done, cx).await,
        };
        done.also_from = others.map(|others| others.helped()).unwrap_or_default();
        // What was restored or saved is reported also if something failed after it.
        if restored.is_ok() || !done.restored.is_empty() || !done.safety.is_empty() {
            *result = Some(done);
        }
        restored
    }

    /// The database that `url` names, for what was chosen: with the settings of the source that made
    /// it, where the file still has one.
    fn database_target(
        &self,
        job: &Name,
        chosen: &Chosen,
        url: &str,
        config: &JobConfig,
    ) -> Result<Box<dyn RestoreTarget>> {
        let environment = self.source_environment(&chosen.source, config);
        let origin = self.origin(job, &chosen.source);
        let of_source =
            origin.map(|origin| origin.kind.target_at(url, &environment)).transpose()?;
        let target = match of_source.flatten() {
            Some(target) => Some(target),
            None => payload_handler(&chosen.kind).target_at(url, &environment)?,
        };
        target.ok_or_else(|| {
            let message = format!("{} cannot be restored to a database here", chosen.source);
            Error::new(ErrorKind::Unsupported, "restore.choose", message)
                .remedy_with("restore it `to` a folder", &["to"])
        })
    }

    async fn restore_to(
        &self,
        folder: &Path,
        snapshot: &Snapshot,
        chosen: Vec<Chosen>,
        config: &JobConfig,
        result: &mut RestoreResult,
        cx: &Context,
    ) -> Result<()> {
        let several = chosen.len() > 1;
        let made = if several { make_empty(folder)? } else { false };
        let mut targets = Vec::new();
        for one in &chosen {
            let place = if several { folder.join(one.source.as_str()) } else { folder.to_owned() };
            targets.push(payload_handler(&one.kind).to_folder(&place));
        }
        let loaded = self.load(snapshot, chosen, targets, config, result, cx).await;
        if loaded.is_err() && made {
            // It is empty again, or its remaining content should be checked.
            let _ = std::fs::remove_dir(folder);
        }
        loaded
    }

    async fn load(
        &self,
        snapshot: &Snapshot,
        chosen: Vec<Chosen>,
        targets: Vec<Box<dyn RestoreTarget>>,
        config: &JobConfig,
        result: &mut RestoreResult,
        cx: &Context,
    ) -> Result<()> {
        let mut options = RestoreOptions::default();
        options.temp = self.temp_of(config);
        if let Some(workers) = config.limit.workers {
            options.workers = workers.into();
        }
        let names: Vec<_> =
            chosen.iter().map(|one| (one.source.clone(), one.kind.clone())).collect();
        let restorations = chosen
            .into_iter()
            .zip(targets)
            .map(|(one, target)| Restoration::new(one.source, target, one.selection))
            .collect();
        let reports = restore(snapshot, restorations, &options, cx).await?;
        let restored = names.into_iter().zip(reports);
        result.restored =
            restored.map(|((source, kind), report)| Restored { source, kind, report }).collect();
        Ok(())
    }
}

/// How many items of the selected sources could not be read when the snapshot was made.
fn missing_of(snapshot: &Snapshot, chosen: &[Chosen]) -> u64 {
    let sources = snapshot.manifest().sources.iter();
    let chosen = sources.filter(|held| chosen.iter().any(|one| one.source == held.name));
    chosen.map(|source| source.summary.unreadable).sum()
}

/// Losses are items missing in the snapshot, and what could not be restored exactly.
fn outcome_of(result: &RestoreResult) -> Outcome {
    let lossy = |restored: &Restored| !restored.report.warnings.is_empty();
    if result.missing > 0 || result.restored.iter().any(lossy) {
        Outcome::Losses
    } else {
        Outcome::Done
    }
}

/// Makes sure that `folder` exists and is empty; true if it had to be created.
fn make_empty(folder: &Path) -> Result<bool> {
    let fail =
        |e| Error::io("restore.prepare", format!("cannot restore to {}", folder.display()), e);
    match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => {
                let message = format!("{} is not empty", folder.display());
                Err(Error::new(ErrorKind::NotEmpty, "restore.prepare", message)
                    .remedy_is("use a new or empty folder; nothing is ever overwritten"))
            }
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder).map_err(fail).map(|()| true)
        }
        Err(e) => Err(fail(e)),
    }
}

fn name_of(snapshot: &Snapshot) -> String {
    format!("{}@{}", snapshot.job(), snapshot.id())
}
