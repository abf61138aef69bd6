//! Output of `show`.

use std::io::{self, Write};

use seaworthy::{
    backup::format::{
        SnapshotState,
        index::{FileType, Record},
    },
    command::{ShowDocument, ShowResult, Shown},
};

use super::{Page, Report, items, size};
use crate::terminal::one_line;

impl Report for ShowDocument {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        self.result.write(out)
    }
}

impl Report for ShowResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let manifest = &self.manifest;
        writeln!(out, "{}@{}", manifest.job, manifest.id)?;
        writeln!(out, "  state     {}", self.snapshot.state.name())?;
        match &self.snapshot.state {
            SnapshotState::Suspect { suspicions } => {
                for suspicion in suspicions {
                    writeln!(out, "            {}", suspicion)?;
                }
            }
            SnapshotState::Damaged { why }
            | SnapshotState::Untrusted { why }
            | SnapshotState::NewerFormat { why } => {
                writeln!(out, "            {}", one_line(why))?;
            }
            _ => {}
        }
        if self.snapshot.pinned {
            writeln!(out, "  pinned    yes")?;
        }
        writeln!(
            out,
            "  made      {} to {}",
            out.time(manifest.started),
            out.time(manifest.finished)
        )?;
        writeln!(
            out,
            "  by        host {}, version {}",
            manifest.host,
            one_line(&manifest.version)
        )?;
        writeln!(out, "  stored in {}", self.place)?;
        let (plain, stored) = (size(manifest.plain()), size(manifest.stored()));
        writeln!(out, "  data      {plain} → {stored} stored")?;
        for source in &manifest.sources {
            let summary = &source.summary;
            writeln!(
                out,
                "  source    {}: {}, {}, in {}",
                source.name,
                items(&source.kind, summary.files, summary.rows),
                size(summary.bytes),
                source.object
            )?;
        }
        Ok(())
    }
}

/// A line about an entry of a snapshot.
pub(crate) fn entry_line(out: &mut dyn Write, shown: &Shown) -> io::Result<()> {
    let path = |path: &seaworthy::backup::format::index::PathBytes| {
        let path = path.as_path().display().to_string();
        one_line(path.trim_start_matches('/'))
    };
    match &shown.record {
        Record::File(file) => {
            let kind = match file.file_type {
                FileType::File | FileType::Hardlink => '-',
                FileType::Directory => 'd',
                FileType::Symlink => 'l',
                FileType::Fifo => 'p',
                FileType::CharDevice => 'c',
                FileType::BlockDevice => 'b',
                _ => '?',
            };
            let link = match &file.link {
                Some(link) if file.file_type == FileType::Hardlink => {
                    format!(" link to /{}", path(link))
                }
                Some(link) => format!(" -> {}", one_line(&link.as_path().display().to_string())),
                None => String::new(),
            };
            let (source, mode, bytes) = (&shown.source, file.mode & 0o7777, file.size);
            writeln!(out, "{source}  {kind}{mode:04o} {bytes:>12}  /{}{link}", path(&file.path))
        }
        Record::Database(database) => {
            let (source, bytes) = (&shown.source, database.size);
            writeln!(out, "{source}  database {bytes:>9}  /{}", path(&database.path))
        }
        Record::Server(server) => {
            let (source, version) = (&shown.source, server.version);
            let (database, owner) = (one_line(&server.database), one_line(&server.owner));
            let (major, minor) = (version / 10_000, version % 10_000);
            let encoding = &server.encoding;
            writeln!(
                out,
                "{source}  database  {database} of {owner}, {encoding}, PostgreSQL {major}.{minor}"
            )
        }
        Record::Table(table) => {
            let (source, rows, bytes) = (&shown.source, table.rows, table.bytes);
            let name = one_line(&format!("{}.{}", table.schema, table.name));
            writeln!(out, "{source}  table {rows:>12} rows {bytes:>14} bytes  {name}")
        }
        Record::Loss(loss) => {
            let what = format!("{:?}", loss.loss).to_lowercase();
            let (source, why) = (&shown.source, one_line(&loss.why));
            writeln!(out, "{source}  {what}  /{}: {why}", path(&loss.path))
        }
        _ => Ok(()),
    }
}
