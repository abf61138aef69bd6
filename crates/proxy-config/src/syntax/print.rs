//! Prints the tree.

use std::collections::BTreeMap;

use seaworthy_core::{Error, ErrorKind, Origin, Result};

use super::{Node, Part, Word};

/// One token must fit into nginx's buffer of 4,096 bytes, including quotes.
const LONGEST_TOKEN: usize = 4000;

/// The approximate size of a site's file, in bytes.
const ROOM: usize = 16 << 10;

/// Text, and where its lines come from: each entry applies from that line to the next.
pub(crate) struct Printed {
    pub(crate) text: String,
    pub(crate) lines: BTreeMap<usize, Origin>,
}

/// Prints `nodes` below the lines of `head`. Fails if a word would not be read back unchanged.
pub(crate) fn print(head: &str, nodes: &[Node]) -> Result<Printed> {
    let mut printer =
        Printer { text: String::with_capacity(ROOM), line: 1, lines: BTreeMap::new(), last: None };
    printer.text.push_str(head);
    printer.line += head.matches('\n').count();
    printer.nodes(nodes, 0, None)?;
    Ok(Printed { text: printer.text, lines: printer.lines })
}

struct Printer {
    text: String,
    line: usize,
    lines: BTreeMap<usize, Origin>,
    /// Where the lines last came from.
    last: Option<Origin>,
}

impl Printer {
    fn nodes(&mut self, nodes: &[Node], depth: usize, outer: Option<&Origin>) -> Result<()> {
        for (i, node) in nodes.iter().enumerate() {
            if i > 0 && depth < 2 && (node.block.is_some() || nodes[i - 1].block.is_some()) {
                self.newline();
            }
            let origin = node.origin.as_ref().or(outer);
            self.begin(depth, origin);
            if let Some(reason) = node.reason {
                self.text.push_str("# ");
                self.text.push_str(reason);
                self.newline();
                self.begin(depth, origin);
            }
            for (i, word) in node.words.iter().enumerate() {
                if i > 0 {
                    self.text.push(' ');
                }
                self.word(word)?;
            }
            match &node.block {
                None => self.text.push(';'),
                Some(block) if block.is_empty() => self.text.push_str(" { }"),
                Some(block) => {
                    self.text.push_str(" {");
                    self.newline();
                    self.nodes(block, depth + 1, origin)?;
                    self.begin(depth, origin);
                    self.text.push('}');
                }
            }
            self.newline();
        }
        Ok(())
    }

    fn begin(&mut self, depth: usize, origin: Option<&Origin>) {
        if let Some(origin) = origin.filter(|origin| self.last.as_ref() != Some(origin)) {
            self.lines.insert(self.line, origin.clone());
            self.last = Some(origin.clone());
        }
        for _ in 0..depth {
            self.text.push_str("    ");
        }
    }

    fn newline(&mut self) {
        self.text.push('\n');
        self.line += 1;
    }

    fn word(&mut self, word: &Word) -> Result<()> {
        // Nearly all words are like this one.
        if let Some(text) = word.as_text().filter(|text| is_plain(text)) {
            self.text.push_str(text);
            return Ok(());
        }
        for part in word.parts() {
            let sound = match part {
                Part::Text(text) => !text.contains(|c: char| c == '$' || c.is_control()),
                Part::Raw(text) => !text.contains(['\0', '\r']),
                Part::Variable(name) => {
                    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
                }
            };
            if !sound {
                let message = format!("{part:?} cannot be written in an nginx file");
                return Err(Error::new(ErrorKind::InvalidInput, "nginx.print", message));
            }
        }
        let value = word.value();
        let start = self.text.len();
        if is_bare(&value) {
            self.text.push_str(&value);
        } else {
            self.text.push('"');
            for c in value.chars() {
                match c {
                    '"' | '\\' => self.text.extend(['\\', c]),
                    '\n' => self.text.push_str("\\n"),
                    '\t' => self.text.push_str("\\t"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        let length = self.text.len() - start;
        if length > LONGEST_TOKEN {
            let message = format!("a value of {length} bytes is longer than nginx reads");
            return Err(Error::new(ErrorKind::InvalidInput, "nginx.print", message)
                .remedy_is("keep each value below 4,000 bytes"));
        }
        Ok(())
    }
}

/// Whether `text` is short, and nothing in it is special to nginx.
fn is_plain(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.' | b'/');
    (1..LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(plain)
}

/// Whether `value` means the same without quotes: nothing in it ends a word or starts something
/// else.
fn is_bare(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"_./:*=,-+@$^~|&?!<>%[]()".contains(&c))
}
