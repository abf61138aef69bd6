//! Databases: SQLite files near the programs, and those of a PostgreSQL on this machine.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use seaworthy_core::{CommandLine, Context};
use serde::Serialize;

use super::LIMIT;

/// How every SQLite database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where applications keep their data, besides the folders of programs.
const PLACES: [&str; 3] = ["opt", "srv", "var/www"];
const DEEPEST: usize = 4;
const MOST_FOLDERS: usize = 5_000;
/// Folders of tools, which are skipped.
const PASSED_OVER: [&str; 4] = ["node_modules", "site-packages", "target", "venv"];
const ASK: &str =
    "select datname from pg_database where not datistemplate and datname <> 'postgres'";

/// Databases that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FoundDatabases {
    /// Files of SQLite.
    pub sqlite: Vec<PathBuf>,
    /// Databases of PostgreSQL.
    pub postgres: Vec<String>,
    /// Whether there is a PostgreSQL server, even if it does not list its databases.
    pub has_postgres: bool,
}

/// Searches below `root`, and in `folders` of programs.
pub(super) async fn find(root: &Path, folders: &[PathBuf], cx: &Context) -> FoundDatabases {
    let mut found = FoundDatabases::default();
    let mut left = MOST_FOLDERS;
    let places = PLACES.iter().map(|place| root.join(place));
    // A program that runs in / does not show where its data is.
    let near = folders.iter().filter(|folder| folder.components().count() > 2);
    for folder in places.chain(near.cloned()) {
        scan(&folder, 0, &mut left, &mut found.sqlite);
    }
    found.sqlite.sort();
    found.sqlite.dedup();
    found.has_postgres = ["run/postgresql", "var/run/postgresql"].iter().any(|folder| {
        let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| {
            let name = name.to_string_lossy();
            name.starts_with(".s.PGSQL.") && !name.ends_with(".lock")
        })
    });
    if found.has_postgres && root == Path::new("/") {
        found.postgres = postgres(cx).await;
    }
    found
}

fn scan(folder: &Path, depth: usize, left: &mut usize, found: &mut Vec<PathBuf>) {
    if depth > DEEPEST || *left == 0 {
        return;
    }
    *left -= 1;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !name.starts_with('.') && !PASSED_OVER.contains(&&*name) {
            scan(&path, depth + 1, left, found);
        } else if kind.is_file() && is_sqlite(&path) {
            found.push(path);
        }
    }
}

fn is_sqlite(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *MAGIC
}

/// The databases of the server on this machine, queried as its own user; `None` if it does not list
/// them.
async fn postgres(cx: &Context) -> Vec<String> {
    let ask = ["psql", "-XAtw", "-d", "postgres", "-c", ASK];
    let as_its_user = ["runuser", "-u", "postgres", "--"];
    for words in [ask.to_vec(), [as_its_user.as_slice(), &ask].concat()] {
        let Ok(command) = CommandLine::new(words) else { continue };
        if let Ok(text) = command.run(cx, Some(LIMIT)).await {
            let text = String::from_utf8_lossy(&text).into_owned();
            return text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        }
    }
    Vec::new()
}
