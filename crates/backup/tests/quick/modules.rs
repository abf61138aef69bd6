//! The order of this crate's modules: each imports from those before it alone, so that one can be
//! read, moved and tested without those after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The modules of `src`, low to high.
const ORDER: &[&str] = &[
    "format",
    "paths",
    "workers",
    "retention",
    "encryption",
    "signing",
    "payload",
    "options",
    "sinks",
    "testing",
    "snapshot",
    "repository",
    "state",
    "prune",
    "restore",
    "drill",
    "sources",
    "verify",
    "replica",
    "run",
    "config",
];

/// Modules of one folder that need each other, by the folder, and why they may.
const TIED: &[(&str, &[&str])] = &[
    // A snapshot is read from its other copies, which are snapshots.
    ("snapshot", &["fallback", "stored"]),
];

#[test]
fn each_module_imports_from_lower_ones_alone() {
    let files = files();
    let found = violations(&files);
    assert!(found.is_empty(), "against the order of the modules:\n{}", found.join("\n"));
    let named: BTreeSet<&str> = ORDER.iter().copied().collect();
    let there: BTreeSet<&str> = files.iter().filter_map(|file| file.top()).collect();
    assert_eq!(there, named, "the order names what is in src");
}

#[test]
fn no_modules_of_a_folder_need_each_other() {
    let found = circles(&files());
    assert!(found.is_empty(), "modules that need each other:\n{}", found.join("\n"));
}

#[test]
fn what_is_against_the_order_is_found() {
    let text = "\
        //! See [`run`](crate::run).\n\
        use crate::{\n    payload::Codec,\n    sources::{self, files as f},\n};\n\
        pub(crate) fn a() { super::run::b(\"crate::config\", crate::format::Name, 'c'); }\n\
        pub(in crate::run) fn c() -> crate::Snapshot { crate::some_macro!() }\n\
        #[cfg(test)]\nmod tests {\n    use crate::run::d;\n}\n\
        mod inner { use super::super::restore::x; use super::y; }\n";
    let of = |name: &str, text: &str| File::new(PathBuf::from(name), text);
    let found = violations(&[of("snapshot.rs", text), of("run/mod.rs", "use super::snapshot;")]);
    let expected = [
        "snapshot.rs:4: snapshot imports sources, which is above it",
        "snapshot.rs:4: snapshot imports sources, which is above it",
        "snapshot.rs:6: snapshot imports run, which is above it",
        "snapshot.rs:7: Snapshot is imported from the crate's root: name its module",
        "snapshot.rs:12: snapshot imports restore, which is above it",
    ];
    assert_eq!(found, expected);

    let tied = [
        of("sinks/mod.rs", "mod a; mod b; pub use a::A;"),
        of("sinks/a.rs", "use super::b::B; pub struct A;"),
        of("sinks/b/mod.rs", "mod c;"),
        of("sinks/b/c.rs", "use crate::sinks::A;"),
    ];
    assert_eq!(circles(&tied), ["src/sinks: a, b"]);
    assert!(circles(&tied[..3]).is_empty());
}

/// A source file: its module, and the paths in it that begin in this crate.
struct File {
    name: PathBuf,
    module: Vec<String>,
    paths: Vec<Import>,
}

struct Import {
    line: usize,
    /// The module that it stands in.
    from: Vec<String>,
    to: Vec<String>,
    /// What an import calls it; nothing for a path in an expression.
    called: Option<String>,
}

impl File {
    fn new(name: PathBuf, text: &str) -> Self {
        let mut module: Vec<String> =
            name.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let mut paths = Vec::new();
        let mut tokens = tokens(text);
        drop_tests(&mut tokens);
        Reader { tokens: &tokens, at: 0, paths: &mut paths }.block(&module);
        Self { name, module, paths }
    }

    fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }
}

/// Every source file but those of tests.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_owned();
                if !name.iter().any(|part| part == "tests" || part == "tests.rs") {
                    files.push(File::new(name, &fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    assert!(files.len() > 100, "the sources were found");
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// The imports that are against [`ORDER`], with their places.
fn violations(files: &[File]) -> Vec<String> {
    let height = |module: &str| ORDER.iter().position(|known| *known == module);
    let mut found = Vec::new();
    for (file, import) in files.iter().flat_map(|file| file.paths.iter().map(move |i| (file, i))) {
        let (Some(from), Some(to)) = (file.top(), import.to.first()) else { continue };
        let place = format!("{}:{}", file.name.display(), import.line);
        match (height(from), height(to)) {
            (None, _) => found.push(format!("{place}: {from} has no place in the order")),
            (_, None) => found
                .push(format!("{place}: {to} is imported from the crate's root: name its module")),
            (Some(below), Some(above)) if below < above => {
                found.push(format!("{place}: {from} imports {to}, which is above it"));
            }
            _ => {}
        }
    }
    found
}

/// The circles among modules that lie in one folder.
fn circles(files: &[File]) -> Vec<String> {
    let modules: BTreeSet<&[String]> = files.iter().map(|file| file.module.as_slice()).collect();
    // What modules give on under names of their own.
    let given: BTreeMap<Vec<String>, &[String]> = files
        .iter()
        .flat_map(|file| &file.paths)
        .filter_map(|import| {
            let name = [import.from.as_slice(), &[import.called.clone()?]].concat();
            (!modules.contains(name.as_slice())).then_some((name, import.to.as_slice()))
        })
        .collect();
    let mut edges: BTreeMap<&[String], BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    let homes: Vec<Vec<String>> = files
        .iter()
        .flat_map(|file| &file.paths)
        .map(|import| {
            let mut to = import.to.clone();
            for _ in 0..8 {
                let next = (1..=to.len())
                    .rev()
                    .find_map(|n| given.get(&to[..n]).map(|given| [given, &to[n..]].concat()));
                match next {
                    Some(next) if next != to => to = next,
                    _ => break,
                }
            }
            while !to.is_empty() && !modules.contains(to.as_slice()) {
                to.pop();
            }
            to
        })
        .collect();
    let imports = files.iter().flat_map(|file| file.paths.iter().map(move |_| &file.module));
    for (from, to) in imports.zip(&homes) {
        let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        if let (Some(a), Some(b)) = (from.get(common), to.get(common)) {
            edges.entry(&from[..common]).or_default().entry(a).or_default().insert(b);
        }
    }
    let mut found = BTreeSet::new();
    for (folder, edges) in &edges {
        let reached = |from: &str| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(module) = next.pop() {
                for to in edges.get(module).into_iter().flatten() {
                    if reached.insert(*to) {
                        next.push(to);
                    }
                }
            }
            reached
        };
        for module in edges.keys() {
            let ahead = reached(module);
            if ahead.contains(module) {
                let circle: Vec<&str> =
                    ahead.into_iter().filter(|other| reached(other).contains(module)).collect();
                if !TIED.contains(&(folder.join("/").as_str(), circle.as_slice())) {
                    found.insert(format!("src/{}: {}", folder.join("/"), circle.join(", ")));
                }
            }
        }
    }
    found.into_iter().collect()
}

#[derive(Clone, Debug)]
struct Token {
    text: String,
    line: usize,
}

/// The names and signs of `text`: comments, literals and lifetimes are left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(&c) = chars.get(at) {
        let start = at;
        let rest = &chars[at..];
        if rest.starts_with(&['/', '/']) {
            at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
        } else if rest.starts_with(&['/', '*']) {
            let mut depth = 0;
            loop {
                match (chars.get(at), chars.get(at + 1)) {
                    (Some('/'), Some('*')) => (depth, at) = (depth + 1, at + 2),
                    (Some('*'), Some('/')) => (depth, at) = (depth - 1, at + 2),
                    (None, _) => break,
                    _ => at += 1,
                }
                if depth == 0 {
                    break;
                }
            }
        } else if let Some(end) = raw_string(rest) {
            at += end;
        } else if c == '"' {
            at += 1;
            while chars.get(at).is_some_and(|c| *c != '"') {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' {
            let is_lifetime =
                rest.get(1).is_some_and(|c| is_name(*c)) && rest.get(2).is_some_and(|c| *c != '\'');
            at += 1;
            if is_lifetime {
                at += rest[1..].iter().take_while(|c| is_name(**c)).count();
            } else {
                at += if rest.get(1) == Some(&'\\') { 2 } else { 1 };
                at += chars[at..].iter().position(|c| *c == '\'').map_or(0, |end| end + 1);
            }
        } else if is_name(c) {
            at += rest.iter().take_while(|c| is_name(**c)).count();
            tokens.push(Token { text: chars[start..at].iter().collect(), line });
        } else if rest.starts_with(&[':', ':']) {
            at += 2;
            tokens.push(Token { text: "::".into(), line });
        } else {
            at += 1;
            if !c.is_whitespace() {
                tokens.push(Token { text: c.into(), line });
            }
        }
        let end = at.min(chars.len());
        line += chars[start..end].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The length of the raw string that `rest` begins with.
fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = usize::from(matches!(rest.first(), Some('b' | 'c')));
    if rest.get(prefix) != Some(&'r') {
        return None;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|c| **c == '#').count();
    let open = prefix + 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let end = [&['"'][..], &vec!['#'; hashes]].concat();
    let len = rest[open + 1..].windows(end.len()).position(|part| part == end)?;
    Some(open + 1 + len + end.len())
}

/// Takes out the items that only tests have.
fn drop_tests(tokens: &mut Vec<Token>) {
    let mut at = 0;
    while at < tokens.len() {
        let is_test = ["#", "[", "cfg", "("].iter().zip(&tokens[at..]).all(|(a, b)| *a == b.text)
            && tokens.get(at + 4).is_some_and(|token| token.text == "test")
            || ["#", "[", "cfg", "(", "all", "(", "test"]
                .iter()
                .enumerate()
                .all(|(n, text)| tokens.get(at + n).is_some_and(|token| token.text == *text));
        if !is_test {
            at += 1;
            continue;
        }
        let (mut end, mut depth) = (at, 0);
        while let Some(token) = tokens.get(end) {
            end += 1;
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" => depth -= 1,
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                // A field, a variant or a statement.
                ";" | "," if depth == 0 => break,
                _ => {}
            }
        }
        tokens.drain(at..end);
    }
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    paths: &'a mut Vec<Import>,
}

impl Reader<'_> {
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| &token.text)
    }

    /// Reads to the end of a block of `module`.
    fn block(&mut self, module: &[String]) {
        while self.at < self.tokens.len() {
            match self.text(0) {
                "}" => {
                    self.at += 1;
                    return;
                }
                "{" => {
                    self.at += 1;
                    self.block(module);
                }
                "mod" if self.text(2) == "{" => {
                    let inner = [module, &[self.text(1).to_owned()]].concat();
                    self.at += 3;
                    self.block(&inner);
                }
                "use" => {
                    self.at += 1;
                    self.tree(module, &[]);
                }
                // Says who sees something.
                "in" if self.at > 0 && self.tokens[self.at - 1].text == "(" => self.at += 2,
                "crate" | "super" | "self" if self.text(1) == "::" => self.path(module),
                _ => self.at += 1,
            }
        }
    }

    /// Reads a path in an expression or a type.
    fn path(&mut self, module: &[String]) {
        let line = self.tokens[self.at].line;
        let mut path = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::"
            && self.text(1).starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            path.push(self.text(1).to_owned());
            self.at += 2;
        }
        // A macro of the crate's root has no module.
        if self.text(0) != "!" {
            self.add(module, &path, line, None);
        }
    }

    /// Reads one tree of an import whose path so far is `before`.
    fn tree(&mut self, module: &[String], before: &[String]) {
        let (mut path, line) = (before.to_vec(), self.tokens[self.at].line);
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while self.text(0) != "}" {
                        self.tree(module, &path);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "," | "}" | ";" | "" => break,
                "as" => {
                    let called = Some(self.text(1).to_owned());
                    self.at += 2;
                    self.add(module, &path, line, called);
                    return;
                }
                text => {
                    path.push(text.to_owned());
                    self.at += 1;
                }
            }
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let called = path.last().cloned();
        self.add(module, &path, line, called);
    }

    /// Keeps `path`, as it is seen from the crate's root. One that begins with a name alone leads to a
    /// module inside this one, or out of the crate and so to nothing in it.
    fn add(&mut self, module: &[String], path: &[String], line: usize, called: Option<String>) {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let to = match path.first().map(String::as_str) {
            Some("crate") => path[1..].to_vec(),
            Some("self") => [module, &path[1..]].concat(),
            _ => [&module[..module.len().saturating_sub(ups)], &path[ups..]].concat(),
        };
        self.paths.push(Import { line, from: module.to_vec(), to, called });
    }
}
