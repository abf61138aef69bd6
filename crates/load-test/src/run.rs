//! Sending requests and measuring.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::future::{Either, select};
use seaworthy_core::{Context, Error, ErrorKind, Result, Secret, SecretRef};
use tokio::{
    task::JoinSet,
    time::{Instant, Sleep, sleep_until},
};

use crate::{
    client::{Client, Shared},
    config::{HttpVersion, LoadConfig, Thresholds},
    dial::{Dial, Tcp},
    prepare::{Base, Endpoint, Group, prepare},
    report::Report,
    tally::{Ended, Tally},
};

/// A timer wakes up at most this much late. If a request had a free connection, such a delay is
/// caused by the tester and not by the server, and is not counted.
const TIMER: Duration = Duration::from_millis(2);

/// A load test that is ready to run.
///
/// It starts no runtime. Each of its [`shards`](Self::shards) may run on a runtime of its own, so
/// that several processors are used and none waits for another.
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

/// The progress of a group, over all shards.
#[derive(Debug, Default)]
struct Progress {
    /// How many requests were started.
    begun: AtomicU64,
    /// How many of them are measured.
    measured: AtomicU64,
}

/// Live figures while a test runs.
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
    /// Prepares a test: reads `config`, resolves the server's address. `secrets` returns the
    /// secrets that [`LoadConfig::secrets`] named. With `anywhere` the server may be another
    /// machine.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an invalid test, or another machine without `anywhere`;
    /// [`ErrorKind::Unavailable`] for a host without an address.
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

    /// How many shards there are: all must run at the same time.
    pub fn shards(&self) -> usize {
        self.tallies.len()
    }

    /// Runs one shard to its end, on the runtime that polls it. Cancelling ends it early and keeps what
    /// was measured.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if there is no shard with this `number`.
    pub async fn run_shard(self: Arc<Self>, number: usize, cx: &Context) -> Result<()> {
        if number >= self.shards() {
            let message = "the load test has no shard with this number";
            return Err(Error::new(ErrorKind::Internal, "load_test.run", message));
        }
        let rounds: Vec<Vec<usize>> = if self.in_turn {
            (0..self.groups.len()).map(|group| vec![group]).collect()
        } else {
            vec![(0..self.groups.len()).collect()]
        };
        let mut stopped = pin!(cx.cancel().triggered());
        let mut origin = None;
        for round in rounds {
            if unless(stopped.as_mut(), self.barrier.wait()).await.is_none() {
                return Ok(());
            }
            let start = Instant::now();
            let origin = *origin.get_or_insert(start);
            let mut workers = JoinSet::new();
            for group in round {
                let shared = Shared::default();
                for index in 0..self.groups[group].concurrency {
                    if index as usize % self.shards() == number {
                        let client = Client::new(self.dial.clone(), self.http, &shared);
                        let test = self.clone();
                        let worker =
                            Worker { test, shard: number, group, index, start, origin, client };
                        workers.spawn(worker.run());
                    }
                }
            }
            // The workers do not check for cancellation: they are dropped here.
            while let Some(ended) = unless(stopped.as_mut(), workers.join_next()).await {
                let Some(ended) = ended else { break };
                ended.map_err(|source| {
                    let message = "a worker of the load test has failed";
                    Error::new(ErrorKind::Internal, "load_test.run", message).caused_by(source)
                })?;
            }
        }
        Ok(())
    }

    /// The live figures.
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

    /// The report. The duration is that of the measurement, without the warm-up.
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

/// The requests of one connection, one after another.
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

/// A request to send.
struct Due {
    number: u64,
    /// When; `None` for immediately.
    at: Option<Instant>,
    measured: bool,
}

impl Worker {
    async fn run(mut self) {
        let test = self.test.clone();
        let group = &test.groups[self.group];
        if group.pace.is_none() && !group.ramp.is_zero() {
            let part = f64::from(self.index) / f64::from(group.concurrency);
            sleep_until(self.start + group.ramp.mul_f64(part)).await;
        }
        let mut alarm = Alarm::new();
        // The clock is read once for each request: the end of one is the beginning of the next.
        let mut now = Instant::now();
        while let Some(due) = self.next(group, now) {
            let waits = due.at.filter(|at| *at > now);
            if let Some(at) = waits {
                sleep_until(at).await;
                now = Instant::now();
            }
            let sent = now;
            // From when it was due; a late timer is not the server's delay.
            let from = match due.at {
                Some(at) if waits.is_some() && sent < at + TIMER => sent,
                Some(at) => at,
                None => sent,
            };
            let number = group.order[usize::try_from(due.number).unwrap_or(0) % group.order.len()];
            let endpoint = &test.endpoints[number];
            let answer = alarm.before(sent + test.timeout, self.client.send(endpoint)).await;
            let answer = answer.unwrap_or(Err("timed out"));
            now = Instant::now();
            if due.measured {
                let ended = Ended {
                    response: now - from,
                    service: now - sent,
                    at: now.saturating_duration_since(self.origin + group.warm_up),
                    answer,
                    good: answer.is_ok_and(|answer| endpoint.is_good(answer.status)),
                };
                lock(&test.tallies[self.shard])[number].add(&ended);
            }
            if answer.is_err() {
                // Do not send requests to a server that is down as fast as the processor can.
                tokio::task::yield_now().await;
                now = Instant::now();
            }
        }
    }

    /// The next request of this group; `None` if there are no more.
    fn next(&self, group: &Group, now: Instant) -> Option<Due> {
        let progress = &self.test.progress[self.group];
        let end = group.duration.map(|duration| group.warm_up + duration);
        let Some(pace) = &group.pace else {
            let now = now - self.start;
            if end.is_some_and(|end| now >= end) {
                return None;
            }
            let measured = now >= group.warm_up;
            if let Some(most) = group.requests.filter(|_| measured)
                && progress.measured.fetch_add(1, Ordering::Relaxed) >= most
            {
                return None;
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

/// A timer that is set once for many requests: it fires at the first one's deadline, checks whether
/// the request that is then in flight has reached its own, and is set again if not.
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn new() -> Self {
        Self(None)
    }

    /// The result of `work`, unless `deadline` comes first.
    async fn before<T>(&mut self, deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            while sleep.as_mut().poll(cx).is_ready() {
                if sleep.deadline() >= deadline {
                    return Poll::Ready(None);
                }
                sleep.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

/// The result of `work`, unless `stopped` comes first.
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
