//! How much memory a server takes to build an index.

use seaworthy_core::Result;

use super::machine;
use crate::sources::postgres::connect::session::Session;

/// What fits in a processor's cache, in KiB: sorting in more memory is slower.
const SORTED_AT_ONCE: u64 = 8 << 10;

/// What a sort reads ahead of each run that it merges, in KiB.
const OF_A_RUN: u64 = 256;

/// What is known about a server's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexMemory {
    /// Its default, in KiB.
    own: u64,
    /// Whether several processes build an index, which share the memory.
    is_shared: bool,
    /// What it can give to each session, in KiB.
    spare: Option<u64>,
}

impl IndexMemory {
    /// Asks the server of `session`, one of several; it may be on this machine.
    pub(crate) async fn of(session: &Session, sessions: usize, is_local: bool) -> Result<Self> {
        let sql = "SELECT a.setting::int8, b.setting::int8 > 0 FROM pg_catalog.pg_settings a, pg_catalog.pg_settings b
                   WHERE a.name = 'maintenance_work_mem' AND b.name = 'max_parallel_maintenance_workers'";
        let row = session.row(sql, &[]).await?;
        let spare = is_local.then(|| machine::index_memory(sessions)).flatten();
        let own = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        Ok(Self { own, is_shared: row.get(1), spare })
    }

    /// `sql`, which creates an index of a table of this size (if known), with the best amount of
    /// memory: an index with many entries per row benefits from much, and a sort from little.
    pub(crate) fn given_to(self, sql: String, table: Option<u64>) -> String {
        let sorts = sql.contains(" USING btree ")
            || sql.contains(" PRIMARY KEY (")
            || sql.contains(" UNIQUE (");
        let kib = if sql.contains(" USING gin ") {
            self.spare
        } else {
            table.map(sorting).filter(|kib| sorts && !self.is_shared && *kib < self.own)
        };
        match kib {
            Some(kib) => format!("SET LOCAL maintenance_work_mem = '{kib}kB'; {sql}"),
            None => sql,
        }
    }
}

/// The smallest memory, in KiB, in which this many bytes are sorted with a single merge of sorted
/// runs: it must hold the read-ahead of each run.
fn sorting(bytes: u64) -> u64 {
    (bytes.div_ceil(1024) * OF_A_RUN).isqrt().max(SORTED_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_fill_the_memory_are_merged_at_once() {
        for bytes in [0, 1, 1 << 20, 440 << 20, 10 << 30, 1 << 40] {
            let kib = sorting(bytes);
            assert!(kib / OF_A_RUN * (kib + OF_A_RUN) >= bytes / 1024, "{bytes}: {kib}");
        }
        assert_eq!(sorting(1 << 20), SORTED_AT_ONCE);
        assert_eq!(sorting(1 << 30), 16 << 10);
    }

    #[test]
    fn a_statement_gets_what_does_it_good() {
        let server = IndexMemory { own: 64 << 10, is_shared: false, spare: Some(1 << 20) };
        let given = |server: IndexMemory, sql: &str, bytes| {
            let given = server.given_to(sql.to_owned(), Some(bytes));
            given.split_once("; ").map(|(setting, _)| setting.to_owned())
        };
        let set = |kib: u64| Some(format!("SET LOCAL maintenance_work_mem = '{kib}kB'"));
        let btree = "CREATE INDEX i ON public.t USING btree (a);";
        let key = "ALTER TABLE ONLY public.t ADD CONSTRAINT p PRIMARY KEY (a);";
        assert_eq!(given(server, btree, 1 << 30), set(16 << 10));
        assert_eq!(given(server, key, 1 << 20), set(8 << 10));
        assert_eq!(given(server, btree, 1 << 40), None, "never more than the server gives");
        assert_eq!(given(server, "CREATE INDEX i ON t USING gin (a);", 1), set(1 << 20));
        assert_eq!(given(server, "CREATE INDEX i ON t USING gist (a);", 1), None);
        assert_eq!(server.given_to(btree.to_owned(), None), btree);
        assert_eq!(given(IndexMemory { is_shared: true, ..server }, btree, 1), None);
    }
}
