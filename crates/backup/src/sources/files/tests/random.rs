//! Random trees.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use tempfile::tempdir;

use super::{
    harness::{below, files, restore, run, store},
    trees::{look, noise, set_time},
};
use crate::sources::files::TarScanner;

#[derive(Clone, Debug)]
enum Thing {
    Folder,
    File { size: usize, mode: u32, seconds: i64, nanos: i64 },
    Link(String),
    HardLink,
}

fn things() -> impl Strategy<Value = Vec<(Vec<String>, Thing)>> {
    let name = "[a-c\u{e4}]{1,3}|[x ]{90,110}|-{1,2}";
    let size = prop_oneof![0..2000_usize, 508..516_usize, 4_190_000..4_200_000_usize];
    let file = (size, 0..0o10000_u32, -5_000_000_000..9_000_000_000_i64, 0..1_000_000_000_i64)
        .prop_map(|(size, mode, seconds, nanos)| Thing::File { size, mode, seconds, nanos });
    let thing = prop_oneof![
        1 => Just(Thing::Folder),
        5 => file,
        1 => ".{1,120}".prop_filter("no NUL", |t| !t.contains('\0')).prop_map(Thing::Link),
        2 => Just(Thing::HardLink),
    ];
    prop::collection::vec((prop::collection::vec(name, 1..4), thing), 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_tree_comes_back(things in things(), workers in 1..4_usize) {
        let (tree, out) = (tempdir().unwrap(), tempdir().unwrap());
        let mut last: Option<PathBuf> = None;
        for (seed, (names, thing)) in things.into_iter().enumerate() {
            let path = tree.path().join(names.iter().collect::<PathBuf>());
            // Names that clash with earlier ones are skipped.
            if fs::create_dir_all(path.parent().unwrap()).is_err() || path.symlink_metadata().is_ok() {
                continue;
            }
            match thing {
                Thing::Folder => fs::create_dir(&path).unwrap(),
                Thing::File { size, mode, seconds, nanos } => {
                    fs::write(&path, noise(size, seed as u64 + 1)).unwrap();
                    rustix::fs::chmod(&path, rustix::fs::Mode::from_raw_mode(mode)).unwrap();
                    set_time(&path, seconds, nanos);
                    last = Some(path);
                }
                Thing::Link(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
                Thing::HardLink => if let Some(last) = &last {
                    fs::hard_link(last, &path).unwrap();
                },
            }
        }
        let before = look(tree.path());
        run(async {
            let stored = store(&files(tree.path()), workers).await;
            assert_eq!(stored.losses(), []);
            let (mut scanner, mut found) = (TarScanner::new(), Vec::new());
            scanner.push(&stored.plain().await, &mut found).unwrap();
            scanner.finish().unwrap();
            assert_eq!(found, stored.entries());
            let report = restore(&stored, out.path()).await;
            assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        });
        prop_assert!(look(&below(out.path(), tree.path())) == before);
    }
}
