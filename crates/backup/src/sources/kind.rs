//! What every kind of source has to answer: the trait behind [`SourceConfig`](super::SourceConfig).

use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use seaworthy_core::{
    CommandLine, Context, Environment, Error, ErrorKind, Findings, Name, Result, Section,
};

use super::BackupSource;
use crate::{
    drill::{Drill, DrillConfig},
    format::SnapshotKind,
    restore::RestoreTarget,
};

/// A kind of source, as one table of the file describes it, or as a program that embeds Seaworthy
/// brings it. What has a default need not be said.
///
/// One source may become several in a snapshot, such as one for each database of a server: each has
/// a payload and a name of its own, [`part_name`] of the source and the part.
#[async_trait]
pub trait SourceKind: Debug + Send + Sync {
    /// Makes relative paths relative to `base`.
    fn resolve(&mut self, base: &Path) {
        let _ = base;
    }

    /// Says what is wrong in its section. `siblings` are the other sources of the job.
    fn check(&self, siblings: &[&Name], section: &mut Section) {
        let _ = (siblings, section);
    }

    /// The commands that it runs as the file has them.
    fn programs(&self) -> Vec<&CommandLine> {
        Vec::new()
    }

    /// Whether it holds a database that can be asked in SQL.
    fn answers_sql(&self) -> bool {
        false
    }

    /// Opens everything that it holds now, for a snapshot of this kind. `name` is its own.
    async fn expand(
        &self,
        name: &Name,
        kind: SnapshotKind,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Vec<OpenedSource>> {
        let _ = (kind, environment, cx);
        Err(left_out(name.as_str()))
    }

    /// Whether it makes, or made, a part that is called so.
    fn has_part(&self, part: &str) -> bool {
        let _ = part;
        false
    }

    /// The place where the data of it, or of one part of it, was. What is there is moved aside
    /// under a name with `stamp`.
    async fn in_place(
        &self,
        part: Option<&str>,
        stamp: &str,
        environment: &Environment,
        cx: &Context,
    ) -> Result<PlacedTarget> {
        let _ = (part, stamp, cx);
        let message = format!("nothing says where {} belongs", environment.name());
        Err(Error::new(ErrorKind::InvalidInput, "restore.choose", message)
            .remedy_is("restore it to a folder"))
    }

    /// The database that `url` names, to restore it to with the settings of this source; `None`
    /// where no URL names a place for such data.
    fn target_at(
        &self,
        url: &str,
        environment: &Environment,
    ) -> Result<Option<Box<dyn RestoreTarget>>> {
        let _ = (url, environment);
        Ok(None)
    }

    /// How it, or one part of it, is tried out as `config` says; `None` for what its payload's kind
    /// does by itself.
    async fn drill(
        &self,
        part: Option<&str>,
        config: &DrillConfig,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Option<Arc<dyn Drill>>> {
        let _ = (part, config, environment, cx);
        Ok(None)
    }

    /// Tries whether it can be read, for `doctor`.
    async fn probe(&self, environment: &Environment, findings: &mut Findings, cx: &Context) {
        let _ = (environment, findings, cx);
    }
}

/// Where data lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The paths of this machine that hold it.
    pub paths: Vec<PathBuf>,
    /// What it is called for people where it is no path, such as a database.
    pub named: Option<String>,
}

impl Place {
    /// At these paths.
    pub fn paths(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { paths: paths.into_iter().collect(), named: None }
    }

    /// In something that is called `name`.
    pub fn named(name: impl Into<String>) -> Self {
        Self { paths: Vec::new(), named: Some(name.into()) }
    }
}

/// One source of a run, ready to be read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenedSource {
    /// What it is called in the snapshot.
    pub name: Name,
    /// What reads it.
    pub source: Arc<dyn BackupSource>,
    /// Where its data lies.
    pub place: Place,
    /// It comes along with another one and is not told of by itself.
    pub comes_along: bool,
}

impl OpenedSource {
    /// What `source` reads at `place` is called `name`.
    pub fn new(name: Name, source: Arc<dyn BackupSource>, place: Place) -> Self {
        Self { name, source, place, comes_along: false }
    }

    /// What `source` reads comes along with another one, and is called `name`.
    pub fn along(name: Name, source: Arc<dyn BackupSource>) -> Self {
        Self { name, source, place: Place::default(), comes_along: true }
    }
}

/// The place where data was, as a target of a restore.
#[derive(Debug)]
#[non_exhaustive]
pub struct PlacedTarget {
    /// What restores there.
    pub target: Box<dyn RestoreTarget>,
    /// What is replaced.
    pub place: Place,
}

impl PlacedTarget {
    /// `target` replaces what is at `place`.
    pub fn new(target: impl RestoreTarget, place: Place) -> Self {
        Self { target: Box::new(target), place }
    }
}

/// What the part `part` of the source `source` is called in a snapshot: `<source>-<part>`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] where that is too long for a name, or `part` cannot be in one.
pub fn part_name(source: &Name, part: &str) -> Result<Name> {
    Name::new(format!("{source}-{part}"))
}

/// Which source of a job made what is recorded in a snapshot.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Origin<'a> {
    /// The source's name.
    pub name: &'a Name,
    /// The source.
    pub kind: &'a dyn SourceKind,
    /// The part of it; `None` for the whole, or for its one payload.
    pub part: Option<&'a str>,
}

/// Finds among `sources` the one that made `recorded`: that of the same name, else the one with the
/// longest name of which `recorded` is a part.
pub fn origin_of<'a>(
    sources: impl IntoIterator<Item = (&'a Name, &'a dyn SourceKind)>,
    recorded: &'a Name,
) -> Option<Origin<'a>> {
    let part_of = |name: &Name| match recorded.as_str().strip_prefix(name.as_str())? {
        "" => Some(None),
        rest => rest.strip_prefix('-').filter(|part| !part.is_empty()).map(Some),
    };
    let found = sources.into_iter().filter_map(|(name, kind)| {
        let part = part_of(name)?;
        part.is_none_or(|part| kind.has_part(part)).then_some(Origin { name, kind, part })
    });
    found.max_by_key(|origin| origin.name.as_str().len())
}

fn left_out(name: &str) -> Error {
    let message = format!("this build has no code for the kind of source that {name} is");
    Error::new(ErrorKind::Unsupported, "source.open", message)
        .remedy_is("build it with the feature of that kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source with a part for each of these.
    #[derive(Debug)]
    struct Parts(&'static [&'static str]);

    impl SourceKind for Parts {
        fn has_part(&self, part: &str) -> bool {
            self.0.contains(&part)
        }
    }

    #[test]
    fn what_is_recorded_is_of_the_source_with_the_longest_name() {
        let sources =
            [("db", Parts(&["app", "web"])), ("db-app", Parts(&["2"])), ("web", Parts(&[]))];
        let sources = sources.map(|(name, parts)| (Name::new(name).unwrap(), parts));
        let found = |recorded: &str| {
            let recorded = Name::new(recorded).unwrap();
            let sources = sources.iter().map(|(name, parts)| (name, parts as &dyn SourceKind));
            origin_of(sources, &recorded)
                .map(|origin| (origin.name.to_string(), origin.part.map(str::to_owned)))
        };
        let of = |name: &str, part: Option<&str>| Some((name.to_owned(), part.map(str::to_owned)));
        assert_eq!(found("db"), of("db", None));
        assert_eq!(found("db-app"), of("db-app", None));
        assert_eq!(found("db-app-2"), of("db-app", Some("2")));
        assert_eq!(found("db-web"), of("db", Some("web")));
        assert_eq!(found("db-old"), None);
        assert_eq!(found("web-app"), None);
        assert_eq!(found("database"), None);
        assert_eq!(found("other"), None);
        let app = Name::new("db").unwrap();
        assert_eq!(part_name(&app, "app").unwrap().as_str(), "db-app");
        assert!(part_name(&app, "a/b").is_err());
    }
}
