//! nginx's configuration language as a tree. The tree alone decides how words are quoted: nothing
//! else in this crate formats configuration text.

mod lex;
mod print;

pub use lex::{Directive, parse};
pub(crate) use print::print;
use std::borrow::Cow;

use seaworthy_core::Origin;

/// One word of a directive: pieces of literal text, and variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    // Nearly all words have one part: these need no list.
    first: Part,
    more: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Literal text. A `$` or a control character in it is a bug and makes printing fail.
    Text(Cow<'static, str>),
    /// A variable's name, without the `$`.
    Variable(Cow<'static, str>),
    /// As nginx reads it after unquoting, with variables: for our own constants and for the user's
    /// snippets.
    Raw(Cow<'static, str>),
}

impl Word {
    /// A literal word.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Part::Text(text.into()).into()
    }

    /// The value of the variable `name`, written without the `$`.
    pub fn variable(name: impl Into<Cow<'static, str>>) -> Self {
        Part::Variable(name.into()).into()
    }

    /// A word in nginx's own terms, such as a regular expression or a text with variables. Only
    /// for constants and snippets: other user text never goes through here.
    pub(crate) fn raw(text: impl Into<Cow<'static, str>>) -> Self {
        Part::Raw(text.into()).into()
    }

    /// The same word with `text` appended.
    #[must_use]
    pub fn then_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.more.push(Part::Text(text.into()));
        self
    }

    /// The same word with a variable appended.
    #[must_use]
    pub fn then_variable(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.more.push(Part::Variable(name.into()));
        self
    }

    /// Its text, if it is only text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match (&self.first, self.more.as_slice()) {
            (Part::Text(text), []) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// What nginx sees after unquoting: what [`parse`] must return.
    pub fn value(&self) -> Cow<'_, str> {
        if let (Part::Text(text) | Part::Raw(text), []) = (&self.first, self.more.as_slice()) {
            return Cow::Borrowed(text);
        }
        let mut value = String::new();
        let mut parts = self.parts().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Text(text) | Part::Raw(text) => value.push_str(text),
                Part::Variable(name) => {
                    // `$a` then `b` would read as `$ab`.
                    let glued = parts.peek().is_some_and(|next| match next {
                        Part::Text(text) | Part::Raw(text) => text
                            .starts_with(|c: char| c.is_ascii_alphanumeric() || "_[{".contains(c)),
                        Part::Variable(_) => false,
                    });
                    value.push_str(if glued { "${" } else { "$" });
                    value.push_str(name);
                    value.push_str(if glued { "}" } else { "" });
                }
            }
        }
        Cow::Owned(value)
    }
}

impl From<Part> for Word {
    fn from(first: Part) -> Self {
        Self { first, more: Vec::new() }
    }
}

impl From<&'static str> for Word {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Cow<'static, str>> for Word {
    fn from(text: Cow<'static, str>) -> Self {
        Self::text(text)
    }
}

/// One directive, with its block if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub(crate) words: Vec<Word>,
    pub(crate) block: Option<Vec<Node>>,
    pub(crate) reason: Option<&'static str>,
    pub(crate) origin: Option<Origin>,
}

impl Node {
    /// A directive that ends with a semicolon.
    pub fn new<W: Into<Word>>(
        name: impl Into<Cow<'static, str>>,
        arguments: impl IntoIterator<Item = W>,
    ) -> Self {
        let name = std::iter::once(Word::text(name));
        let words = name.chain(arguments.into_iter().map(Into::into)).collect();
        Self { words, block: None, reason: None, origin: None }
    }

    /// A directive with a block.
    pub fn block<W: Into<Word>>(
        name: impl Into<Cow<'static, str>>,
        arguments: impl IntoIterator<Item = W>,
        block: Vec<Node>,
    ) -> Self {
        Self { block: Some(block), ..Self::new(name, arguments) }
    }

    /// The same directive with a comment above it that says why it is there.
    #[must_use]
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// The same directive, with its origin in the model.
    #[must_use]
    pub fn of(self, origin: &Origin) -> Self {
        Self { origin: Some(origin.clone()), ..self }
    }

    /// What [`parse`] must return for it, without lines.
    pub fn reads_as(&self) -> Directive {
        Directive {
            line: 0,
            words: self.words.iter().map(|word| word.value().into_owned()).collect(),
            block: self.block.as_ref().map(|b| b.iter().map(Self::reads_as).collect()),
        }
    }

    /// The tree of `directive`, word for word.
    pub(crate) fn of_directive(directive: &Directive) -> Self {
        Self {
            words: directive.words.iter().cloned().map(Word::raw).collect(),
            block: directive
                .block
                .as_ref()
                .map(|block| block.iter().map(Self::of_directive).collect()),
            reason: None,
            origin: None,
        }
    }
}

/// A directive with one plain argument, such as `gzip on`.
pub(crate) fn set(name: impl Into<Cow<'static, str>>, value: impl Into<Word>) -> Node {
    Node::new(name, [value.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node() -> impl Strategy<Value = Node> {
        let part = prop_oneof![
            "[^$\\pC]{0,12}".prop_map(|text| Part::Text(text.into())),
            r#"["'\\{};# tn$~@*=]{0,6}"#
                .prop_filter("no variable", |text| !text.contains('$'))
                .prop_map(|text| Part::Text(text.into())),
            "[a-z_]{1,5}".prop_map(|name| Part::Variable(name.into())),
        ];
        let word = prop::collection::vec(part, 1..4).prop_map(|mut parts| {
            let first = parts.remove(0);
            Word { first, more: parts }
        });
        let words = prop::collection::vec(word, 0..4);
        let leaf = ("[a-z_]{1,8}", words.clone()).prop_map(|(name, words)| Node::new(name, words));
        leaf.prop_recursive(3, 16, 4, move |inner| {
            ("[a-z_]{1,8}", words.clone(), prop::collection::vec(inner, 0..4))
                .prop_map(|(name, words, block)| Node::block(name, words, block))
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_to_the_same_words(nodes in prop::collection::vec(node(), 0..5)) {
            let text = print("", &nodes).unwrap().text;
            let mut read = parse(&text).unwrap();
            read.iter_mut().for_each(Directive::forget_lines);
            let meant: Vec<_> = nodes.iter().map(Node::reads_as).collect();
            prop_assert_eq!(read, meant, "{}", text);
        }

        #[test]
        fn the_parser_ends_on_any_text(text in "[a-z \"'\\\\{};#$\n\t\r]{0,64}") {
            if let Ok(read) = parse(&text) {
                let nodes: Vec<_> = read.iter().map(Node::of_directive).collect();
                if let Ok(printed) = print("", &nodes) {
                    let mut again = parse(&printed.text).unwrap();
                    again.iter_mut().for_each(Directive::forget_lines);
                    let mut read = read;
                    read.iter_mut().for_each(Directive::forget_lines);
                    prop_assert_eq!(again, read);
                }
            }
        }
    }

    #[test]
    fn text_can_carry_neither_variables_nor_lines() {
        for bad in ["$host", "a\nb", "a\rb", "a\0b"] {
            assert!(print("", &[Node::new("x", [bad])]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lines_know_where_they_come_from() {
        let origin = Origin::new("site.a");
        let inner = Node::new("deny", ["all"]).of(&origin.field("allow"));
        let printed =
            print("", &[Node::block("server", [""; 0], vec![inner]).of(&origin)]).unwrap();
        assert_eq!(printed.text, "server {\n    deny all;\n}\n");
        assert_eq!(printed.lines[&2].as_str(), "site.a.allow");
        assert_eq!(printed.lines[&3].as_str(), "site.a");
    }
}
