//! From the runtime's threads to the thread that made the call: events for it, and work that only
//! it may do.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use seaworthy::core::{Error, Event, Progress, Timestamp};
use serde_json::Value;
use tokio::sync::oneshot;

/// The shortest interval between progress events.
const PACE: Duration = Duration::from_millis(50);

/// The largest number of waiting log records; further ones are counted and dropped.
const MAX_RECORDS: usize = 4096;

/// What the calling thread should do next.
pub(crate) enum Item {
    /// Call the progress callback.
    Progress(Value),
    /// Call the log callback.
    Log(Value),
    /// Do this, for a sink of the host.
    Work(Work),
    /// Return: the work is done.
    Done,
}

/// Work that only the calling thread may do.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// The queue of one call.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    /// The progress since the last progress event.
    advanced: Option<(u64, u64)>,
    told: Option<Instant>,
    done: bool,
    closed: bool,
    records: usize,
    lost: u64,
}

impl State {
    fn flush_advanced(&mut self) {
        if let Some((bytes, items)) = self.advanced.take() {
            self.items.push_back(Item::Progress(record(&Event::Advanced { bytes, items })));
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the calling thread to do `work`; returns it if the call is over.
    pub(crate) fn push_work(&self, work: Work) -> Result<(), Work> {
        let mut state = self.lock();
        if state.closed {
            return Err(work);
        }
        state.items.push_back(Item::Work(work));
        self.ready.notify_one();
        Ok(())
    }

    /// Lets the calling thread do `work`, unless nothing waits for it any more by then.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (send, receive) = oneshot::channel();
        let asked = self.push_work(Box::new(move || {
            if !send.is_closed() {
                // A result without a receiver is dropped, with everything in it.
                drop(send.send(work()));
            }
        }));
        asked.map_err(|_| Error::cancelled(operation))?;
        receive.await.map_err(|_| Error::cancelled(operation))?
    }

    /// Adds a log record, unless too many are waiting.
    pub(crate) fn push_log(&self, mut record: Value) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if state.records >= MAX_RECORDS {
            state.lost += 1;
            return;
        }
        let lost = std::mem::take(&mut state.lost);
        if let (1.., Some(record)) = (lost, record.as_object_mut()) {
            record.insert("lost_before".into(), lost.into());
        }
        state.records += 1;
        state.items.push_back(Item::Log(record));
        self.ready.notify_one();
    }

    /// Signals that the work is done.
    pub(crate) fn finish(&self) {
        self.lock().done = true;
        self.ready.notify_one();
    }

    /// Waits for the next item.
    pub(crate) fn next(&self) -> Item {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                if matches!(item, Item::Log(_)) {
                    state.records -= 1;
                }
                return item;
            }
            let wait =
                state.advanced.and(state.told).map(|told| PACE.saturating_sub(told.elapsed()));
            let due = state.advanced.is_some() && wait.is_none_or(|wait| wait.is_zero());
            if due || (state.done && state.advanced.is_some()) {
                state.told = Some(Instant::now());
                state.flush_advanced();
            } else if state.done {
                state.closed = true;
                return Item::Done;
            } else if let Some(wait) = wait {
                let waited = self.ready.wait_timeout(state, wait);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Progress for Queue {
    fn event(&self, event: &Event) {
        let mut state = self.lock();
        if let Event::Advanced { bytes, items } = event {
            let (b, i) = state.advanced.unwrap_or_default();
            // The waiting thread is only woken for the first: the others are combined with it.
            if state.advanced.replace((b + bytes, i + items)).is_none() {
                self.ready.notify_one();
            }
            return;
        }
        if !state.closed {
            state.flush_advanced();
            state.items.push_back(Item::Progress(record(event)));
            self.ready.notify_one();
        }
    }
}

/// `event`, which happens now.
fn record(event: &Event) -> Value {
    let now = Timestamp::from(std::time::SystemTime::now());
    serde_json::to_value(event.at(now)).unwrap_or_default()
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_done_is_added_up_and_comes_before_what_follows_it() {
        let queue = Queue::default();
        for _ in 0..1000 {
            queue.event(&Event::Advanced { bytes: 2, items: 1 });
        }
        queue.event(&Event::warning("careful"));
        queue.event(&Event::Advanced { bytes: 5, items: 0 });
        queue.finish();
        let mut seen = Vec::new();
        while let Item::Progress(mut event) = queue.next() {
            let members = event.as_object_mut().unwrap();
            assert_eq!(members.remove("schema"), Some(json!(1)));
            assert!(members.remove("time").is_some_and(|time| time.is_string()));
            seen.push(event);
        }
        assert_eq!(
            seen,
            [
                json!({ "event": "advanced", "bytes": 2000, "items": 1000 }),
                json!({ "event": "warning", "message": "careful" }),
                json!({ "event": "advanced", "bytes": 5, "items": 0 }),
            ]
        );
        assert!(queue.push_work(Box::new(|| ())).is_err(), "the call is over");
    }

    #[test]
    fn too_many_records_are_counted() {
        let queue = Queue::default();
        for _ in 0..MAX_RECORDS + 3 {
            queue.push_log(json!({}));
        }
        for _ in 0..MAX_RECORDS {
            assert!(matches!(queue.next(), Item::Log(record) if record == json!({})));
        }
        queue.push_log(json!({}));
        assert!(matches!(queue.next(), Item::Log(record) if record == json!({ "lost_before": 3 })));
    }
}
