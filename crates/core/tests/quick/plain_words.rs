//! The words of this repository: what `CONTRIBUTING.md` says that we do not write is not written.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is checked. Code that is not listed here is still to be rewritten.
const CLEAN: &[&str] = &[
    "README.md",
    "crates/cli",
    "crates/core",
    "crates/ffi",
    "crates/load-test",
    "crates/log-view",
    "crates/proxy-config",
    "crates/service-config",
    "docs",
    "examples",
];

/// Folders without text of ours.
const SKIPPED: &[&str] = &["golden", "node_modules", "target"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A row of the table: words that are not written, what to write, and longer phrases that are fine.
struct Banned {
    words: Vec<String>,
    instead: String,
    fine: Vec<Vec<String>>,
}

fn banned() -> Vec<Banned> {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let table = text.split("<!-- banned -->").nth(1).unwrap();
    let table = table.split("<!-- end -->").next().unwrap();
    let rows = table.trim().lines().skip(2).map(|line| {
        let cells: Vec<_> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [words, instead, fine] = cells[..] else { panic!("three cells: {line}") };
        let fine = fine.split(',').map(words_of).filter(|words| !words.is_empty()).collect();
        Banned { words: words_of(words), instead: instead.to_owned(), fine }
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 50, "the table has been found");
    rows
}

fn words_of(text: &str) -> Vec<String> {
    words(text).into_iter().map(|(_, word)| word).collect()
}

/// The words of `text` in lower case, each with its position. Punctuation other than a hyphen or an apostrophe ends a
/// phrase, so it is a word of its own.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    let mut begin = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if c.is_alphanumeric() || matches!(c, '-' | '\'' | '_') {
            begin.get_or_insert(at);
            continue;
        }
        if let Some(begin) = begin.take() {
            words.push((begin, text[begin..at].to_lowercase()));
        }
        if !c.is_whitespace() {
            words.push((at, c.to_string()));
        }
    }
    words
}

/// `text` with spaces for everything that is code: fenced blocks, spans between backticks, and placeholders.
fn without_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        if fence || fenced {
            out.extend(line.chars().filter(|c| *c == '\n'));
            fenced ^= fence;
            continue;
        }
        let mut end = None;
        for c in line.chars() {
            match end {
                Some(last) => {
                    out.push(if c == '\n' { c } else { ' ' });
                    if c == last {
                        end = None;
                    }
                }
                None if c == '`' => {
                    end = Some('`');
                    out.push('.');
                }
                None if c == '{' => {
                    end = Some('}');
                    out.push('.');
                }
                None => out.push(c),
            }
        }
    }
    out
}

/// Comments and strings of Rust code, each with its first line. Lines of one comment belong together.
fn prose(code: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let bytes = code.as_bytes();
    let (mut at, mut line, mut comment_ends) = (0, 1, 0);
    while at < bytes.len() {
        let rest = &code[at..];
        let len = if rest.starts_with("//") {
            let len = rest.find('\n').unwrap_or(rest.len());
            let text = rest[..len].trim_start_matches(['/', '!']);
            match found.last_mut() {
                Some((_, block)) if comment_ends + 1 == line => {
                    block.push('\n');
                    block.push_str(text);
                }
                _ => found.push((line, text.to_owned())),
            }
            comment_ends = line;
            len
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = hashes + 2;
            let len = rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len());
            found.push((line, rest[open..len.saturating_sub(close.len())].to_owned()));
            len
        } else if rest.starts_with('"') {
            let mut len = 1;
            while len < rest.len() && bytes[at + len] != b'"' {
                len += 1 + usize::from(bytes[at + len] == b'\\');
            }
            let text = &rest[1..len.min(rest.len())];
            if text.contains(' ') {
                found.push((line, text.replace("\\n", " ; ").replace('\\', " ")));
            }
            len + 1
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            // A character that would begin a string.
            rest.strip_prefix("'\\").map_or(3, |escaped| 2 + escaped.find('\'').unwrap_or(0))
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        let end = (at + len).min(bytes.len());
        line += code[at..end].matches('\n').count();
        at = end;
    }
    found
}

/// The number of `#` of a raw string that begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn visit(path: &Path, each: &mut dyn FnMut(&Path)) {
    if path.is_dir() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            return;
        }
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            visit(&entry, each);
        }
    } else {
        each(path);
    }
}

/// What is wrong in `text`, which begins at `line` of `path`.
fn complaints(path: &Path, line: usize, text: &str, banned: &[Banned], out: &mut Vec<String>) {
    let text = without_code(text);
    let words = words(&text);
    let fits = |at: usize, wanted: &[String]| {
        words.len() >= at + wanted.len()
            && words[at..at + wanted.len()].iter().zip(wanted).all(|((_, is), wanted)| is == wanted)
    };
    for at in 0..words.len() {
        for row in banned {
            if !fits(at, &row.words) {
                continue;
            }
            let fine = row.fine.iter().any(|fine| {
                (0..=fine.len() - row.words.len())
                    .any(|before| before <= at && fits(at - before, fine))
            });
            if !fine {
                let line = line + text[..words[at].0].matches('\n').count();
                let phrase = row.words.join(" ");
                let instead = &row.instead;
                out.push(format!("{}:{line}: {phrase:?}; write: {instead}", path.display()));
            }
        }
    }
}

#[test]
fn plain_words() {
    let banned = banned();
    let root = root();
    let mut found = Vec::new();
    for place in CLEAN {
        visit(&root.join(place), &mut |path| {
            let shown = path.strip_prefix(&root).unwrap();
            match path.extension().and_then(|e| e.to_str()) {
                Some("rs") => {
                    for (line, text) in prose(&fs::read_to_string(path).unwrap()) {
                        complaints(shown, line, &text, &banned, &mut found);
                    }
                }
                Some("md") => {
                    let text = fs::read_to_string(path).unwrap();
                    complaints(shown, 1, &text, &banned, &mut found);
                }
                _ => {}
            }
        });
    }
    found.retain(|complaint| !complaint.starts_with(file!().trim_start_matches("./")));
    assert!(found.is_empty(), "see CONTRIBUTING.md, \"Words\":\n{}", found.join("\n"));
}

#[test]
fn the_test_finds_what_it_should() {
    let code = "/// A thing that is\n/// no thing: `is no`, there is no thing.\nlet a = \"stays whence it \\\n came\"; let b = '\"';\n// whence\n";
    let mut found = Vec::new();
    for (line, text) in prose(code) {
        complaints(Path::new("a.rs"), line, &text, &banned(), &mut found);
    }
    let places: Vec<_> = found.iter().map(|f| f.split(';').next().unwrap()).collect();
    assert_eq!(places, ["a.rs:1: \"is no\"", "a.rs:3: \"whence\"", "a.rs:5: \"whence\""]);
}
