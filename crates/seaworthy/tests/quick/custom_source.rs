//! A source that a program which embeds Seaworthy brings along: checked, tried, expanded, backed up,
//! drilled and restored like any other.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use seaworthy::{
    Config, Outcome, Seaworthy, SnapshotName,
    backup::{
        BackupSource, PayloadKind, SourceSummary,
        drill::{Drill, DrillConfig, DrillPayload, Found},
        format::{CheckOutcome, SnapshotKind},
        payload::{Segment, SegmentSender},
        restore::PlainTarget,
        sources::{OpenedSource, Place, PlacedTarget, SourceKind, part_name},
    },
    command::{BackupRequest, DrillRequest, RestoreRequest},
    core::{Context, Environment, Findings, Name, Result, Section},
};

/// A shelf with a book in each of its places; a snapshot has a payload for each.
#[derive(Debug)]
struct Shelf {
    books: Vec<&'static str>,
    /// Where a book goes back to.
    out: PathBuf,
}

#[derive(Debug)]
struct Book(&'static str);

#[derive(Debug)]
struct Reads;

#[async_trait]
impl BackupSource for Book {
    fn payload(&self) -> PayloadKind {
        PayloadKind::new("book").unwrap()
    }

    async fn dump(&self, out: SegmentSender, _: &Context) -> Result<SourceSummary> {
        let text = format!("all of {}", self.0).into_bytes();
        let mut summary = SourceSummary::default();
        (summary.files, summary.bytes) = (1, text.len() as u64);
        out.send(Segment { data: text, ..Segment::default() }).await?;
        Ok(summary)
    }
}

#[async_trait]
impl Drill for Reads {
    async fn run(&self, payload: DrillPayload<'_>, cx: &Context) -> Result<Found> {
        let folder = payload.options.temp.join(payload.source.as_str());
        let report = payload.restore(PlainTarget::to_folder(&folder), cx).await?;
        let text = std::fs::read_to_string(&report.placed[0]).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let mut found = Found::default();
        (found.compared, found.bytes) = (1, report.bytes);
        if text == "all of sequel" {
            found.faults.push("nobody likes the sequel");
        }
        Ok(found)
    }
}

#[async_trait]
impl SourceKind for Shelf {
    fn check(&self, _: &[&Name], section: &mut Section) {
        if self.books.is_empty() {
            let message = format!("{section} is an empty shelf");
            section.fault(&["books"], message, "put a book there");
        }
    }

    fn has_part(&self, part: &str) -> bool {
        self.books.contains(&part)
    }

    async fn expand(
        &self,
        name: &Name,
        _: SnapshotKind,
        _: &Environment,
        _: &Context,
    ) -> Result<Vec<OpenedSource>> {
        let each = self.books.iter().map(|book| {
            let place = Place::named(format!("the book {book}"));
            Ok(OpenedSource::new(part_name(name, book)?, Arc::new(Book(book)), place))
        });
        each.collect()
    }

    async fn in_place(
        &self,
        part: Option<&str>,
        stamp: &str,
        _: &Environment,
        _: &Context,
    ) -> Result<PlacedTarget> {
        let folder = self.out.join(format!("{}-{stamp}", part.unwrap_or("all")));
        Ok(PlacedTarget::new(PlainTarget::to_folder(folder), Place::named("the shelf")))
    }

    async fn drill(
        &self,
        part: Option<&str>,
        _: &DrillConfig,
        _: &Environment,
        _: &Context,
    ) -> Result<Option<Arc<dyn Drill>>> {
        assert!(self.books.contains(&part.unwrap()));
        Ok(Some(Arc::new(Reads)))
    }

    async fn probe(&self, environment: &Environment, findings: &mut Findings, _: &Context) {
        findings.ok("shelf", format!("{} stands straight", environment.name()));
    }
}

const FILE: &str = r#"
state = "state"
[sink.local]
type = "local"
path = "sink"
[backup.nightly]
sinks = ["local"]
sources.data = { type = "files", paths = ["data"] }
"#;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_ones_own_expands_and_is_checked_tried_drilled_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    std::fs::create_dir(at("data")).unwrap();
    std::fs::write(at("data/a"), "hello").unwrap();
    let config = Config::from_text(FILE, &at("seaworthy.toml")).unwrap();
    let mut seaworthy = Seaworthy::open(config, Default::default()).unwrap();
    let cx = Context::new();
    let (job, shelf) = (name("nightly"), name("shelf"));
    let books = |books: &[&'static str]| Arc::new(Shelf { books: books.into(), out: at("out") });

    // Its own check refuses it, as do the job and the name.
    let error = seaworthy.add_source(&job, &shelf, books(&[])).unwrap_err();
    assert_eq!(error.to_string(), "[backup.nightly.sources.shelf] is an empty shelf");
    assert!(seaworthy.add_source(&name("weekly"), &shelf, books(&["tale"])).is_err());
    assert!(seaworthy.add_source(&job, &name("data"), books(&["tale"])).is_err());
    seaworthy.add_source(&job, &shelf, books(&["tale", "sequel"])).unwrap();

    let doctor = seaworthy.doctor(&Default::default(), &cx).await.result.unwrap();
    let probed = doctor.checks.iter().find(|check| check.part == "backup nightly: shelf").unwrap();
    assert_eq!(probed.message, "shelf stands straight");

    let mut request = BackupRequest::default();
    request.dry_run = true;
    let dry = seaworthy.backup(&request, &cx).await.result.unwrap();
    let listed = &dry.jobs[0].dry_run.as_ref().unwrap().sources;
    let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["data", "shelf-tale", "shelf-sequel"]);
    assert_eq!(listed[1].1, [PathBuf::from("the book tale")]);

    let reply = seaworthy.backup(&Default::default(), &cx).await;
    assert_eq!(reply.outcome, Outcome::Done, "{:?}", reply.error);
    let id = reply.result.unwrap().jobs[0].report.as_ref().unwrap().id.to_string();
    let snapshot = SnapshotName { job, id };

    // One part goes back where it was, behind a safety snapshot of that part alone.
    let mut request = RestoreRequest::in_place(snapshot.clone());
    request.source = Some(name("shelf-tale"));
    let restored = seaworthy.restore(&request, &|_| Ok(()), &cx).await;
    let result = restored.result.unwrap_or_else(|| panic!("{:?}", restored.error));
    let placed = &result.restored[0].report.placed[0];
    assert_eq!(std::fs::read_to_string(placed).unwrap(), "all of tale");
    assert!(placed.starts_with(at("out")), "{placed:?}");
    assert_eq!(result.safety.len(), 1);

    // The drill is its own, part by part.
    let mut request = DrillRequest::default();
    request.snapshots = vec![snapshot];
    let drilled = seaworthy.drill(&request, &cx).await.result.unwrap().drilled;
    let outcomes: Vec<_> =
        drilled[0].report.sources.iter().map(|one| (one.source.as_str(), one.outcome)).collect();
    let ok = CheckOutcome::Ok;
    assert_eq!(
        outcomes,
        [("data", ok), ("shelf-tale", ok), ("shelf-sequel", CheckOutcome::Failed)]
    );
    assert_eq!(drilled[0].report.sources[2].findings, ["nobody likes the sequel"]);
}
