//! Reads nginx's configuration language back, by the rules of nginx's own reader.

use seaworthy_core::{Error, ErrorKind, Result};

/// Blocks must not be nested deeper than this, in any file.
const DEEPEST: usize = 64;

/// A directive as nginx reads it: its words without quotes, and its block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directive {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// Its name and its arguments.
    pub words: Vec<String>,
    /// What is between its braces.
    pub block: Option<Vec<Directive>>,
}

impl Directive {
    /// Its name.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Its arguments.
    pub fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Calls `each` for this directive and for all below it.
    pub fn walk<'a>(&'a self, each: &mut dyn FnMut(&'a Directive)) {
        each(self);
        for inner in self.block.iter().flatten() {
            inner.walk(each);
        }
    }

    /// Sets every line to 0, for comparing.
    #[cfg(test)]
    pub(crate) fn forget_lines(&mut self) {
        self.line = 0;
        self.block.iter_mut().flatten().for_each(Self::forget_lines);
    }
}

#[derive(PartialEq)]
enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
}

/// Reads `text`. Fails where nginx would, and names the line.
pub fn parse(text: &str) -> Result<Vec<Directive>> {
    let mut lexer = Lexer { rest: text, line: 1 };
    let mut open: Vec<(Directive, Vec<Directive>)> = Vec::new();
    let mut here = Vec::new();
    let mut words = Vec::new();
    let mut first_line = 1;
    while let Some((token, line)) = lexer.next()? {
        let fail = |message: &str| Err(error(line, message));
        match token {
            Token::Word(word) => {
                if words.is_empty() {
                    first_line = line;
                }
                words.push(word);
            }
            Token::Semicolon if words.is_empty() => return fail("unexpected \";\""),
            Token::Semicolon => {
                let words = std::mem::take(&mut words);
                here.push(Directive { line: first_line, words, block: None });
            }
            Token::Open if words.is_empty() => return fail("unexpected \"{\""),
            Token::Open if open.len() == DEEPEST => return fail("blocks nest too deeply"),
            Token::Open => {
                let words = std::mem::take(&mut words);
                let directive = Directive { line: first_line, words, block: None };
                if directive.name().ends_with("_by_lua_block") {
                    return fail("Lua blocks cannot be read");
                }
                open.push((directive, std::mem::take(&mut here)));
            }
            Token::Close => match open.pop() {
                Some((mut directive, outer)) if words.is_empty() => {
                    directive.block = Some(std::mem::replace(&mut here, outer));
                    here.push(directive);
                }
                _ => return fail("unexpected \"}\""),
            },
        }
    }
    if let Some((directive, _)) = open.last() {
        return Err(error(directive.line, "a \"{\" is never closed"));
    }
    if !words.is_empty() {
        return Err(error(first_line, "a directive does not end with \";\""));
    }
    Ok(here)
}

fn error(line: usize, message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "nginx.parse", format!("line {line}: {message}"))
        .with("line", line)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn next(&mut self) -> Result<Option<(Token, usize)>> {
        loop {
            match self.peek() {
                None => return Ok(None),
                Some(' ' | '\t' | '\r' | '\n') => {
                    self.bump();
                }
                Some('#') => while self.bump().is_some_and(|c| c != '\n') {},
                Some(_) => break,
            }
        }
        let line = self.line;
        let token = match self.peek() {
            Some(';') => Token::Semicolon,
            Some('{') => Token::Open,
            Some('}') => Token::Close,
            Some(quote @ ('"' | '\'')) => {
                self.bump();
                return Ok(Some((Token::Word(self.quoted(quote, line)?), line)));
            }
            _ => return Ok(Some((Token::Word(self.bare()), line))),
        };
        self.bump();
        Ok(Some((token, line)))
    }

    fn quoted(&mut self, quote: char, line: usize) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(error(line, "a quote is never closed")),
                Some(c) if c == quote => break,
                Some('\\') => self.escape(&mut text),
                Some(c) => text.push(c),
            }
        }
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | ';' | '{' | ')') => Ok(text),
            Some(c) => Err(error(self.line, &format!("unexpected {c:?} after a quote"))),
        }
    }

    fn bare(&mut self) -> String {
        let mut text = String::new();
        // `${` does not begin a block.
        let mut dollar = false;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' => break,
                '{' if !dollar => break,
                _ => {}
            }
            self.bump();
            dollar = c == '$';
            if c == '\\' { self.escape(&mut text) } else { text.push(c) }
        }
        text
    }

    /// After a backslash: a few characters lose it, all others keep it.
    fn escape(&mut self, text: &mut String) {
        match self.bump() {
            Some(c @ ('"' | '\'' | '\\')) => text.push(c),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('n') => text.push('\n'),
            Some(c) => text.extend(['\\', c]),
            None => text.push('\\'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        parse(text).unwrap().remove(0).words
    }

    #[test]
    fn reads_as_nginx_does() {
        assert_eq!(
            words(r#"a "b \" \\ \$x" 'c"' d\;e ${f}g;"#),
            ["a", "b \" \\ \\$x", "c\"", "d\\;e", "${f}g"]
        );
        assert_eq!(words("a b}c d#e; # comment ;"), ["a", "b}c", "d#e"]);
        let read = parse("http {\n  server { listen 80; }\n}\n").unwrap();
        let server = &read[0].block.as_ref().unwrap()[0];
        assert_eq!((server.name(), server.line), ("server", 2));
    }

    #[test]
    fn refuses_what_is_not_whole() {
        for (bad, line) in [
            ("a", 1),
            ("a {", 1),
            ("\n}", 2),
            ("a; ;", 1),
            ("a \"b;", 1),
            ("a \"b\"c;", 1),
            ("a }", 1),
            ("{ }", 1),
        ] {
            let error = parse(bad);
            if bad == "a }" {
                // A brace inside a word is part of it, but this one stands alone.
                assert!(error.is_err());
                continue;
            }
            let text = error.unwrap_err().to_string();
            assert!(text.starts_with(&format!("line {line}: ")), "{bad:?}: {text}");
        }
        assert!(parse(&"a {".repeat(100_000)).is_err());
    }
}
