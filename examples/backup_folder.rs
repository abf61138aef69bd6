//! Backs up a folder, lists the snapshots, verifies and restores: no file, no TOML.
//!
//! `cargo run -p seaworthy-examples --example backup_folder -- FOLDER SINK TARGET`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use seaworthy_backup::{
    BackupJob, FilesSource, FilesTarget, HostId, ObjectStoreSink, Selection,
    restore::{Restoration, RestoreOptions, restore},
    verify::{VerifyOptions, verify},
};
use seaworthy_core::{Context, Name, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, sink, target] = &arguments[..] else { panic!("usage: FOLDER SINK TARGET") };
    let (cx, files) = (Context::new(), Name::new("files")?);

    let host = HostId::from_machine_id("this machine");
    let job = BackupJob::new(Name::new("nightly")?, host, Arc::new(ObjectStoreSink::local(sink)?))
        .source(files.clone(), Arc::new(FilesSource::new([folder])?));
    let report = job.run(&cx).await?;
    println!("stored {} bytes as {} bytes in {}", report.plain, report.stored, report.folder);

    for snapshot in job.repository().list(&cx).await? {
        println!("{}  {}  {} bytes", snapshot.id, snapshot.state.name(), snapshot.stored);
    }
    let snapshot = job.repository().open(&report.id).await?;
    let verified = verify(&snapshot, &VerifyOptions::default(), &cx).await?;
    println!("{} frames read back, {} findings", verified.frames, verified.findings.len());

    let target =
        Restoration::new(files, Box::new(FilesTarget::to_folder(target)), Selection::all());
    let reports = restore(&snapshot, vec![target], &RestoreOptions::default(), &cx).await?;
    println!("restored {} files to {:?}", reports[0].files, reports[0].placed);
    Ok(())
}
