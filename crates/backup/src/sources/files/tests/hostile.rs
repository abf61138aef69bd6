//! Malicious archives must not write outside the target.

use std::{fs, os::unix::fs::symlink, path::Path};

use async_trait::async_trait;
use seaworthy_core::{Context, ErrorKind, Result};
use tempfile::tempdir;

use super::harness::{run, store, try_restore};
use crate::{
    format::{
        PayloadKind, SourceSummary,
        index::{Entry, FileType, PathBytes},
    },
    payload::{Segment, SegmentSender},
    restore::Selection,
    sources::{
        BackupSource, FilesTarget,
        files::archive::{EntryMeta, TRAILER, pad, write_headers},
    },
};

/// A payload made by hand; index and archive agree.
#[derive(Debug)]
struct Handmade(Vec<(FileType, Vec<u8>, Option<Vec<u8>>)>);

#[async_trait]
impl BackupSource for Handmade {
    fn payload(&self) -> PayloadKind {
        PayloadKind::TAR
    }

    async fn dump(&self, out: SegmentSender, _: &Context) -> Result<SourceSummary> {
        let mut segment = Segment::default();
        for (file_type, path, link) in &self.0 {
            let content: &[u8] = if *file_type == FileType::File { b"evil" } else { b"" };
            let meta = EntryMeta {
                path: PathBytes(path.clone()),
                file_type: *file_type,
                size: content.len() as u64,
                mode: 0o755,
                uid: 0,
                gid: 0,
                mtime: 0,
                nanos: 0,
                link: link.clone().map(PathBytes),
                device: (0, 0),
                xattrs: Vec::new(),
            };
            let start = segment.data.len();
            write_headers(&mut segment.data, &meta, None)?;
            segment.data.extend_from_slice(content);
            pad(&mut segment.data);
            let len = segment.data.len() - start;
            segment.entries.push(Entry::File(meta.record(start as u64, len as u64)));
        }
        segment.data.extend_from_slice(&TRAILER);
        out.send(segment).await?;
        Ok(SourceSummary::default())
    }
}

fn refused(things: &[(FileType, &str, Option<&str>)]) {
    let folder = tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "mine").unwrap();
    // Leftover folders would be as useful to the archive's author as links.
    symlink(&outside, folder.path().join("door")).unwrap();
    let fill = |text: &str| text.replace("OUT", outside.to_str().unwrap()).into_bytes();
    let things = things.iter().map(|(kind, path, link)| (*kind, fill(path), link.map(fill)));
    let source = Handmade(things.collect());
    run(async {
        let stored = store(&source, 2).await;
        let target = FilesTarget::to_folder(folder.path().join("to"));
        let error = try_restore(&stored, target, &Selection::all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{source:?}: {}", error.chain());
    });
    assert!(!folder.path().join("to").exists());
    assert_untouched(&outside);
}

fn assert_untouched(outside: &Path) {
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("precious")).unwrap(), b"mine");
}

use FileType::{Directory, File, Hardlink, Symlink};

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../outside/x", "/OUT/x", "a/../../outside/x", "..", "a//b", "./a", "a/.", ""] {
        refused(&[(File, name, None)]);
        refused(&[(Directory, "a", None), (Symlink, name, Some("x"))]);
    }
    refused(&[(Directory, "../outside/x", None)]);
}

#[test]
fn nothing_is_written_through_a_link_of_the_archive() {
    refused(&[(Symlink, "a", Some("OUT")), (File, "a/x", None)]);
    refused(&[(Symlink, "a", Some("OUT")), (Directory, "a/x", None)]);
    refused(&[(Symlink, "a", Some("OUT/precious")), (File, "a", None)]);
    refused(&[(Symlink, "a", Some("OUT")), (Directory, "a", None)]);
    refused(&[(Symlink, "a", Some("..")), (Symlink, "b", Some("a/..")), (File, "b/x", None)]);
    refused(&[(Directory, "d", None), (Symlink, "d/a", Some("OUT")), (File, "d/a/x/y", None)]);
}

#[test]
fn hard_links_to_the_outside_are_refused() {
    refused(&[(Hardlink, "a", Some("../outside/precious"))]);
    refused(&[(Hardlink, "a", Some("OUT/precious"))]);
    refused(&[(Symlink, "s", Some("OUT")), (Hardlink, "a", Some("s/precious"))]);
    refused(&[(Hardlink, "a", Some("nowhere"))]);
}

#[test]
fn a_hard_link_to_a_link_does_not_reach_through_it() {
    let folder = tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "mine").unwrap();
    let target = outside.join("precious").to_str().unwrap().as_bytes().to_vec();
    let source = Handmade(vec![
        (Symlink, b"s".to_vec(), Some(target)),
        (Hardlink, b"h".to_vec(), Some(b"s".to_vec())),
    ]);
    run(async {
        let stored = store(&source, 2).await;
        let to = FilesTarget::to_folder(folder.path().join("to"));
        try_restore(&stored, to, &Selection::all()).await.unwrap();
    });
    assert!(fs::symlink_metadata(folder.path().join("to/h")).unwrap().is_symlink());
    assert_untouched(&outside);
}
