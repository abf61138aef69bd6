//! How every call works: the work runs on the context's threads, while the thread that made the
//! call calls the callbacks and does what only it may do.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::FutureExt;
use seaworthy::{
    Outcome, Reply, Seaworthy,
    command::{Answer, Dispatch, Frontend, Request},
    core::{Cancel, Context, Error},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    boundary::{enter, outside_callbacks, panicked},
    callback::{Call, CallTable},
    code,
    context::{ContextHandle, OwnRuntime, clear},
    error::{ErrorHandle, Failure},
    input,
    queue::{Item, Queue},
    signals::WithoutSigpipe,
    string::StringHandle,
};

/// The arguments that every command has.
pub(crate) struct Arguments {
    pub(crate) ctx: *const ContextHandle,
    pub(crate) request: *const std::ffi::c_char,
    pub(crate) request_len: usize,
    pub(crate) call: *const CallTable,
    pub(crate) document: *mut *mut StringHandle,
    pub(crate) error: *mut *mut ErrorHandle,
}

/// The result of a command with its document as text: so all types of results look the same.
pub(crate) struct Finished {
    name: &'static str,
    document: Result<String, serde_json::Error>,
    outcome: Outcome,
    error: Option<Error>,
}

impl Finished {
    /// The result of the command `name` with `reply`.
    pub(crate) fn new<T: Serialize>(name: &'static str, reply: Reply<T>) -> Self {
        let document = serde_json::to_string(&reply.document(name));
        Self { name, document, outcome: reply.outcome, error: reply.error }
    }
}

/// Runs requests, and writes their documents down.
pub(crate) struct Writer {
    seaworthy: Arc<Seaworthy>,
    cx: Context,
}

impl Frontend for Writer {
    type Output = Finished;
}

impl<R: Request> Answer<R> for Writer {
    async fn answer(&self, request: R) -> Finished {
        Finished::new(R::NAME, request.run(&self.seaworthy, &self.cx).await)
    }
}

/// Reads a request, or one of several, runs it, and answers with its document.
///
/// # Safety
/// The arguments are valid for `sw_backup`.
pub(crate) unsafe fn command<R>(arguments: Arguments, function: &'static str) -> i32
where
    R: DeserializeOwned + Dispatch<Writer> + 'static,
{
    let work = |seaworthy, request: R, cx| async move {
        let writer = Writer { seaworthy, cx };
        request.dispatch(&writer).await
    };
    // SAFETY: as this function's.
    unsafe { call(arguments, function, work) }
}

/// Reads what is asked for, runs `work` with it, and answers with the document that it gives.
///
/// # Safety
/// That of [`command`].
unsafe fn call<R, F>(
    arguments: Arguments,
    function: &'static str,
    work: impl FnOnce(Arc<Seaworthy>, R, Context) -> F + Send + 'static,
) -> i32
where
    R: DeserializeOwned + Send + 'static,
    F: Future<Output = Finished> + Send + 'static,
{
    let Arguments { ctx, request, request_len, call, document, error } = arguments;
    // SAFETY: as this function's.
    unsafe { clear(document) };
    let run = || {
        // SAFETY: as this function's. It comes first, so that each finalizer runs.
        let call = unsafe { Call::read(call) }?;
        outside_callbacks()?;
        // SAFETY: as this function's.
        let ctx = unsafe { input::handle(ctx, "ctx") }?;
        // SAFETY: as this function's.
        let text = unsafe { input::request_text(request, request_len) }?;
        let request: R = match input::read(text) {
            Ok(request) => request,
            // It is answered like the name of something that does not exist: with a document.
            Err(failure) => match input::wrong_name(text) {
                Some((field, error)) => {
                    let name = match field {
                        "targets" => "cert check",
                        _ => function.trim_start_matches("sw_"),
                    };
                    let finished = Finished::new(name, Reply::<()>::from(error));
                    // SAFETY: as this function's.
                    return unsafe { answer(finished, document) };
                }
                None => return Err(failure),
            },
        };
        let entered = ctx.enter()?;
        let queue = Arc::new(Queue::default());
        let seaworthy = ctx.seaworthy(&queue)?;
        let finished = run_on(ctx.runtime(), &queue, call, move |cx| work(seaworthy, request, cx));
        drop(entered);
        let finished = finished.inspect_err(|failure| {
            if failure.code == code::SW_E_PANIC {
                ctx.has_panicked();
            }
        })?;
        // SAFETY: as this function's.
        unsafe { answer(finished, document) }
    };
    // SAFETY: as this function's.
    unsafe { enter(error, run) }
}

/// Passes the document to C, and returns whether it is a success.
///
/// # Safety
/// `document` is NULL or may be written to.
pub(crate) unsafe fn answer(
    finished: Finished,
    document: *mut *mut StringHandle,
) -> Result<(), Failure> {
    let name = finished.name;
    if !document.is_null() {
        let text = finished.document.map_err(|error| {
            Failure::new(code::SW_E_INTERNAL, "document", format!("no document: {error}"))
        })?;
        // SAFETY: as this function's.
        unsafe { document.write(StringHandle::give(text)) };
    }
    if let Some(error) = &finished.error {
        return Err(error.into());
    }
    let (code, message) = match finished.outcome {
        Outcome::Done | Outcome::Losses | Outcome::Inconclusive | Outcome::NothingToDo => {
            return Ok(());
        }
        Outcome::Findings => (code::SW_E_FINDINGS, format!("{name}: there are findings")),
        Outcome::NotDeployed => {
            (code::SW_E_FAILED, format!("{name}: issued, but it is not served"))
        }
        _ => (code::SW_E_FAILED, format!("{name} did not succeed")),
    };
    Err(Failure::new(code, "document", message).remedy("see the document for the reason"))
}

/// Runs the future of `work` on `runtime`, and serves `queue` on this thread until it is done.
///
/// The future, which may be large, is created on a thread of ours: the caller's stack may be small.
pub(crate) fn run_on<T, F>(
    runtime: &OwnRuntime,
    queue: &Arc<Queue>,
    call: Call,
    work: impl FnOnce(Context) -> F + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let _without_sigpipe = WithoutSigpipe::new();
    let Call { cancel, progress, log } = call;
    // A callback that stops this call must not trigger the caller's own trigger.
    let ours = Cancel::new();
    let mut cx = Context::new().with_cancel(ours.clone());
    if progress.is_some() {
        cx = cx.with_progress(queue.clone());
    }
    let listening = log.as_ref().map(|(_, level)| runtime.listeners.add(*level, queue.clone()));
    let stop = ours.clone();
    let result = Arc::new(Mutex::new(None));
    let (slot, finish) = (result.clone(), Finish(queue.clone()));
    runtime.runtime()?.spawn(async move {
        let forwarded = async {
            if let Some(cancel) = cancel {
                cancel.triggered().await;
                stop.trigger();
            }
            std::future::pending::<T>().await
        };
        let done = AssertUnwindSafe(async move {
            let work = Box::pin(work(cx));
            tokio::select! { biased; done = work => done, done = forwarded => done }
        });
        let done = done.catch_unwind().await.map_err(panicked);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        drop(finish);
    });
    loop {
        let stop = match queue.next() {
            Item::Progress(event) => progress.as_ref().is_some_and(|to| to.tell(event.to_string())),
            Item::Log(record) => log.as_ref().is_some_and(|(to, _)| to.tell(record.to_string())),
            Item::Work(work) => {
                work();
                false
            }
            Item::Done => break,
        };
        if stop {
            ours.trigger();
        }
    }
    drop(listening);
    let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    done.unwrap_or_else(|| {
        Err(Failure::new(code::SW_E_INTERNAL, "context", "the work was dropped before it was done"))
    })
}

/// Signals that the work is done when it is dropped, for any reason.
struct Finish(Arc<Queue>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{c_char, c_void};

    use super::*;
    use crate::callback::CallbackTable;
    use crate::context::{sw_ctx_free, sw_ctx_open_text};

    #[test]
    fn a_panic_in_the_work_is_answered_and_the_next_work_runs() {
        let runtime = OwnRuntime::new(1).unwrap();
        let queue = Arc::new(Queue::default());
        let failed: Result<(), _> =
            run_on(&runtime, &queue, Call::default(), |_| async { panic!("in the work") });
        let failure = failed.unwrap_err();
        assert_eq!(failure.code, code::SW_E_PANIC);
        let queue = Arc::new(Queue::default());
        assert_eq!(run_on(&runtime, &queue, Call::default(), |_| async { 7 }).unwrap(), 7);
    }

    #[test]
    fn after_a_panic_the_context_refuses_work() {
        let folder = tempfile::tempdir().unwrap();
        let (toml, base) = ("state = \"state\"", folder.path().to_str().unwrap());
        let mut ctx = std::ptr::null_mut();
        let none = std::ptr::null_mut();
        // SAFETY: text goes in, and the place is a local variable.
        let opened = unsafe {
            let (toml_data, base_data) = (toml.as_ptr().cast(), base.as_ptr().cast());
            let options = std::ptr::null();
            sw_ctx_open_text(toml_data, toml.len(), base_data, base.len(), options, &mut ctx, none)
        };
        assert_eq!(opened, code::SW_OK);
        let run = |panics: bool| {
            let arguments = Arguments {
                ctx,
                request: std::ptr::null(),
                request_len: 0,
                call: std::ptr::null(),
                document: std::ptr::null_mut(),
                error: std::ptr::null_mut(),
            };
            // SAFETY: the context lives, and the others may be NULL.
            unsafe {
                call(arguments, "sw_test", move |_, _: serde_json::Value, _| async move {
                    assert!(!panics, "as the test wants it");
                    Finished::new("test", Reply::new(1, Outcome::Done))
                })
            }
        };
        assert_eq!(run(false), code::SW_OK);
        assert_eq!(run(true), code::SW_E_PANIC);
        assert_eq!(run(false), code::SW_E_PANIC, "it does no more work");
        // SAFETY: no call runs any more.
        unsafe { sw_ctx_free(ctx) };
    }

    #[test]
    fn what_is_wrong_without_an_error_is_no_success() {
        let outcomes = [
            (Outcome::Done, code::SW_OK),
            (Outcome::NothingToDo, code::SW_OK),
            (Outcome::Losses, code::SW_OK),
            (Outcome::Inconclusive, code::SW_OK),
            (Outcome::Findings, code::SW_E_FINDINGS),
            (Outcome::NotDeployed, code::SW_E_FAILED),
            (Outcome::Failed, code::SW_E_FAILED),
        ];
        for (outcome, should) in outcomes {
            let finished = Finished::new("x", Reply::new(1, outcome));
            // SAFETY: NULL is allowed.
            let answered = unsafe { answer(finished, std::ptr::null_mut()) };
            let code = answered.map_or_else(|failure| failure.code, |()| code::SW_OK);
            assert_eq!(code, should, "{outcome:?}");
        }
    }

    /// Stores what it gets in the given `Vec<String>`.
    unsafe extern "C" fn keep(told: *mut c_void, json: *const c_char, len: usize) -> i32 {
        // SAFETY: the test gives a `Vec` that lives as long as the call, and the library text.
        let (told, json) = unsafe {
            let told = &mut *told.cast::<Vec<String>>();
            (told, std::slice::from_raw_parts(json.cast::<u8>(), len))
        };
        told.push(String::from_utf8(json.to_vec()).unwrap());
        0
    }

    #[test]
    fn what_any_thread_of_ours_logs_is_told_on_the_calling_one() {
        let runtime = OwnRuntime::new(2).unwrap();
        let mut told: Vec<String> = Vec::new();
        let log = CallbackTable {
            size: size_of::<CallbackTable>() as u32,
            reserved: 0,
            call: Some(keep),
            user_data: (&raw mut told).cast(),
            finalizer: None,
        };
        let (cancel, progress) = (std::ptr::null(), std::ptr::null());
        let size = size_of::<CallTable>() as u32;
        let table = CallTable { size, log_level: 3, cancel, progress, log: &log };
        // SAFETY: both tables live, and their sizes are right.
        let call = unsafe { Call::read(&table) }.unwrap();
        let done = run_on(&runtime, &Arc::new(Queue::default()), call, |_| async {
            tracing::info!("from the work");
            let blocking = || tracing::warn!(n = 1, "from a blocking thread");
            tokio::task::spawn_blocking(blocking).await.unwrap();
            tracing::debug!("too much");
        });
        done.unwrap();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("from the work") && told[1].contains(r#""fields":{"n":1}"#));
    }

    #[test]
    fn a_trigger_of_the_caller_reaches_the_work() {
        let runtime = OwnRuntime::new(1).unwrap();
        let queue = Arc::new(Queue::default());
        let cancel = Cancel::new();
        let call = Call { cancel: Some(cancel.clone()), ..Call::default() };
        let other = std::thread::spawn(move || cancel.trigger());
        let done = run_on(&runtime, &queue, call, |cx| async move {
            cx.cancel().triggered().await;
            1
        });
        assert_eq!(done.unwrap(), 1);
        other.join().unwrap();
    }
}
