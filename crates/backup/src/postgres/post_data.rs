//! Indexes and constraints at once, as far as their locks allow; everything else in order.

use std::{collections::HashMap, sync::Arc};

use seaworthy_core::{Context, Error, ErrorKind, Result};
use tokio::task::JoinSet;

use super::{
    session::Session,
    statements::{execute, execute_all},
};

/// What a statement of the section after the rows is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Changes how later statements of the same session work.
    Setting,
    /// May run beside others that lock other tables; `true` shuts all others out.
    Beside(Vec<(String, bool)>),
    /// Waits for everything before it, and is waited for.
    Alone,
}

/// Whether `sql` adds a foreign key.
pub(super) fn is_foreign_key(sql: &str) -> bool {
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
        ["CREATE", "INDEX", _, "ON", rest @ ..]
        | ["CREATE", "UNIQUE", "INDEX", _, "ON", rest @ ..] => {
            let rest = rest.strip_prefix(&["ONLY"]).unwrap_or(rest);
            // Several indexes of one table are built at once.
            Kind::Beside(vec![(table(rest), false)])
        }
        ["ALTER", "TABLE", "ONLY", rest @ ..] => {
            let own = table(rest);
            match rest.get(3..) {
                Some(["ADD", "CONSTRAINT", _, "PRIMARY" | "UNIQUE" | "EXCLUDE", ..])
                | Some(["CLUSTER", "ON", ..]) => Kind::Beside(vec![(own, true)]),
                Some(["ADD", "CONSTRAINT", _, "FOREIGN", "KEY", rest @ ..]) => {
                    match rest.iter().position(|word| *word == "REFERENCES") {
                        Some(at) => Kind::Beside(vec![(own, true), (table(&rest[at + 1..]), true)]),
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

/// Words, quoted names and single signs of `sql`.
fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = match first {
            '"' => {
                let (mut end, bytes) = (1, rest.as_bytes());
                loop {
                    match (bytes.get(end), bytes.get(end + 1)) {
                        (None, _) => break end,
                        (Some(b'"'), Some(b'"')) => end += 2,
                        (Some(b'"'), _) => break end + 1,
                        _ => end += 1,
                    }
                }
            }
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word)
    })
}

/// A statement that waits for its turn.
pub(super) struct Job {
    sql: String,
    locks: Vec<(String, bool)>,
}

impl Job {
    /// A statement that gets in nobody's way.
    pub(super) fn new(sql: String) -> Self {
        Self { sql, locks: Vec::new() }
    }
}

/// Runs `statements` over `sessions`. An index of many entries for each row may take `memory` KiB;
/// sorting, which the others do, is fastest with the little that a server gives by itself.
pub(super) async fn run(
    statements: Vec<String>,
    sessions: &[Arc<Session>],
    memory: Option<u64>,
    cx: &Context,
) -> Result<()> {
    let Some(main) = sessions.first() else { return Ok(()) };
    let (mut jobs, mut alone) = (Vec::new(), Vec::new());
    for sql in statements {
        cx.check("postgres.restore")?;
        let kind = classify(&sql);
        if kind != Kind::Alone {
            execute_all(main, &std::mem::take(&mut alone)).await?;
        }
        match kind {
            Kind::Beside(locks) => {
                let memory = memory.filter(|_| sql.contains(" USING gin "));
                let memory = memory.map_or_else(String::new, |kib| {
                    format!("SET LOCAL maintenance_work_mem = '{kib}kB'; ")
                });
                jobs.push(Job { sql: memory + &sql, locks });
            }
            Kind::Setting => {
                together(std::mem::take(&mut jobs), sessions, cx).await?;
                for session in sessions {
                    execute(session, &sql).await?;
                }
            }
            Kind::Alone => {
                together(std::mem::take(&mut jobs), sessions, cx).await?;
                alone.push(sql);
            }
        }
    }
    execute_all(main, &alone).await?;
    together(jobs, sessions, cx).await
}

/// Runs jobs side by side; those of one table begin in their order.
pub(super) async fn together(
    mut jobs: Vec<Job>,
    sessions: &[Arc<Session>],
    cx: &Context,
) -> Result<()> {
    let mut idle: Vec<_> = sessions.to_vec();
    let mut running = JoinSet::new();
    let mut held: HashMap<String, Held> = HashMap::new();
    loop {
        cx.check("postgres.restore")?;
        // What waits before a job claims its tables, too.
        let mut claimed = held.clone();
        let mut at = 0;
        while at < jobs.len() && !idle.is_empty() {
            let free = jobs[at].locks.iter().all(|(table, exclusive)| {
                claimed.get(table).is_none_or(|held| held.admits(*exclusive))
            });
            for (table, exclusive) in &jobs[at].locks {
                claimed.entry(table.clone()).or_default().take(*exclusive);
            }
            if !free {
                at += 1;
                continue;
            }
            let Some(session) = idle.pop() else { break };
            let Job { sql, locks } = jobs.remove(at);
            for (table, exclusive) in &locks {
                held.entry(table.clone()).or_default().take(*exclusive);
            }
            running.spawn(async move {
                let done = execute(&session, &sql).await;
                (session, locks, done)
            });
        }
        let Some(done) = running.join_next().await else { return Ok(()) };
        let (session, locks, done) = done.map_err(|source| {
            Error::new(ErrorKind::Internal, "postgres.restore", "a worker panicked")
                .caused_by(source)
        })?;
        done?;
        idle.push(session);
        for (table, exclusive) in locks {
            held.entry(table).or_default().release(exclusive);
        }
    }
}

/// How a table is locked.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    exclusive: u32,
    shared: u32,
}

impl Held {
    fn admits(self, exclusive: bool) -> bool {
        self.exclusive == 0 && (self.shared == 0 || !exclusive)
    }

    fn take(&mut self, exclusive: bool) {
        *(if exclusive { &mut self.exclusive } else { &mut self.shared }) += 1;
    }

    fn release(&mut self, exclusive: bool) {
        let count = if exclusive { &mut self.exclusive } else { &mut self.shared };
        *count = count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_follow_from_the_statement() {
        let beside = |locks: &[(&str, bool)]| {
            Kind::Beside(locks.iter().map(|(t, x)| ((*t).to_owned(), *x)).collect())
        };
        for (sql, kind) in [
            ("CREATE INDEX i ON public.t USING btree (a);", beside(&[("public.t", false)])),
            (
                "CREATE UNIQUE INDEX \"a b\" ON ONLY s.\"T \"\"x\" USING",
                beside(&[("s.\"T \"\"x\"", false)]),
            ),
            (
                "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT p PRIMARY KEY (a);",
                beside(&[("public.t", true)]),
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT f FOREIGN KEY (a, \"REFERENCES\") REFERENCES public.u(a);",
                beside(&[("public.t", true), ("public.u", true)]),
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
