//! Sending requests and measuring.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::{Either, select};
use seaworthy_core::{Cancel, Context, Error, ErrorKind, Result, Secret, SecretRef};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    client::{Client, Shared},
    config::{HttpVersion, LoadConfig, Thresholds},
    dial::{Dial, Tcp},
    prepare::{Base, Endpoint, Group, prepare},
    report::Report,
    tally::{Ended, Tally},
};

/// A timer wakes up this much late at most. Where a request had a free connection, such a delay
/// is the tester's and not the server's, and is not counted.
const TIMER: Duration = Duration::from_millis(2);

/// A load test that is ready to run.
///
/// It starts no runtime. [`shards`](Self::shards) of it may each run on a runtime of its own, so that
/// several processors are used without any of them waiting for another.
#[derive(Debug)]
pub struct LoadTest {
    endpoints: Vec<Endpoint>,
    groups: Vec<Group>,
    in_turn: bool,
    thresholds: Thresholds,
    timeout: Duration,
    http: HttpVersion,
    dial: Arc<dyn Dial>,
    /// What each shard measured, by endpoint.
    tallies: Vec<Mutex<Vec<Tally>>>,
    progress: Vec<Progress>,
    barrier: tokio::sync::Barrier,
}

/// How far a group has come, in all shards together.
#[derive(Debug, Default)]
struct Progress {
    /// How many requests were begun.
    begun: AtomicU64,
    /// How many of them are measured.
    measured: AtomicU64,
}

/// How things stand while a test runs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Live {
    /// How many requests have ended.
    pub requests: u64,
    /// How many of them were not good.
    pub bad: u64,
    /// The median of the response times, in milliseconds.
    pub p50: f64,
    /// The 99th percentile of the response times, in milliseconds.
    pub p99: f64,
}

impl LoadTest {
    /// Makes a test ready: reads `config`, looks the server's address up. `secrets` finds what
    /// [`LoadConfig::secrets`] named. With `anywhere` the server may be another machine.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a test that makes no sense or another machine that is not
    /// allowed; [`ErrorKind::Unavailable`] for a host without an address.
    pub async fn new(
        config: &LoadConfig,
        secrets: &(dyn Fn(&SecretRef) -> Option<Secret> + Sync),
        anywhere: bool,
        shards: usize,
    ) -> Result<Self> {
        let base = Base::new(&config.base)?;
        let mut dial = Tcp::find(&base.host, base.port, anywhere).await?;
        if base.tls {
            let protocol: &[u8] =
                if config.http == HttpVersion::Http2 { b"h2" } else { b"http/1.1" };
            dial = dial.with_tls(&base.host, config.roots.as_deref(), protocol)?;
        }
        Self::with_dial(config, &base, secrets, Arc::new(dial), shards)
    }

    pub(crate) fn with_dial(
        config: &LoadConfig,
        base: &Base,
        secrets: &dyn Fn(&SecretRef) -> Option<Secret>,
        dial: Arc<dyn Dial>,
        shards: usize,
    ) -> Result<Self> {
        let (endpoints, groups) = prepare(config, base, secrets)?;
        let shards = shards.max(1);
        let tallies: Result<Vec<_>> = (0..shards)
            .map(|_| {
                let tallies: Result<Vec<_>> = endpoints.iter().map(|_| Tally::new()).collect();
                Ok(Mutex::new(tallies?))
            })
            .collect();
        Ok(Self {
            progress: groups.iter().map(|_| Progress::default()).collect(),
            groups,
            endpoints,
            in_turn: config.in_turn,
            thresholds: config.thresholds,
            timeout: config.timeout.map_or(Duration::from_secs(30), |time| time.duration()),
            http: config.http,
            dial,
            tallies: tallies?,
            barrier: tokio::sync::Barrier::new(shards),
        })
    }

    /// How many shards there are: all have to run at the same time.
    pub fn shards(&self) -> usize {
        self.tallies.len()
    }

    /// Runs one shard to its end, on the runtime that polls it. Cancelling ends it early and keeps what
    /// was measured.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] where there is no shard with this `number`.
    pub async fn run_shard(self: Arc<Self>, number: usize, cx: &Context) -> Result<()> {
        if number >= self.shards() {
            let message = "there is no such part of the test";
            return Err(Error::new(ErrorKind::Internal, "load_test.run", message));
        }
        let rounds: Vec<Vec<usize>> = if self.in_turn {
            (0..self.groups.len()).map(|group| vec![group]).collect()
        } else {
            vec![(0..self.groups.len()).collect()]
        };
        let mut origin = None;
        for round in rounds {
            self.barrier.wait().await;
            let start = Instant::now();
            let origin = *origin.get_or_insert(start);
            let mut workers = JoinSet::new();
            for group in round {
                let shared = Shared::default();
                for index in 0..self.groups[group].concurrency {
                    if index as usize % self.shards() == number {
                        let client = Client::new(self.dial.clone(), self.http, &shared);
                        let test = self.clone();
                        let cancel = cx.cancel().clone();
                        workers.spawn(
                            Worker { test, shard: number, group, index, start, origin, client }
                                .run(cancel),
                        );
                    }
                }
            }
            while let Some(ended) = workers.join_next().await {
                ended.map_err(|source| {
                    let message = "a worker of the load test has failed";
                    Error::new(ErrorKind::Internal, "load_test.run", message).caused_by(source)
                })?;
            }
        }
        Ok(())
    }

    /// How things stand.
    pub fn live(&self) -> Live {
        let (mut requests, mut bad) = (0, 0);
        let mut all = None;
        for shard in &self.tallies {
            for tally in lock(shard).iter() {
                requests += tally.good + tally.bad;
                bad += tally.bad;
                match &mut all {
                    None => all = Some(tally.response.clone()),
                    Some(all) => drop(all.add(&tally.response)),
                }
            }
        }
        let at =
            |part: f64| all.as_ref().map_or(0.0, |all| all.value_at_quantile(part) as f64 / 1e3);
        Live { requests, bad, p50: at(0.5), p99: at(0.99) }
    }

    /// What was measured. The duration is that of the measuring, without the warm-up.
    pub fn report(&self) -> Report {
        let mut all: Vec<(String, Tally)> = Vec::new();
        for shard in &self.tallies {
            for (number, tally) in lock(shard).iter().enumerate() {
                match all.get_mut(number) {
                    Some((_, mine)) => mine.merge(tally),
                    None => all.push((self.endpoints[number].name.clone(), tally.clone())),
                }
            }
        }
        Report::new(&all, &self.thresholds)
    }
}

/// One connection's worth of requests, one after another.
struct Worker {
    test: Arc<LoadTest>,
    shard: usize,
    group: usize,
    index: u32,
    start: Instant,
    /// When the whole test began.
    origin: Instant,
    client: Client,
}

/// A request that is to be sent.
struct Due {
    number: u64,
    /// When; none is at once.
    at: Option<Instant>,
    measured: bool,
}

impl Worker {
    async fn run(mut self, cancel: Cancel) {
        let test = self.test.clone();
        let group = &test.groups[self.group];
        let mut stopped = pin!(cancel.triggered());
        if group.pace.is_none() && !group.ramp.is_zero() {
            let part = f64::from(self.index) / f64::from(group.concurrency);
            let begin = self.start + group.ramp.mul_f64(part);
            if unless(stopped.as_mut(), sleep_until(begin)).await.is_none() {
                return;
            }
        }
        while let Some(due) = self.next(group) {
            let begun = Instant::now();
            if let Some(at) = due.at
                && at > begun
                && unless(stopped.as_mut(), sleep_until(at)).await.is_none()
            {
                return;
            }
            let endpoint =
                group.order[usize::try_from(due.number).unwrap_or(0) % group.order.len()];
            let sent = Instant::now();
            // From when it was due; what the timer alone is late is not the server's.
            let from = match due.at {
                Some(at) if at > begun && sent < at + TIMER => sent,
                Some(at) => at,
                None => sent,
            };
            let request = || test.endpoints[endpoint].request();
            let answer = {
                let exchange = timeout(test.timeout, self.client.send(&request));
                match unless(stopped.as_mut(), exchange).await {
                    None => return,
                    Some(Ok(answer)) => answer,
                    Some(Err(_)) => Err("timed out"),
                }
            };
            if answer.is_err() {
                self.client.forget();
            }
            if due.measured {
                let ended = Instant::now();
                let good =
                    answer.is_ok_and(|answer| test.endpoints[endpoint].is_good(answer.status));
                let ended = Ended {
                    response: ended - from,
                    service: ended - sent,
                    at: ended.saturating_duration_since(self.origin + group.warm_up),
                    answer,
                    good,
                };
                lock(&test.tallies[self.shard])[endpoint].add(&ended);
            }
            if answer.is_err() {
                // A server that is down is not asked as fast as the processor can.
                tokio::task::yield_now().await;
            }
        }
    }

    /// The next request of this group; none when there is no more.
    fn next(&self, group: &Group) -> Option<Due> {
        let progress = &self.test.progress[self.group];
        let end = group.duration.map(|duration| group.warm_up + duration);
        let Some(pace) = &group.pace else {
            let now = self.start.elapsed();
            if end.is_some_and(|end| now >= end) {
                return None;
            }
            let measured = now >= group.warm_up;
            if measured {
                let count = progress.measured.fetch_add(1, Ordering::Relaxed);
                if group.requests.is_some_and(|most| count >= most) {
                    return None;
                }
            }
            let number = progress.begun.fetch_add(1, Ordering::Relaxed);
            return Some(Due { number, at: None, measured });
        };
        let number = progress.begun.fetch_add(1, Ordering::Relaxed);
        let due = pace.due(number);
        let enough = group.requests.is_some_and(|most| number >= pace.before(group.warm_up) + most);
        if enough || end.is_some_and(|end| due >= end) {
            return None;
        }
        Some(Due { number, at: Some(self.start + due), measured: due >= group.warm_up })
    }
}

/// What `work` gives, unless `stopped` comes first.
async fn unless<T>(
    stopped: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(work), stopped).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
