//! Splits a stream of SQL into statements, as psql does.
//!
//! Works on bytes: in every encoding of a server, no byte of a multi-byte character is an ASCII
//! one.

/// Extracts statements from a growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    buffer: Vec<u8>,
}

impl Splitter {
    /// Adds `sql` and returns the statements that are complete, each with its semicolon and without
    /// the text before it. psql's own commands are skipped.
    pub(crate) fn push(&mut self, sql: &[u8]) -> Vec<Vec<u8>> {
        self.buffer.extend_from_slice(sql);
        let (mut statements, mut start) = (Vec::new(), 0);
        while let Some((begin, end)) = next_statement(&self.buffer[start..]) {
            statements.push(self.buffer[start + begin..start + end].to_vec());
            start += end;
        }
        self.buffer.drain(..start);
        statements
    }

    /// What is left at the end: only space and comments, if the SQL was complete.
    pub(crate) fn rest(self) -> Option<Vec<u8>> {
        let mut ended = self.buffer;
        ended.extend_from_slice(b"\n;");
        let (begin, end) = next_statement(&ended)?;
        (end - begin > 1).then(|| ended[begin..end].to_vec())
    }
}

/// Where the first statement begins and ends, or `None` if it is not complete.
fn next_statement(sql: &[u8]) -> Option<(usize, usize)> {
    let (mut at, mut begin) = (0, None);
    let mut words = Words::default();
    let mut parentheses = 0_u32;
    while let Some(&byte) = sql.get(at) {
        let rest = &sql[at..];
        let next = sql.get(at + 1);
        let line_start = at == 0 || sql[at - 1] == b'\n';
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0x0c => {
                at += 1;
                continue;
            }
            b'-' if next == Some(&b'-') => {
                at += find(rest, b"\n")?;
                continue;
            }
            b'/' if next == Some(&b'*') => {
                at += comment(rest)?;
                continue;
            }
            // Commands such as `\restrict` are for psql, not for the server.
            b'\\' if begin.is_none() && line_start => {
                at += find(rest, b"\n")? + 1;
                continue;
            }
            _ => {}
        }
        let begin = *begin.get_or_insert(at);
        match byte {
            b'\'' => at += quoted(rest, b'\'', false)?,
            b'"' => at += quoted(rest, b'"', false)?,
            b'$' => at += dollar_quoted(rest)?,
            b'(' | b'[' => {
                parentheses += 1;
                at += 1;
            }
            b')' | b']' => {
                parentheses = parentheses.saturating_sub(1);
                at += 1;
            }
            b';' if parentheses == 0 && words.depth == 0 => return Some((begin, at + 1)),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => {
                let is_word = |b: &u8| b.is_ascii_alphanumeric() || b"_$".contains(b) || *b >= 0x80;
                let length = rest.iter().take_while(|b| is_word(b)).count();
                if at + length == sql.len() {
                    return None;
                }
                let word = &rest[..length];
                at += length;
                if word.eq_ignore_ascii_case(b"e") && sql[at] == b'\'' {
                    at += quoted(&sql[at..], b'\'', true)?;
                } else if parentheses == 0 {
                    words.see(word);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// Counts `BEGIN ATOMIC … END` in the body of a function: semicolons in it do not end the
/// statement.
#[derive(Debug, Default)]
struct Words {
    seen: u32,
    creates: bool,
    is_function: bool,
    depth: u32,
}

impl Words {
    fn see(&mut self, word: &[u8]) {
        let is = |text: &str| word.eq_ignore_ascii_case(text.as_bytes());
        self.seen += 1;
        match self.seen {
            1 => self.creates = is("create"),
            2..=4 if self.creates => self.is_function |= is("function") || is("procedure"),
            _ => {}
        }
        if !self.is_function {
        } else if is("begin") || (self.depth > 0 && is("case")) {
            self.depth += 1;
        } else if is("end") {
            self.depth = self.depth.saturating_sub(1);
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The length of a comment; they nest.
fn comment(text: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_u32, 0);
    loop {
        match text.get(at..at + 2)? {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

/// The length of a quoted string or name. A doubled quote looks like two strings, which is
/// harmless; with `escapes` a backslash escapes the next character.
fn quoted(text: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'\\' if escapes => at += 2,
            byte if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The length of `$tag$…$tag$`, or of the dollar alone.
fn dollar_quoted(text: &[u8]) -> Option<usize> {
    let is_tag = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80;
    let length = text[1..].iter().take_while(|b| is_tag(b)).count();
    match text.get(1 + length)? {
        b'$' => {
            let tag = &text[..length + 2];
            Some(2 * tag.len() + find(&text[tag.len()..], tag)?)
        }
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRICKY: [&str; 12] = [
        "SELECT 1;",
        "SELECT ';', E'\\';', \"a;b\", 'it''s;';",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $_$ SELECT ';'; $$ $_$;",
        "CREATE FUNCTION a(x int DEFAULT 1) RETURNS int\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT CASE WHEN (x > 1) THEN 1 ELSE 2 END;\n SELECT 2;\nEND;",
        "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END;",
        "CREATE RULE r AS ON INSERT TO t DO (NOTIFY a; NOTIFY b);",
        "COMMENT ON TABLE x IS '\n\\unrestrict x\n-- not';",
        "SELECT /* ; /* ; */ ' */ 1;",
        "CREATE TABLE ende (begin int, \"case\" text);",
        "SELECT $1 - 2;",
        "CREATE INDEX \"ü;\" ON \"Odd \"\";\" USING btree (é);",
        "SELECT '{1}'::int[] [1];",
    ];

    #[test]
    fn tricky_statements_stay_whole() {
        let text = format!(
            "-- a; b\n\\restrict abc;\n\n{}\n\\unrestrict abc\n-- end",
            TRICKY.join("\n\n")
        );
        let mut splitter = Splitter::default();
        let found: Vec<_> = splitter
            .push(text.as_bytes())
            .into_iter()
            .map(|s| String::from_utf8(s).unwrap())
            .collect();
        assert_eq!(found, TRICKY);
        assert_eq!(splitter.rest(), None);
        let mut splitter = Splitter::default();
        assert!(splitter.push(b"SELECT 1").is_empty());
        assert_eq!(splitter.rest().unwrap(), b"SELECT 1\n;");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_stream_is_cut(cuts in prop::collection::vec(1_usize..40, 1..60)) {
            let text = TRICKY.join("\n");
            let (mut splitter, mut found, mut rest) = (Splitter::default(), Vec::new(), text.as_bytes());
            let mut cuts = cuts.into_iter().cycle();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
                found.extend(splitter.push(now));
                rest = later;
            }
            let found: Vec<_> = found.iter().map(|s| std::str::from_utf8(s).unwrap()).collect();
            prop_assert_eq!(found, TRICKY);
        }
    }
}
