//! Log records of the library, for the calls that want them. There is no global logger: each of the
//! runtime's threads has its own.

use std::{
    cell::RefCell,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Metadata, Subscriber,
    dispatcher::{DefaultGuard, Dispatch},
    field::{Field, Visit},
    span,
};

use crate::{callback::LogLevel, queue::Queue};

/// The receivers of log records of one context.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: Mutex<Vec<(LogLevel, Arc<Queue>)>>,
    most: AtomicU8,
}

impl Listeners {
    /// Sends log records to `queue` until the result is dropped.
    pub(crate) fn add(self: &Arc<Self>, level: LogLevel, queue: Arc<Queue>) -> Listening {
        self.change(|all| all.push((level, queue.clone())));
        Listening { to: self.clone(), queue }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<(LogLevel, Arc<Queue>)>)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut all);
        self.most.store(all.iter().map(|(level, _)| *level).max().unwrap_or(0), Ordering::Relaxed);
    }
}

/// A call that receives log records.
#[derive(Debug)]
pub(crate) struct Listening {
    to: Arc<Listeners>,
    queue: Arc<Queue>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.to.change(|all| all.retain(|(_, queue)| !Arc::ptr_eq(queue, &self.queue)));
    }
}

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<DefaultGuard>> = const { RefCell::new(None) };
}

/// From now on, log records of this thread go to `listeners`.
pub(crate) fn start_on_this_thread(listeners: &Arc<Listeners>) {
    let dispatch = Dispatch::new(ToListeners(listeners.clone()));
    OF_THIS_THREAD.set(Some(tracing::dispatcher::set_default(&dispatch)));
}

/// Ends what [`start_on_this_thread`] began.
pub(crate) fn stop_on_this_thread() {
    drop(OF_THIS_THREAD.take());
}

struct ToListeners(Arc<Listeners>);

impl Subscriber for ToListeners {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        // The receivers change with each call.
        tracing::subscriber::Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        level_of(metadata) <= self.0.most.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let record = json!({
            "level": metadata.level().as_str().to_lowercase(),
            "target": metadata.target(),
            "message": fields.message,
            "fields": fields.others,
        });
        let all = self.0.all.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, queue) in all.iter().filter(|(level, _)| level_of(metadata) <= *level) {
            queue.push_log(record.clone());
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn level_of(metadata: &Metadata<'_>) -> LogLevel {
    match *metadata.level() {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", value) => self.message = value.to_string(),
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Item;

    #[test]
    fn each_listener_is_told_what_it_asked_for() {
        let listeners = Arc::new(Listeners::default());
        let (few, many) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
        start_on_this_thread(&listeners);
        tracing::error!("no receiver yet");
        let _few = listeners.add(2, few.clone());
        let _many = listeners.add(4, many.clone());
        tracing::debug!(object = "a.zst", bytes = 3, "looked at");
        tracing::trace!("too much");
        tracing::warn!(error = %"full", "trying again");
        stop_on_this_thread();
        tracing::error!("this thread no longer logs");
        let told = |queue: &Queue| {
            queue.finish();
            let mut told = Vec::new();
            while let Item::Log(record) = queue.next() {
                told.push(record);
            }
            told
        };
        assert_eq!(told(&few).len(), 1);
        let many = told(&many);
        assert_eq!(many.len(), 2);
        assert_eq!(many[0]["fields"], json!({ "object": "a.zst", "bytes": 3 }));
        assert_eq!(
            (&many[1]["level"], &many[1]["message"]),
            (&json!("warn"), &json!("trying again"))
        );
    }
}
