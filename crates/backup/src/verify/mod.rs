//! Verifies a stored snapshot: every byte is read back and checked, or a sample of them.

mod counted;
mod payload;
mod rebuild;

use std::path::PathBuf;

use futures_util::TryStreamExt;
use seaworthy_core::{Context, Error, ErrorKind, Event, Result, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use rebuild::{RebuildReport, rebuild_index};

use crate::{
    encryption::Opening,
    format::{CheckKind, CheckOutcome, CheckRecord, Digest256, ManifestObject, SnapshotId},
    snapshot::Snapshot,
    workers::MAX_WORKERS,
};

/// How many findings a record in the snapshot's folder lists.
const RECORDED_FINDINGS: usize = 20;

/// How a snapshot is verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Which part of the frames to read, above 0 and at most 1; `None` reads every byte.
    pub sample: Option<f64>,
    /// How many threads check in parallel.
    pub workers: usize,
    /// Where temporary files go.
    pub temp: PathBuf,
}

impl Default for VerifyOptions {
    /// Everything, a worker per processor, the system's folder for temporary files.
    fn default() -> Self {
        let run = crate::options::RunOptions::default();
        Self { sample: None, workers: run.workers, temp: run.temp }
    }
}

/// The result of a verification.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The snapshot.
    pub id: SnapshotId,
    /// Whether every byte was read.
    pub complete: bool,
    /// Whether the snapshot is encrypted and there was no identity: then its stored bytes were
    /// compared with the manifest, but their content was not checked.
    pub sealed: bool,
    /// Whether the snapshot is encrypted.
    pub encrypted: bool,
    /// How many frames were checked.
    pub frames: u64,
    /// How many stored bytes were read.
    pub bytes: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something that differs from what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The object.
    pub object: String,
    /// The offset in the object in bytes, if known.
    pub at: Option<u64>,
    /// What is wrong.
    pub problem: String,
    /// The first ten affected items.
    pub affects: Vec<String>,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.object)?;
        if let Some(at) = self.at {
            write!(f, " at byte {at}")?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.affects.is_empty() {
            write!(f, "; it affects {}", self.affects.join(", "))?;
        }
        Ok(())
    }
}

impl VerifyReport {
    /// Whether nothing is wrong with what was checked.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// The record of this verification, for the snapshot's `checks/`. For an encrypted snapshot it
    /// names no items: the record itself is not encrypted.
    pub fn to_record(&self, time: Timestamp) -> CheckRecord {
        let words = |finding: &Finding| match self.encrypted {
            true => Finding { affects: Vec::new(), ..finding.clone() }.to_string(),
            false => finding.to_string(),
        };
        let findings = self.findings.iter().take(RECORDED_FINDINGS).map(words);
        CheckRecord {
            time,
            kind: CheckKind::Verify,
            outcome: if self.is_good() { CheckOutcome::Ok } else { CheckOutcome::Failed },
            complete: self.complete,
            sealed: self.sealed,
            findings: findings.collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Reads `snapshot` back and checks it. What is wrong with the snapshot is in the report; an error
/// means that this could not be determined. For an encrypted one without an identity every stored
/// byte is compared with the manifest; a sample is not possible.
pub async fn verify(
    snapshot: &Snapshot,
    options: &VerifyOptions,
    cx: &Context,
) -> Result<VerifyReport> {
    let started = cx.now();
    let task = format!("verify {}@{}", snapshot.job(), snapshot.id());
    cx.emit(Event::Started {
        task: task.clone(),
        total_bytes: options.sample.is_none().then(|| snapshot.manifest().stored()),
    });
    let sealed = snapshot.is_sealed();
    if sealed && options.sample.is_some() {
        // The error says which keys would decrypt it.
        snapshot.opening().iter().try_for_each(Opening::check)?;
    }
    let mut tally = Tally::default();
    let index = match snapshot.index(&options.temp, cx).await {
        Ok(index) => Some(index),
        Err(_) if sealed => None,
        Err(error) => {
            tally.find(&snapshot.manifest().index, None, problem(error)?);
            None
        }
    };
    for object in &snapshot.manifest().objects {
        cx.check("verify")?;
        let sources = &snapshot.manifest().sources;
        let source = sources.iter().find(|source| source.object == object.name);
        match (source, &index) {
            (Some(source), Some(index)) => {
                let payload =
                    snapshot.payload(index, &source.name, options.workers.clamp(1, MAX_WORKERS))?;
                payload::verify(snapshot, payload, object, options, &mut tally, cx).await?;
            }
            // The index was checked when it was fetched.
            (None, index) if !sealed && object.name == snapshot.manifest().index => {
                tally.bytes += index.as_ref().map_or(0, |_| object.size);
            }
            _ => verify_digest(snapshot, object, &mut tally, cx).await?,
        }
    }
    let elapsed = cx.now().since(started);
    cx.emit(Event::Finished { task, elapsed });
    let Tally { frames, bytes, findings } = tally;
    Ok(VerifyReport {
        id: snapshot.id().clone(),
        complete: options.sample.is_none(),
        sealed,
        encrypted: snapshot.manifest().encryption.is_some(),
        frames,
        bytes,
        seconds: elapsed.as_secs_f64(),
        findings,
    })
}

/// Checks an object's size and SHA-256.
async fn verify_digest(
    snapshot: &Snapshot,
    object: &ManifestObject,
    tally: &mut Tally,
    cx: &Context,
) -> Result<()> {
    let key = snapshot.folder().join(&object.name)?;
    let mut stream = match snapshot.sink().read(&key, None).await {
        Ok(stream) => stream,
        Err(error) => {
            tally.find(&object.name, None, problem(error)?);
            return Ok(());
        }
    };
    let (mut hash, mut size) = (Sha256::new(), 0);
    loop {
        let chunk = match stream.try_next().await {
            Ok(None) => break,
            Ok(Some(chunk)) => chunk,
            Err(error) => {
                tally.find(&object.name, Some(size), problem(error)?);
                return Ok(());
            }
        };
        cx.check("verify")?;
        size += chunk.len() as u64;
        cx.emit(Event::Advanced { bytes: chunk.len() as u64, items: 0 });
        hash = tokio::task::spawn_blocking(move || {
            hash.update(&chunk);
            hash
        })
        .await
        .map_err(payload::worker_failed)?;
    }
    tally.bytes += size;
    tally.check_object(object, size, Digest256::from(hash.finalize()));
    Ok(())
}

/// What is wrong with an object, according to `error`: that it is damaged or missing, or that it
/// cannot be read and a retry will not help. Any other error is returned.
fn problem(error: Error) -> Result<String> {
    match error.kind() {
        ErrorKind::NotFound => Ok("it is missing".to_owned()),
        ErrorKind::Damaged => Ok(error.chain()),
        ErrorKind::Io | ErrorKind::PermissionDenied if !error.is_retryable() => Ok(error.chain()),
        _ => Err(error),
    }
}

/// What was checked and found so far.
#[derive(Debug, Default)]
struct Tally {
    frames: u64,
    bytes: u64,
    findings: Vec<Finding>,
}

impl Tally {
    fn find(&mut self, object: &str, at: Option<u64>, problem: impl Into<String>) {
        let (object, problem) = (object.to_owned(), problem.into());
        self.findings.push(Finding { object, at, problem, affects: Vec::new() });
    }

    /// Compares a whole object with the manifest.
    fn check_object(&mut self, object: &ManifestObject, size: u64, sha256: Digest256) {
        if size != object.size {
            let problem = format!("it has {size} bytes instead of {}", object.size);
            self.find(&object.name, None, problem);
        } else if sha256 != object.sha256 {
            self.find(&object.name, None, "its SHA-256 is not the one in the manifest");
        }
    }
}
