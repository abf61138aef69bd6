//! Registering a custom sink, and testing it.

use std::{ffi::c_char, sync::Arc};

use seaworthy::{
    Outcome, Reply,
    backup::testing::conformance,
    core::{ErrorKind, Name},
};
use serde::Serialize;

use super::{bound::BoundSink, host::HostSink, table::SinkTable};
use crate::{
    boundary::{enter, outside_callbacks},
    callback::{Call, CallTable},
    context::{ContextHandle, OwnRuntime, clear},
    error::ErrorHandle,
    input,
    queue::Queue,
    run::{Finished, answer, run_on},
    string::StringHandle,
};

/// Registers `sink` as the implementation of the sink `name` (UTF-8, `name_len` bytes), which has
/// `[sink.NAME]` with `type = "custom"` in the file. An earlier one is replaced.
///
/// `*sink` is copied; its finalizer runs when `ctx` is freed, or immediately if this call fails, if
/// the struct could be read. `error` may be NULL; the caller must free what is put there. Any
/// thread, but not inside a callback; running calls continue with the earlier one. Answers
/// SW_E_INVALID_INPUT if the file has no such custom sink or a capability is unknown, SW_E_NULL for
/// a missing function, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_ctx_add_sink(
    ctx: *mut ContextHandle,
    name: *const c_char,
    name_len: usize,
    sink: *const SinkTable,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let work = || {
        // SAFETY: as this function's. It comes first, so that the finalizer runs.
        let sink = unsafe { HostSink::read(sink) }?;
        outside_callbacks()?;
        // SAFETY: as this function's.
        let ctx = unsafe { input::handle(ctx.cast_const(), "ctx") }?;
        // SAFETY: as this function's.
        let name = Name::new(unsafe { input::text(name, name_len, "name") }?)?;
        let _entered = ctx.enter()?;
        ctx.add_sink(name, sink)
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}

/// The results of the test suite.
#[derive(Debug, Serialize)]
struct ConformanceResult {
    cases: Vec<Case>,
}

/// One case, and what was wrong.
#[derive(Debug, Serialize)]
struct Case {
    name: &'static str,
    passed: bool,
    message: Option<String>,
}

/// Tests the functions of `sink` with the suite that Seaworthy's own sinks pass: one case after
/// another, each below its own random prefix. It writes about 300 MB.
///
/// `*document` is owned by the caller: `{"result":{"cases":[{"name","passed","message"}]}}` with
/// the usual members. `call` may be NULL. `error` may be NULL; the caller must free what is put
/// there. The finalizer runs before this returns, if the struct could be read. Any thread, but not
/// inside a callback. Answers SW_E_FINDINGS if a case failed, else the same as `sw_ctx_add_sink`.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_sink_conformance(
    sink: *const SinkTable,
    call: *const CallTable,
    document: *mut *mut StringHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { clear(document) };
    let work = || {
        // SAFETY: as this function's. Both come first, so that each finalizer runs.
        let (sink, call) = unsafe { (HostSink::read(sink), Call::read(call)) };
        let (sink, call) = (sink?, call?);
        outside_callbacks()?;
        // Outlives the runtime, so that its finalizer runs on this thread.
        let sink = Arc::new(sink);
        let (runtime, queue) = (OwnRuntime::new(2)?, Arc::new(Queue::default()));
        let bound = BoundSink::new("under test", sink.clone(), queue.clone());
        let cases = run_on(&runtime, &queue, call, |cx| async move {
            tokio::select! {
                cases = conformance::run_all(&bound) => Ok(cases),
                () = cx.cancel().triggered() => {
                    Err(seaworthy::core::Error::cancelled("sink.conformance"))
                }
            }
        })?;
        let reply = match cases {
            Ok(cases) => {
                let cases = cases.into_iter().map(|(name, answer)| Case {
                    name,
                    passed: answer.is_ok(),
                    message: answer.err().map(|error| error.chain()),
                });
                let result = ConformanceResult { cases: cases.collect() };
                let passed = result.cases.iter().all(|case| case.passed);
                Reply::new(result, if passed { Outcome::Done } else { Outcome::Findings })
            }
            Err(error) => {
                debug_assert_eq!(error.kind(), ErrorKind::Cancelled);
                error.into()
            }
        };
        // SAFETY: as this function's.
        unsafe { answer(Finished::new("sink conformance", reply), document) }
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}
