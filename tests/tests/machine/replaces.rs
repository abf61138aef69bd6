//! The guide's table of what Seaworthy replaces names lines, commands and tests: each of them exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A row of a table: what it is about, and the code of its other cells.
struct Row {
    number: usize,
    system: &'static str,
    what: String,
    says: Vec<String>,
    proves: Vec<String>,
}

/// What stands between backquotes, and whether there is anything else.
fn code(cell: &str) -> (Vec<String>, bool) {
    let parts: Vec<_> = cell.split('`').collect();
    let (inside, outside): (Vec<_>, Vec<_>) =
        parts.iter().enumerate().partition(|(at, _)| at % 2 == 1);
    let bare = outside.iter().any(|(_, text)| !text.trim().is_empty());
    (inside.into_iter().map(|(_, text)| (*text).to_owned()).collect(), bare)
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(workspace().join("docs/replaces.md")).unwrap();
    let (mut system, mut rows) = ("", Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        match line {
            "## FlotteQ" => system = "flotteq",
            "## GW2 WvW Builder" => system = "gw2",
            _ => {}
        }
        let is_row =
            line.starts_with('|') && !line.starts_with("|---") && !line.starts_with("| Feature");
        if !is_row {
            continue;
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 3, "line {number} has {} cells", cells.len());
        assert!(cells.iter().all(|cell| !cell.is_empty()), "line {number} has an empty cell");
        let [(says, bare), (proves, also_bare)] = [code(cells[1]), code(cells[2])];
        assert!(
            !bare && !also_bare,
            "line {number}: lines, commands and tests stand between backquotes"
        );
        assert!(!says.is_empty() && !proves.is_empty(), "line {number} says nothing");
        rows.push(Row { number, system, what: cells[0].to_owned(), says, proves });
    }
    rows
}

/// The lines of the files of a system, without what is behind them.
fn lines(system: &str) -> BTreeSet<String> {
    let folder = workspace().join("examples").join(system);
    let mut lines = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = fs::read_to_string(path).unwrap();
            let bare = |line: &str| line.split("  #").next().unwrap_or_default().trim().to_owned();
            lines.extend(text.lines().map(bare));
        }
    }
    lines
}

#[test]
fn each_line_that_the_table_names_is_in_its_file() {
    let rows = rows();
    assert!(rows.len() > 60, "only {} rows", rows.len());
    let all: BTreeMap<_, _> = ["flotteq", "gw2"].map(|system| (system, lines(system))).into();
    let mut wrong = Vec::new();
    for row in &rows {
        for says in row.says.iter().filter(|says| !says.starts_with("seaworthy ")) {
            if !all[row.system].contains(says) {
                wrong.push(format!("{}, {:?}: {says}", row.number, row.what));
            }
        }
    }
    assert!(wrong.is_empty(), "not in the examples:\n{}", wrong.join("\n"));
}

#[test]
fn each_command_that_the_table_names_is_understood() {
    let mut wrong = Vec::new();
    for row in rows() {
        for says in row.says.iter().filter_map(|says| says.strip_prefix("seaworthy ")) {
            // Whatever stands before it must be known for help to be given.
            let mut command = Command::new(seaworthy_tests::program());
            let output = command.args(says.split(' ')).arg("--help").output().unwrap();
            if !output.status.success() {
                wrong.push(format!("{}: seaworthy {says}", row.number));
            }
        }
    }
    assert!(wrong.is_empty(), "no such commands:\n{}", wrong.join("\n"));
}

#[test]
fn each_test_that_the_table_names_exists() {
    let mut sources: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows() {
        for proves in &row.proves {
            let Some((file, name)) = proves.split_once("::") else {
                wrong.push(format!("{}: {proves} is not FILE::TEST", row.number));
                continue;
            };
            let path = workspace().join(file);
            let source = sources
                .entry(path)
                .or_insert_with_key(|path| fs::read_to_string(path).unwrap_or_default());
            if !is_test(source, name) {
                wrong.push(format!("{}: {proves}", row.number));
            }
        }
    }
    assert!(wrong.is_empty(), "no such tests:\n{}", wrong.join("\n"));
}

/// Whether `source` has a function `name` that is marked as a test.
fn is_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else { return false };
    let before: Vec<_> = source[..at].lines().rev().take(4).collect();
    before.iter().any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
}

#[test]
fn what_is_not_there_would_be_found() {
    let source = "#[test]\nfn one() {}\nfn helper() {}\n";
    assert!(is_test(source, "one") && !is_test(source, "on") && !is_test(source, "two"));
    assert!(!lines("gw2").contains("memory_max = \"2GiB\""));
    assert_eq!(code("`a` b `c`"), (vec!["a".to_owned(), "c".to_owned()], true));
}
