//! Which sources of a snapshot are restored, and which parts.

use seaworthy_backup::{
    Selection, Snapshot,
    config::JobConfig,
    format::{
        ManifestSource,
        index::{PathBytes, Record},
    },
    sources::payload_handler,
};
use seaworthy_core::{Context, Error, ErrorKind, Name, Result};

use super::{Destination, RestoreRequest, name_of};
use crate::Seaworthy;

/// A selected source, with its payload's kind and the selected parts.
pub(super) struct Chosen {
    pub(super) source: Name,
    pub(super) kind: String,
    pub(super) selection: Selection,
}

impl Chosen {
    fn whole(source: &ManifestSource) -> Self {
        let (name, kind) = (source.name.clone(), source.kind.clone());
        Self { source: name, kind, selection: Selection::all() }
    }
}

impl Seaworthy {
    pub(super) async fn choose(
        &self,
        snapshot: &Snapshot,
        config: &JobConfig,
        request: &RestoreRequest,
        place: Option<&Destination>,
        cx: &Context,
    ) -> Result<Vec<Chosen>> {
        let held = &snapshot.manifest().sources;
        let wanted = |name: &Name| request.source.as_ref().is_none_or(|source| source == name);
        let mut sources: Vec<_> = held.iter().filter(|source| wanted(&source.name)).collect();
        let names = |sources: &[&ManifestSource]| {
            sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        if let (Some(source), true) = (&request.source, sources.is_empty()) {
            let message = format!("snapshot {} has no source {source}", name_of(snapshot));
            let held = names(&held.iter().collect::<Vec<_>>());
            return fail(message, format!("it holds {held}"), &[]);
        }
        let index = snapshot.index(&self.temp_of(config), cx).await?;
        if !matches!(place, Some(Destination::Folder(_))) {
            let (mut kept, mut refused) = (Vec::new(), None);
            for source in sources {
                let records = index.records_of(&source.name)?;
                match payload_handler(&source.kind).folder_only(&source.name, records)? {
                    Some(error) => refused = refused.or(Some(error)),
                    None => kept.push(source),
                }
            }
            if let (Some(error), true) = (refused, kept.is_empty()) {
                return Err(error);
            }
            sources = kept;
        }
        if matches!(place, Some(Destination::Database(_))) {
            if sources.len() > 1 {
                let message = "a database can only be restored from one source, but several were \
                         selected";
                return Err(Error::new(ErrorKind::InvalidInput, "restore.choose", message)
                    .remedy_with(
                        format!("name one in `source`: {}", names(&sources)),
                        &["source"],
                    ));
            }
            if let Some(other) = sources.iter().find(|of| !payload_handler(&of.kind).takes_url()) {
                let message = format!("source {} is not a PostgreSQL database", other.name);
                return Err(Error::new(ErrorKind::InvalidInput, "restore.choose", message)
                    .remedy_with("restore it `to` a folder", &["to"]));
            }
        }
        if request.only.is_empty() {
            return Ok(sources.into_iter().map(Chosen::whole).collect());
        }
        let asked: Vec<_> = request.only.iter().map(|path| PathBytes::from_path(path)).collect();
        let selection = Selection::only(asked);
        let mut missing: Vec<_> = selection.paths().to_vec();
        let mut chosen = Vec::new();
        for source in sources {
            // Each kind is asked only for what was found in it.
            let mut found: Vec<PathBytes> = Vec::new();
            for record in index.records_of(&source.name)? {
                let is_meant: Box<dyn Fn(&PathBytes) -> bool> = match record? {
                    Record::File(file) => Box::new(move |wanted| file.path.is_within(&wanted.0)),
                    Record::Database(database) => {
                        let path = database.path.without_root();
                        Box::new(move |wanted| path.is_within(&wanted.0))
                    }
                    Record::Table(table) => Box::new(move |wanted| {
                        let one = Selection::only([wanted.clone()]);
                        one.contains_table(&table.schema, &table.name)
                    }),
                    _ => continue,
                };
                for wanted in selection.paths() {
                    if is_meant(wanted) && !found.contains(wanted) {
                        found.push(wanted.clone());
                    }
                }
                if found.len() == selection.paths().len() {
                    break;
                }
            }
            missing.retain(|wanted| !found.contains(wanted));
            if !found.is_empty() {
                let mut one = Chosen::whole(source);
                if payload_handler(&one.kind).has_parts() {
                    one.selection = Selection::only(found);
                }
                chosen.push(one);
            }
        }
        if let Some(path) = missing.first() {
            let name = name_of(snapshot);
            let message = format!("snapshot {name} has no path or table {path}");
            let list = format!("show {name} with `files` or `tables`: its contents are listed");
            return fail(message, list, &["files", "tables"]);
        }
        Ok(chosen)
    }
}

fn fail<T>(message: String, remedy: String, fields: &'static [&'static str]) -> Result<T> {
    let error = Error::new(ErrorKind::NotFound, "restore.choose", message);
    Err(error.blame_request().remedy_with(remedy, fields))
}
