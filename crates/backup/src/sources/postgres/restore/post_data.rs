//! Indexes and constraints in parallel, as far as their locks allow; everything else in order.

use std::sync::Arc;

use seaworthy_core::{Context, Result};

use super::{
    batch::Batch,
    index_memory::IndexMemory,
    jobs::together,
    statements::{execute, execute_all, words},
    statistics::Tables,
};
use crate::sources::postgres::connect::session::Session;

/// The kind of a statement in the section after the rows.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Changes how later statements of the same session work.
    Setting,
    /// Creates a key of this table, or a unique index, which a foreign key may need; `true` for an
    /// exclusive lock on the table.
    Key(String, bool),
    /// Creates an index of this table, or chooses one; `true` likewise.
    Index(String, bool),
    /// Adds a foreign key from a table to another one.
    ForeignKey { own: String, to: String },
    /// Waits for everything before it, and everything after waits for it.
    Alone,
}

/// Whether `sql` adds a foreign key.
pub(crate) fn is_foreign_key(sql: &str) -> bool {
    let mut words = words(sql);
    words.next() == Some("ALTER")
        && words.next() == Some("TABLE")
        && words.by_ref().take(12).any(|word| word == "FOREIGN")
        && words.next() == Some("KEY")
}

fn classify(sql: &str) -> Kind {
    let all: Vec<&str> = words(sql).collect();
    match all.as_slice() {
        ["SET", ..] => Kind::Setting,
        ["SELECT", "pg_catalog", ".", "set_config", ..] => Kind::Setting,
        // Several indexes of one table are built in parallel.
        ["CREATE", "INDEX", _, "ON", "ONLY", rest @ ..]
        | ["CREATE", "INDEX", _, "ON", rest @ ..] => Kind::Index(table(rest), false),
        ["CREATE", "UNIQUE", "INDEX", _, "ON", "ONLY", rest @ ..]
        | ["CREATE", "UNIQUE", "INDEX", _, "ON", rest @ ..] => Kind::Key(table(rest), false),
        ["ALTER", "TABLE", "ONLY", rest @ ..] => {
            let own = table(rest);
            match rest.get(3..) {
                Some(["ADD", "CONSTRAINT", _, "PRIMARY" | "UNIQUE" | "EXCLUDE", ..]) => {
                    Kind::Key(own, true)
                }
                Some(["CLUSTER", "ON", ..]) => Kind::Index(own, true),
                Some(["ADD", "CONSTRAINT", _, "FOREIGN", "KEY", rest @ ..]) => {
                    match rest.iter().position(|word| *word == "REFERENCES") {
                        Some(at) => Kind::ForeignKey { own, to: table(&rest[at + 1..]) },
                        None => Kind::Alone,
                    }
                }
                _ => Kind::Alone,
            }
        }
        _ => Kind::Alone,
    }
}

/// `schema.name` at the beginning of `words`.
fn table(words: &[&str]) -> String {
    words.iter().take(3).copied().collect()
}

/// Runs `statements` on `sessions`; the statistics of `tables` are gathered before the first
/// statement that needs them.
pub(crate) async fn run(
    statements: Vec<String>,
    tables: &Tables,
    sessions: &[Arc<Session>],
    memory: IndexMemory,
    cx: &Context,
) -> Result<()> {
    let Some(main) = sessions.first() else { return Ok(()) };
    let (mut batch, mut alone) = (Batch::new(tables), Vec::new());
    for sql in statements {
        cx.check("postgres.restore")?;
        let kind = classify(&sql);
        if kind != Kind::Alone {
            execute_all(main, &std::mem::take(&mut alone)).await?;
        }
        match kind {
            Kind::Key(table, exclusive) => {
                batch.key(memory.given_to(sql, tables.size(&table)), table, exclusive);
            }
            Kind::Index(table, exclusive) => {
                batch.index(memory.given_to(sql, tables.size(&table)), table, exclusive);
            }
            Kind::ForeignKey { own, to } => batch.foreign_key(sql, own, to),
            Kind::Setting => {
                together(batch.take(sessions.len()), sessions, cx).await?;
                for session in sessions {
                    execute(session, &sql).await?;
                }
            }
            Kind::Alone => {
                together(batch.take(sessions.len()), sessions, cx).await?;
                alone.push(sql);
            }
        }
    }
    execute_all(main, &alone).await?;
    together(batch.finish(sessions.len()), sessions, cx).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_follow_from_the_statement() {
        let key = |table: &str, alone| Kind::Key(table.to_owned(), alone);
        let index = |table: &str, alone| Kind::Index(table.to_owned(), alone);
        for (sql, kind) in [
            ("CREATE INDEX i ON public.t USING btree (a);", index("public.t", false)),
            (
                "CREATE UNIQUE INDEX \"a b\" ON ONLY s.\"T \"\"x\" USING",
                key("s.\"T \"\"x\"", false),
            ),
            (
                "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT p PRIMARY KEY (a);",
                key("public.t", true),
            ),
            ("ALTER TABLE ONLY public.t CLUSTER ON i;", index("public.t", true)),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT f FOREIGN KEY (a, \"REFERENCES\") REFERENCES public.u(a);",
                Kind::ForeignKey { own: "public.t".to_owned(), to: "public.u".to_owned() },
            ),
            (
                "ALTER TABLE public.t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES public.u(a);",
                Kind::Alone,
            ),
            ("ALTER INDEX public.a ATTACH PARTITION public.b;", Kind::Alone),
            ("REFRESH MATERIALIZED VIEW public.m;", Kind::Alone),
            ("SELECT pg_catalog.set_config('search_path', '', false);", Kind::Setting),
            ("SET default_tablespace = '';", Kind::Setting),
        ] {
            assert_eq!(classify(sql), kind, "{sql}");
        }
    }

    #[test]
    fn foreign_keys_are_told_from_others() {
        assert!(is_foreign_key(
            "ALTER TABLE ONLY public.\"t x\"\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b(c);"
        ));
        assert!(is_foreign_key(
            "ALTER TABLE public.t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b(c);"
        ));
        assert!(!is_foreign_key("ALTER TABLE ONLY public.t ADD CONSTRAINT f PRIMARY KEY (a);"));
        assert!(!is_foreign_key("CREATE INDEX \"FOREIGN\" ON a.b USING btree (c);"));
    }
}
