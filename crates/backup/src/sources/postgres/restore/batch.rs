//! Indexes and constraints that are created in parallel.

use super::{
    jobs::{Job, duration},
    statements::words,
    statistics::Tables,
};

/// For more jobs than this, the fastest order is not searched for.
const REHEARSED: usize = 4096;

/// Statements that run in parallel, as far as their locks allow.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    tables: &'a Tables,
    /// Whether statistics are still to be gathered.
    is_first: bool,
    keys: Vec<Job>,
    indexes: Vec<Job>,
    foreign_keys: Vec<ForeignKey>,
}

/// A foreign key: one statement, and the two that replace it if possible.
#[derive(Clone, Debug)]
struct ForeignKey {
    whole: Job,
    steps: Option<(Job, Job)>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(tables: &'a Tables) -> Self {
        let (keys, indexes, foreign_keys) = (Vec::new(), Vec::new(), Vec::new());
        Self { tables, is_first: true, keys, indexes, foreign_keys }
    }

    /// Adds a statement that creates a key, or a unique index.
    pub(crate) fn key(&mut self, sql: String, table: String, exclusive: bool) {
        self.keys.push(self.job(sql, table, exclusive));
    }

    /// Adds a statement that creates an index, or chooses one.
    pub(crate) fn index(&mut self, sql: String, table: String, exclusive: bool) {
        self.indexes.push(self.job(sql, table, exclusive));
    }

    fn job(&self, sql: String, table: String, exclusive: bool) -> Job {
        let cost = self.tables.size(&table).unwrap_or_default();
        Job::new(sql, cost).locking(vec![(table, exclusive)])
    }

    /// Adds a statement that adds a foreign key.
    pub(crate) fn foreign_key(&mut self, sql: String, own: String, to: String) {
        let sizes = self.tables.size(&own).zip(self.tables.size(&to));
        // Only the two indexes are read, not the tables.
        let cost = sizes.filter(|_| is_checked(&sql)).map_or(0, |(own, to)| (own + to) / 3);
        let locks = vec![(own.clone(), true), (to.clone(), true)];
        // Those of partitions would stay marked as unchecked.
        let is_ordinary = sizes.is_some();
        let steps = in_two_steps(&sql, &own).filter(|_| is_ordinary).map(|(add, validate)| {
            let validate = Job::new(validate, cost).locking(vec![(own, true)]);
            (Job::new(add, 0).locking(locks.clone()), validate)
        });
        self.foreign_keys.push(ForeignKey { whole: Job::new(sql, cost).locking(locks), steps });
    }

    /// The statements so far, with those that gather statistics first; for this many sessions.
    pub(crate) fn take(&mut self, sessions: usize) -> Vec<Job> {
        if self.keys.is_empty() && self.indexes.is_empty() && self.foreign_keys.is_empty() {
            return Vec::new();
        }
        let next = Self { is_first: false, ..Self::new(self.tables) };
        std::mem::replace(self, next).finish(sessions)
    }

    /// All remaining statements.
    pub(crate) fn finish(self, sessions: usize) -> Vec<Job> {
        let mut first = if self.is_first { self.tables.analyze() } else { Vec::new() };
        first.extend(self.keys);
        let (mut added, mut checked, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        for key in self.foreign_keys {
            whole.push(key.whole.clone());
            match key.steps {
                Some((add, validate)) => {
                    added.push(add);
                    checked.push(validate);
                }
                None => checked.push(key.whole),
            }
        }
        let usual = [first.clone(), self.indexes.clone(), whole].concat();
        if added.is_empty() || usual.len() > REHEARSED {
            return usual;
        }
        // A foreign key that exists, but is not checked yet, does not block the table that it
        // refers to: it is checked while indexes of that table are built. To add it, both tables
        // must be free.
        let early = [first, added, self.indexes, checked].concat();
        if duration(early.clone(), sessions) < duration(usual.clone(), sessions) {
            early
        } else {
            usual
        }
    }
}

/// The statements that add the same foreign key unchecked, and then check it.
fn in_two_steps(sql: &str, own: &str) -> Option<(String, String)> {
    if !is_checked(sql) {
        return None;
    }
    let name = words(sql).skip_while(|word| *word != "CONSTRAINT").nth(1)?;
    let add = sql.trim_end().strip_suffix(';')?;
    Some((
        format!("{add} NOT VALID;"),
        format!("ALTER TABLE ONLY {own} VALIDATE CONSTRAINT {name};"),
    ))
}

/// Whether a foreign key is checked when it is added; false for `NOT VALID` or `NOT ENFORCED`.
fn is_checked(sql: &str) -> bool {
    !words(sql).skip_while(|word| *word != "REFERENCES").any(|word| word == "NOT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_key_is_added_and_then_checked() {
        let sql = "ALTER TABLE ONLY s.\"T x\"\n    ADD CONSTRAINT \"f;g\" FOREIGN KEY (a) REFERENCES s.u(b) ON DELETE CASCADE;\n";
        let (add, validate) = in_two_steps(sql, "s.\"T x\"").unwrap();
        assert!(add.ends_with("REFERENCES s.u(b) ON DELETE CASCADE NOT VALID;"));
        assert_eq!(validate, "ALTER TABLE ONLY s.\"T x\" VALIDATE CONSTRAINT \"f;g\";");
        for end in ["NOT VALID;", "NOT ENFORCED;"] {
            let sql = format!(
                "ALTER TABLE ONLY t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u(b) {end}"
            );
            assert_eq!(in_two_steps(&sql, "t"), None);
        }
    }

    fn tables() -> Tables {
        Tables::of(&[("people", 300 << 20), ("orders", 300 << 20), ("visits", 300 << 20)])
    }

    /// Two tables that refer to a third one.
    fn batch(tables: &Tables) -> Batch<'_> {
        let mut batch = Batch::new(tables);
        for table in ["people", "orders", "visits"] {
            batch.key(format!("KEY {table}"), table.to_owned(), true);
            batch.index(format!("INDEX {table}"), table.to_owned(), false);
        }
        for table in ["orders", "visits"] {
            let sql = format!(
                "ALTER TABLE ONLY {table} ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES people(id);"
            );
            batch.foreign_key(sql, table.to_owned(), "people".to_owned());
        }
        batch
    }

    #[test]
    fn foreign_keys_are_checked_side_by_side_where_that_is_faster() {
        let has =
            |jobs: &[Job], what: &str| jobs.iter().any(|job| format!("{job:?}").contains(what));
        let all = tables();
        let jobs = batch(&all).finish(2);
        assert!(has(&jobs, "NOT VALID") && has(&jobs, "VALIDATE CONSTRAINT"));
        assert!(has(&jobs, "ANALYZE people"));
        // With one session nothing can run in parallel.
        assert!(!has(&batch(&all).finish(1), "VALID"));
        // A table that others refer to is not an ordinary one.
        let without = Tables::of(&[("orders", 300 << 20), ("visits", 300 << 20)]);
        assert!(!has(&batch(&without).finish(2), "VALID"));
    }

    #[test]
    fn statistics_are_gathered_once() {
        let tables = tables();
        let mut batch = batch(&tables);
        assert_eq!(batch.take(1).len(), 3 + 3 + 3 + 2);
        assert!(batch.take(1).is_empty());
        assert!(batch.finish(1).is_empty());
        assert_eq!(Batch::new(&tables).finish(1).len(), 3);
    }
}
