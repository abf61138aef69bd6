//! Whether a run's result looks like what the user wants, compared with earlier runs.

use crate::format::{Manifest, ManifestSource, SourceSummary, Suspicion};

/// What is suspicious about `sources`, compared with the last good snapshot.
///
/// What the last good snapshot had as well (the user accepted it) is not suspicious again.
pub(crate) fn suspicions(
    sources: &[ManifestSource],
    last_good: Option<&Manifest>,
) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for now in sources {
        let before = last_good.and_then(|m| m.sources.iter().find(|s| s.name == now.name));
        let (summary, source) = (&now.summary, now.name.clone());
        let before = before.map(|before| &before.summary);
        if summary.unreadable > before.map_or(0, |before| before.unreadable) {
            let source = source.clone();
            found.push(Suspicion::Unreadable { source, files: summary.unreadable });
        }
        let is_empty = |summary: &SourceSummary| summary.files == 0 || summary.rows == Some(0);
        if is_empty(summary) {
            if before.is_none_or(|before| !is_empty(before)) {
                found.push(Suspicion::Empty { source });
            }
            continue;
        }
        let Some(before) = before else { continue };
        if summary.files.saturating_mul(2) < before.files {
            let (now, before) = (summary.files, before.files);
            found.push(Suspicion::FewerFiles { source: source.clone(), now, before });
        }
        if let (Some(now), Some(before)) = (summary.rows, before.rows)
            && now.saturating_mul(2) < before
        {
            found.push(Suspicion::FewerRows { source: source.clone(), now, before });
        }
        if summary.bytes.saturating_mul(2) < before.bytes {
            let (now, before) = (summary.bytes, before.bytes);
            found.push(Suspicion::FewerBytes { source, now, before });
        }
    }
    found
}

/// Whether two snapshots are suspicious in the same way.
pub(crate) fn alike(a: &[Suspicion], b: &[Suspicion]) -> bool {
    let mut a: Vec<_> = a.iter().map(Suspicion::likeness).collect();
    let mut b: Vec<_> = b.iter().map(Suspicion::likeness).collect();
    a.sort_unstable();
    b.sort_unstable();
    a == b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Codec;
    use seaworthy_core::Name;

    fn source(files: u64, bytes: u64, unreadable: u64) -> ManifestSource {
        let name = Name::new("uploads").unwrap();
        let mut source = ManifestSource::new(name, "tar", "uploads.tar.zst".into(), Codec::Zstd);
        source.summary = SourceSummary { files, bytes, unreadable, ..Default::default() };
        source
    }

    fn judge(now: ManifestSource, before: Option<ManifestSource>) -> Vec<&'static str> {
        let before = before.map(|before| {
            let mut manifest = crate::format::manifest::tests::manifest();
            manifest.sources = vec![before];
            manifest
        });
        suspicions(&[now], before.as_ref()).iter().map(|s| s.likeness().0).collect()
    }

    #[test]
    fn under_half_is_suspicious_and_half_is_not() {
        assert!(judge(source(10, 100, 0), None).is_empty());
        assert!(judge(source(5, 50, 0), Some(source(10, 100, 0))).is_empty());
        assert_eq!(judge(source(4, 50, 0), Some(source(10, 100, 0))), ["fewer_files"]);
        assert_eq!(judge(source(10, 49, 0), Some(source(10, 100, 0))), ["fewer_bytes"]);
    }

    #[test]
    fn nothing_at_all_is_suspicious_even_the_first_time() {
        assert_eq!(judge(source(0, 0, 0), None), ["empty"]);
        assert_eq!(judge(source(0, 0, 0), Some(source(9, 9, 0))), ["empty"]);
    }

    #[test]
    fn a_database_without_rows_holds_nothing_and_half_of_them_are_few() {
        let rows = |rows| {
            let mut source = source(5, 100, 0);
            source.summary.rows = Some(rows);
            source
        };
        assert_eq!(judge(rows(0), None), ["empty"]);
        assert_eq!(judge(rows(0), Some(rows(9))), ["empty"]);
        assert_eq!(judge(rows(4), Some(rows(9))), ["fewer_rows"]);
        assert!(judge(rows(5), Some(rows(9))).is_empty());
        assert!(judge(rows(0), Some(rows(0))).is_empty());
    }

    #[test]
    fn what_was_accepted_before_is_not_suspicious_again() {
        assert!(judge(source(0, 0, 0), Some(source(0, 0, 0))).is_empty());
        assert!(judge(source(9, 9, 2), Some(source(9, 9, 2))).is_empty());
        assert_eq!(judge(source(9, 9, 3), Some(source(9, 9, 2))), ["unreadable"]);
    }
}
