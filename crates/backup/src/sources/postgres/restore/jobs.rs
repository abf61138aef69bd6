//! Runs statements in parallel, as far as their locks allow.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use seaworthy_core::{Context, Error, ErrorKind, Result};
use tokio::task::JoinSet;

use super::statements::execute;
use crate::sources::postgres::connect::session::Session;

/// A waiting statement.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    sql: String,
    /// The tables that it locks; `true` for an exclusive lock.
    locks: Vec<(String, bool)>,
    /// About how many bytes it processes.
    cost: u64,
}

impl Job {
    /// A statement that takes no locks.
    pub(crate) fn new(sql: String, cost: u64) -> Self {
        Self { sql, locks: Vec::new(), cost }
    }

    /// The same, with locks on tables.
    pub(crate) fn locking(mut self, locks: Vec<(String, bool)>) -> Self {
        self.locks = locks;
        self
    }
}

/// Runs jobs in parallel. Those that conflict run in their order; of the others, those on which the
/// most depends come first, so that no session is idle while another one still has much to do.
pub(crate) async fn together(
    jobs: Vec<Job>,
    sessions: &[Arc<Session>],
    cx: &Context,
) -> Result<()> {
    let mut board = Board::new(jobs);
    let mut idle: Vec<_> = sessions.to_vec();
    let mut running = JoinSet::new();
    loop {
        cx.check("postgres.restore")?;
        while !idle.is_empty()
            && let Some(job) = board.next()
            && let Some(session) = idle.pop()
        {
            running.spawn(async move {
                let done = execute(&session, &job.sql).await;
                (session, job, done)
            });
        }
        let Some(done) = running.join_next().await else { return Ok(()) };
        let (session, job, done) = done.map_err(|source| {
            Error::new(ErrorKind::Internal, "postgres.restore", "a worker panicked")
                .caused_by(source)
        })?;
        done?;
        idle.push(session);
        board.done(&job);
    }
}

/// The longest chain of work if `jobs` run on this many sessions.
pub(crate) fn duration(jobs: Vec<Job>, sessions: usize) -> u64 {
    let mut board = Board::new(jobs);
    let mut running: Vec<(u64, Job)> = Vec::new();
    let mut now = 0;
    loop {
        while running.len() < sessions
            && let Some(job) = board.next()
        {
            running.push((now + job.cost, job));
        }
        let first = running.iter().enumerate().min_by_key(|(_, (end, _))| *end);
        let Some((first, _)) = first else { return now };
        let (end, job) = running.swap_remove(first);
        now = end;
        board.done(&job);
    }
}

/// Waiting jobs, and the locks of the running ones.
struct Board {
    waiting: VecDeque<Job>,
    held: Locks,
}

impl Board {
    fn new(mut jobs: Vec<Job>) -> Self {
        order(&mut jobs);
        Self { waiting: jobs.into(), held: Locks::default() }
    }

    /// The first job that may begin now.
    fn next(&mut self) -> Option<Job> {
        // Jobs that wait before it claim their tables, too.
        let mut claimed = Locks::default();
        let free = self.waiting.iter().position(|job| {
            let free = self.held.admit(&job.locks) && claimed.admit(&job.locks);
            claimed.take(&job.locks);
            free
        });
        let job = self.waiting.remove(free?)?;
        self.held.take(&job.locks);
        Some(job)
    }

    fn done(&mut self, job: &Job) {
        self.held.release(&job.locks);
    }
}

/// Puts those jobs first that begin the longest chain of jobs waiting for each other.
fn order(jobs: &mut [Job]) {
    #[derive(Default)]
    struct After {
        any: u64,
        exclusive: u64,
    }
    let mut after: HashMap<&str, After> = HashMap::new();
    let mut chains = Vec::new();
    for job in jobs.iter().rev() {
        let follows = |(table, exclusive): &(String, bool)| {
            let after = after.get(table.as_str())?;
            Some(if *exclusive { after.any } else { after.exclusive })
        };
        let longest = job.locks.iter().filter_map(follows).max().unwrap_or(0);
        // Greater than that of any job that waits for this one, so this one comes first.
        let chain = longest.saturating_add(job.cost).max(longest.saturating_add(1));
        for (table, exclusive) in &job.locks {
            let after = after.entry(table).or_default();
            after.any = after.any.max(chain);
            if *exclusive {
                after.exclusive = after.exclusive.max(chain);
            }
        }
        chains.push(chain);
    }
    let mut chains = chains.into_iter().rev();
    jobs.sort_by_cached_key(|_| Reverse(chains.next()));
}

/// How often each table is locked, exclusively and shared.
#[derive(Debug, Default)]
struct Locks(HashMap<String, (u32, u32)>);

impl Locks {
    fn admit(&self, locks: &[(String, bool)]) -> bool {
        locks.iter().all(|(table, exclusive)| match self.0.get(table) {
            None => true,
            Some((alone, _)) => *alone == 0 && !exclusive,
        })
    }

    fn take(&mut self, locks: &[(String, bool)]) {
        for (table, exclusive) in locks {
            let (alone, shared) = self.0.entry(table.clone()).or_default();
            *(if *exclusive { alone } else { shared }) += 1;
        }
    }

    fn release(&mut self, locks: &[(String, bool)]) {
        for (table, exclusive) in locks {
            let Some((alone, shared)) = self.0.get_mut(table) else { continue };
            *(if *exclusive { &mut *alone } else { &mut *shared }) -= 1;
            if (*alone, *shared) == (0, 0) {
                self.0.remove(table);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conflict(a: &Job, b: &Job) -> bool {
        let meets = |(table, exclusive): &(String, bool)| {
            b.locks.iter().any(|(other, shuts)| other == table && (*exclusive || *shuts))
        };
        a.locks.iter().any(meets)
    }

    proptest! {
        #[test]
        fn jobs_that_get_in_one_anothers_way_keep_their_order(
            jobs in prop::collection::vec(
                (prop::collection::vec((0..6_u8, any::<bool>()), 0..4), 0..5_u64), 0..30)
        ) {
            let jobs: Vec<Job> = jobs.into_iter().enumerate().map(|(n, (locks, cost))| {
                let locks = locks.into_iter().map(|(table, shuts)| (table.to_string(), shuts));
                Job::new(n.to_string(), cost).locking(locks.collect())
            }).collect();
            let mut ordered = jobs.clone();
            order(&mut ordered);
            let at = |job: &Job| ordered.iter().position(|other| other.sql == job.sql).unwrap();
            prop_assert_eq!(ordered.len(), jobs.len());
            for (n, first) in jobs.iter().enumerate() {
                for second in &jobs[n + 1..] {
                    prop_assert!(!conflict(first, second) || at(first) < at(second));
                }
            }
        }
    }

    fn job(sql: &str, cost: u64, locks: &[(&str, bool)]) -> Job {
        let locks = locks.iter().map(|(table, shuts)| ((*table).to_owned(), *shuts)).collect();
        Job::new(sql.to_owned(), cost).locking(locks)
    }

    #[test]
    fn what_waits_is_counted_with_what_it_waits_for() {
        let jobs = vec![
            job("a", 5, &[("t", true)]),
            job("b", 3, &[("t", false)]),
            job("c", 3, &[("t", false)]),
            job("d", 4, &[("u", true)]),
        ];
        assert_eq!(duration(jobs.clone(), 1), 15);
        assert_eq!(duration(jobs.clone(), 2), 8);
        assert_eq!(duration(jobs[..3].to_vec(), 3), 8);
        assert_eq!(duration(Vec::new(), 2), 0);
    }

    #[test]
    fn what_most_waits_for_comes_first() {
        let mut jobs = vec![
            job("key of a small table", 1, &[("small", true)]),
            job("key of orders", 10, &[("orders", true)]),
            job("index of a lonely table", 15, &[("lonely", false)]),
            job("index of orders", 8, &[("orders", false)]),
            job("index of events", 9, &[("events", false)]),
            job("foreign key", 5, &[("events", true), ("orders", true)]),
        ];
        order(&mut jobs);
        let ordered: Vec<_> = jobs.iter().map(|job| job.sql.as_str()).collect();
        assert_eq!(
            ordered,
            [
                "key of orders",
                "index of a lonely table",
                "index of events",
                "index of orders",
                "foreign key",
                "key of a small table"
            ]
        );
    }
}
