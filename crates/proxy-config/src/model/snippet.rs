//! The escape hatch: directives of nginx's own.

use std::str::FromStr;

use seaworthy_core::{Error, Result};

use crate::syntax::{Directive, Node, parse};

/// Directives of nginx's own. They are parsed and printed again, so that they cannot end the block
/// that they are in; what they do is not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet(Vec<Directive>);

impl Snippet {
    /// The directives.
    pub fn directives(&self) -> &[Directive] {
        &self.0
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node> {
        self.0.iter().map(|directive| {
            Node::of_directive(directive).because("from a snippet: not checked by Seaworthy")
        })
    }
}

impl FromStr for Snippet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map(Self)
    }
}

seaworthy_core::written_as_string!(Snippet, "Snippet", "directives of nginx");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cannot_leave_its_block() {
        for bad in ["} server {", "deny all; }", "location / {", "\"deny all", "deny all"] {
            assert!(bad.parse::<Snippet>().is_err(), "{bad:?}");
        }
        assert_eq!("deny all; # }".parse::<Snippet>().unwrap().directives().len(), 1);
    }
}
