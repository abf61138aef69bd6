//! YAML as a tree in which every text is a JSON string: no text can be read as a number, a boolean,
//! an alias or a new line.

use std::collections::BTreeMap;

use seaworthy_core::Origin;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Yaml {
    Text(String),
    Bool(bool),
    Number(u32),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
    /// A value with a comment above its key.
    Because(&'static str, Box<Yaml>),
    /// A value with its origin in the model.
    Of(Origin, Box<Yaml>),
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Yaml {
    pub(super) fn because(self, reason: &'static str) -> Self {
        Self::Because(reason, Box::new(self))
    }

    pub(super) fn of(self, origin: Origin) -> Self {
        Self::Of(origin, Box::new(self))
    }
}

/// A table of keys in this order.
pub(super) fn map<K: Into<String>, V: Into<Yaml>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> Yaml {
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
}

/// The document, and where its lines come from.
pub(super) fn print(document: &Yaml) -> (String, BTreeMap<usize, Origin>) {
    let mut printer = Printer { text: String::new(), lines: BTreeMap::new() };
    printer.block(document, 0);
    (printer.text, printer.lines)
}

struct Printer {
    text: String,
    lines: BTreeMap<usize, Origin>,
}

impl Printer {
    /// Writes a table or a list, each entry on lines of its own.
    fn block(&mut self, value: &Yaml, depth: usize) {
        match value {
            Yaml::Map(entries) => {
                for (key, value) in entries {
                    self.entry(key, value, depth);
                }
            }
            Yaml::List(items) => items.iter().for_each(|item| self.item(item, depth)),
            _ => {}
        }
    }

    fn indent(&mut self, depth: usize) {
        // The first key of a list item is on the line of the dash.
        if !self.text.ends_with("- ") {
            self.text.push_str(&"  ".repeat(depth));
        }
    }

    fn entry(&mut self, key: &str, value: &Yaml, depth: usize) {
        let value = self.bare(value, depth);
        self.indent(depth);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let reserved = ["on", "off", "yes", "no", "y", "n", "true", "false", "null"];
        let bare = key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(plain)
            && !reserved.contains(&key.to_ascii_lowercase().as_str());
        self.text.push_str(&if bare { key.to_owned() } else { text(key) });
        self.text.push(':');
        match value {
            Yaml::Map(entries) if !entries.is_empty() => {
                self.text.push('\n');
                self.block(value, depth + 1);
            }
            Yaml::List(items) if !items.is_empty() => {
                self.text.push('\n');
                self.block(value, depth + 1);
            }
            value => {
                self.text.push(' ');
                self.text.push_str(&scalar(value));
                self.text.push('\n');
            }
        }
    }

    fn item(&mut self, item: &Yaml, depth: usize) {
        let item = self.bare(item, depth);
        self.indent(depth);
        self.text.push_str("- ");
        match item {
            Yaml::Map(entries) if !entries.is_empty() => self.block(item, depth + 1),
            item => {
                self.text.push_str(&scalar(item));
                self.text.push('\n');
            }
        }
    }

    /// Writes the comment of a value and notes its origin.
    fn bare<'v>(&mut self, mut value: &'v Yaml, depth: usize) -> &'v Yaml {
        loop {
            match value {
                Yaml::Because(reason, inner) => {
                    self.indent(depth);
                    self.text.push_str(&format!("# {reason}\n"));
                    value = inner;
                }
                Yaml::Of(origin, inner) => {
                    self.lines.insert(self.text.matches('\n').count() + 1, origin.clone());
                    value = inner;
                }
                value => return value,
            }
        }
    }
}

fn scalar(value: &Yaml) -> String {
    match value {
        Yaml::Text(content) => text(content),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Number(number) => number.to_string(),
        Yaml::List(_) => "[]".to_owned(),
        Yaml::Map(_) => "{}".to_owned(),
        Yaml::Because(_, inner) | Yaml::Of(_, inner) => scalar(inner),
    }
}

/// A JSON string in ASCII, which every YAML parser reads as the same text.
fn text(content: &str) -> String {
    let mut out = String::from("\"");
    for c in content.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            ' '..='~' => out.push(c),
            // YAML has one escape for what JSON writes as a surrogate pair.
            c if u32::from(c) > 0xffff => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
