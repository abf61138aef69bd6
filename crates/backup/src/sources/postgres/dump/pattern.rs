//! Name patterns as in `pg_dump` and psql: `public.log_*`, `"Odd Name"`.

use seaworthy_core::{Error, ErrorKind, Result};

/// A pattern as regular expressions of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What the schema's name must match; without one, the relation must be in the search path.
    pub(crate) schema: Option<String>,
    /// What the name itself must match.
    pub(crate) name: String,
}

impl Pattern {
    /// Reads `pattern`: outside of quotes, capitals fold, `*` and `?` match any characters and a
    /// dot separates schema and name.
    pub(crate) fn parse(pattern: &str) -> Result<Self> {
        let invalid = |why: &str| {
            let message = format!("the pattern `{pattern}` {why}");
            Error::new(ErrorKind::InvalidInput, "postgres.pattern", message)
                .remedy_is("write schema.table, where * matches any characters")
        };
        let mut parts = vec![String::new()];
        let mut quoted = false;
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            let part = parts.last_mut().ok_or_else(|| invalid("is empty"))?;
            match c {
                '"' if quoted && chars.next_if_eq(&'"').is_some() => part.push('"'),
                '"' => quoted = !quoted,
                c if quoted && "|*+?()[]{}.^$\\".contains(c) => part.extend(['\\', c]),
                c if quoted => part.push(c),
                '*' => part.push_str(".*"),
                '?' => part.push('.'),
                '.' => parts.push(String::new()),
                '$' => part.push_str("\\$"),
                c => part.extend(c.to_lowercase()),
            }
        }
        if quoted {
            return Err(invalid("has a quote that does not end"));
        }
        if parts.iter().any(String::is_empty) {
            return Err(invalid("has an empty name"));
        }
        let whole = |part: &String| format!("^({part})$");
        match parts.as_slice() {
            [name] => Ok(Self { schema: None, name: whole(name) }),
            [schema, name] => Ok(Self { schema: Some(whole(schema)), name: whole(name) }),
            _ => Err(invalid("has too many dots")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(pattern: &str) -> (Option<String>, String) {
        let pattern = Pattern::parse(pattern).unwrap();
        (pattern.schema, pattern.name)
    }

    #[test]
    fn patterns_are_read_as_pg_dump_reads_them() {
        assert_eq!(parts("Users"), (None, "^(users)$".into()));
        assert_eq!(parts("public.log_*"), (Some("^(public)$".into()), "^(log_.*)$".into()));
        assert_eq!(
            parts(r#""Odd.Schema"."a""b*""#),
            (Some(r"^(Odd\.Schema)$".into()), r#"^(a"b\*)$"#.into())
        );
        for wrong in ["", "a.", "a.b.c", "\"a"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
