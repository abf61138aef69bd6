//! `sw_ctx`: an open configuration, and the runtime that does the work.

use std::{
    ffi::c_char,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use seaworthy::{
    Config, Seaworthy, Variables,
    core::{Error, Name, Result},
};
use tokio::runtime::Runtime;

use crate::{
    boundary::{enter, enter_silently, is_inside_callback, outside_callbacks, put},
    code,
    error::{ErrorHandle, Failure},
    input::{self, Table},
    log::{self, Listeners},
    notifier::{BoundNotifier, HostNotifier},
    queue::Queue,
    signals,
    sink::{BoundSink, HostSink},
    solver::{BoundSolver, HostSolver},
};

/// How long `sw_ctx_free` waits for threads that do not end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// An open configuration. Several threads may make calls on it at the same time.
#[derive(Debug)]
pub struct ContextHandle {
    // First, so that it ends first: remaining work then releases the sinks.
    runtime: OwnRuntime,
    seaworthy: Arc<Seaworthy>,
    /// A later one replaces an earlier one with the same name, which calls may still use.
    sinks: RwLock<Vec<(Name, Arc<HostSink>)>>,
    solvers: RwLock<Vec<(Name, Arc<HostSolver>)>>,
    notifiers: RwLock<Vec<(Name, Arc<HostNotifier>)>>,
    calls: AtomicUsize,
    panicked: AtomicBool,
}

/// Options of a context. NULL, or zero in a member, means the default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct OptionsTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// How many threads move data; 0 for one per core. Reading and compressing has its own threads,
    /// as many as configured in the file.
    pub threads: u32,
}

// SAFETY: numbers may be zero.
unsafe impl Table for OptionsTable {
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// The largest number of threads.
const MAX_THREADS: u32 = 1024;

impl ContextHandle {
    fn open(config: Config, options: Option<OptionsTable>) -> Result<Self, Failure> {
        let seaworthy = Seaworthy::open(config, variables())?;
        let threads = options.map_or(0, |options| options.threads);
        if threads > MAX_THREADS {
            let message = format!("{threads} threads are too many");
            return Err(Failure::new(code::SW_E_INVALID_INPUT, "context.open", message));
        }
        Ok(Self {
            seaworthy: Arc::new(seaworthy),
            sinks: RwLock::default(),
            solvers: RwLock::default(),
            notifiers: RwLock::default(),
            runtime: OwnRuntime::new(threads as usize)?,
            calls: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        })
    }

    /// Starts a call.
    pub(crate) fn enter(&self) -> Result<Entered<'_>, Failure> {
        self.runtime.check_process()?;
        if self.panicked.load(Ordering::Acquire) {
            let message = "an earlier call on this context failed because of a bug in Seaworthy";
            return Err(Failure::new(code::SW_E_PANIC, "context", message)
                .remedy("free the context and open a new one"));
        }
        self.calls.fetch_add(1, Ordering::AcqRel);
        Ok(Entered(self))
    }

    /// Refuses further calls.
    pub(crate) fn has_panicked(&self) {
        self.panicked.store(true, Ordering::Release);
    }

    pub(crate) fn runtime(&self) -> &OwnRuntime {
        &self.runtime
    }

    /// The facade for one call, with the host's implementations bound to its `queue`.
    pub(crate) fn seaworthy(&self, queue: &Arc<Queue>) -> Result<Arc<Seaworthy>, Failure> {
        let sinks = self.sinks.read().unwrap_or_else(PoisonError::into_inner);
        let solvers = self.solvers.read().unwrap_or_else(PoisonError::into_inner);
        let notifiers = self.notifiers.read().unwrap_or_else(PoisonError::into_inner);
        if sinks.is_empty() && solvers.is_empty() && notifiers.is_empty() {
            return Ok(self.seaworthy.clone());
        }
        let mut seaworthy = Seaworthy::clone(&self.seaworthy);
        for (name, sink) in sinks.iter() {
            let bound = BoundSink::new(name.as_str(), sink.clone(), queue.clone());
            seaworthy.add_sink(name, Arc::new(bound))?;
        }
        for (name, solver) in solvers.iter() {
            let bound = BoundSolver::new(solver.clone(), queue.clone());
            seaworthy.add_solver(name, Arc::new(bound))?;
        }
        for (name, notifier) in notifiers.iter() {
            let bound = BoundNotifier::new(notifier.clone(), queue.clone());
            seaworthy.add_notifier(name, Arc::new(bound))?;
        }
        Ok(Arc::new(seaworthy))
    }

    /// Adds a sink of the host, or replaces the one with this name.
    pub(crate) fn add_sink(&self, name: Name, sink: HostSink) -> Result<(), Failure> {
        let sink = Arc::new(sink);
        // The file must have it: checked on a copy, whose sink is never used.
        let probe = BoundSink::new(name.as_str(), sink.clone(), Arc::default());
        Seaworthy::clone(&self.seaworthy).add_sink(&name, Arc::new(probe))?;
        let mut sinks = self.sinks.write().unwrap_or_else(PoisonError::into_inner);
        sinks.push((name, sink));
        Ok(())
    }

    /// Adds a solver of the host, or replaces the one with this name.
    pub(crate) fn add_solver(&self, name: Name, solver: HostSolver) -> Result<(), Failure> {
        let solver = Arc::new(solver);
        let probe = BoundSolver::new(solver.clone(), Arc::default());
        Seaworthy::clone(&self.seaworthy).add_solver(&name, Arc::new(probe))?;
        let mut solvers = self.solvers.write().unwrap_or_else(PoisonError::into_inner);
        solvers.push((name, solver));
        Ok(())
    }

    /// Adds a notifier of the host, or replaces the one with this name.
    pub(crate) fn add_notifier(&self, name: Name, notifier: HostNotifier) -> Result<(), Failure> {
        let notifier = Arc::new(notifier);
        let probe = BoundNotifier::new(notifier.clone(), Arc::default());
        Seaworthy::clone(&self.seaworthy).add_notifier(&name, Arc::new(probe))?;
        let mut notifiers = self.notifiers.write().unwrap_or_else(PoisonError::into_inner);
        notifiers.push((name, notifier));
        Ok(())
    }
}

/// A running call on a context, which is not freed meanwhile.
pub(crate) struct Entered<'a>(&'a ContextHandle);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The runtime of one context. Dropping it joins its threads.
#[derive(Debug)]
pub(crate) struct OwnRuntime {
    runtime: Option<Runtime>,
    pub(crate) listeners: Arc<Listeners>,
    process: u32,
}

impl OwnRuntime {
    pub(crate) fn new(threads: usize) -> Result<Self, Error> {
        let listeners = Arc::new(Listeners::default());
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if threads > 0 {
            builder.worker_threads(threads);
        }
        let told = listeners.clone();
        let started = move || {
            signals::block_all();
            log::start_on_this_thread(&told);
        };
        builder.enable_all().thread_name("seaworthy").on_thread_start(started);
        builder.on_thread_stop(log::stop_on_this_thread);
        let runtime = builder.build().map_err(|e| {
            Error::io("context.open", "cannot start the threads that do the work", e)
        })?;
        Ok(Self { runtime: Some(runtime), listeners, process: std::process::id() })
    }

    /// The threads of the parent process do not exist after a fork.
    fn check_process(&self) -> Result<(), Failure> {
        if self.process == std::process::id() {
            return Ok(());
        }
        let message = "this process was forked after the context was created";
        Err(Failure::new(code::SW_E_FORKED, "context", message)
            .remedy("open a separate context in each process"))
    }

    pub(crate) fn runtime(&self) -> Result<&Runtime, Failure> {
        self.runtime
            .as_ref()
            .ok_or_else(|| Failure::new(code::SW_E_INTERNAL, "context", "the runtime has ended"))
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if self.check_process().is_ok() {
            runtime.shutdown_timeout(SHUTDOWN_LIMIT);
        } else {
            // Only its memory exists in this process.
            std::mem::forget(runtime);
        }
    }
}

/// A frontend reads the environment, once, when a context is created.
fn variables() -> Variables {
    std::env::vars_os().collect()
}

/// Opens the file at `path` (UTF-8, `path_len` bytes). NULL with a length of 0 searches the same
/// places as the program: SEAWORTHY_CONFIG, then ./seaworthy.toml, then
/// /etc/seaworthy/seaworthy.toml.
///
/// The process environment is read now, and only now: for the state folder, and for secrets that
/// the file takes from it. `options` may be NULL. `*out` is owned by the caller, until
/// `sw_ctx_free`. `error` may be NULL; the caller must free what is put there. Any thread, but not
/// inside a callback. After fork(2) open new contexts. Answers SW_E_CONFIG for an invalid file,
/// with `line` and `column` in the error's context, the codes of one that cannot be read,
/// SW_E_NULL, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_INVALID_INPUT, SW_E_REENTRANT.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_ctx_open_file(
    path: *const c_char,
    path_len: usize,
    options: *const OptionsTable,
    out: *mut *mut ContextHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let read = || {
        // SAFETY: as this function's.
        let path = unsafe { input::optional_text(path, path_len, "path") }?;
        Ok(Config::load(&find(path)?)?)
    };
    // SAFETY: as this function's.
    unsafe { open(read, options, out, error) }
}

/// Opens the configuration in `toml` (UTF-8, `toml_len` bytes), like a file `seaworthy.toml` in the
/// folder `base`: relative paths are relative to that. A `base` of NULL with a length of 0 is the
/// current folder.
///
/// Everything else is as with `sw_ctx_open_file`.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_ctx_open_text(
    toml: *const c_char,
    toml_len: usize,
    base: *const c_char,
    base_len: usize,
    options: *const OptionsTable,
    out: *mut *mut ContextHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let read = || {
        // SAFETY: as this function's.
        let toml = unsafe { input::text(toml, toml_len, "toml") }?;
        // SAFETY: as this function's.
        let base = unsafe { input::optional_text(base, base_len, "base") }?;
        let file = Path::new(base.unwrap_or_default()).join("seaworthy.toml");
        Ok(Config::from_text(toml, &file)?)
    };
    // SAFETY: as this function's.
    unsafe { open(read, options, out, error) }
}

/// # Safety
/// `options` is as [`input::table`] wants it; the others are NULL or may be written to.
unsafe fn open(
    read: impl FnOnce() -> Result<Config, Failure>,
    options: *const OptionsTable,
    out: *mut *mut ContextHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        let place = unsafe { input::out(out, "out") }?;
        *place = std::ptr::null_mut();
        outside_callbacks()?;
        let options = match options.is_null() {
            true => None,
            // SAFETY: as this function's.
            false => Some(unsafe { input::table(options, "options") }?),
        };
        *place = Box::into_raw(Box::new(ContextHandle::open(read()?, options)?));
        Ok(())
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}

/// The file at `path`, or the one that the program would read.
pub(crate) fn find(path: Option<&str>) -> Result<PathBuf> {
    let variable = std::env::var_os("SEAWORTHY_CONFIG");
    seaworthy::config::find(path.map(Path::new), variable.as_deref().map(Path::new))
}

/// Frees `ctx`: ends its threads and waits for them (at most 30 s), then runs the finalizers of its sinks,
/// solvers and notifiers.
/// NULL does nothing.
///
/// Any thread, but only one. Inside a callback and while a call runs on `ctx` it does nothing: that
/// is an error of the caller; free it again when the call has returned.
///
/// # Safety
/// `ctx` is NULL or a living context, that is no longer used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_ctx_free(ctx: *mut ContextHandle) {
    enter_silently(|| {
        // SAFETY: as this function's.
        let Some(context) = (unsafe { ctx.as_ref() }) else { return };
        if is_inside_callback() || context.calls.load(Ordering::Acquire) > 0 {
            return;
        }
        // SAFETY: as this function's.
        drop(unsafe { Box::from_raw(ctx) });
    });
}

/// Clears the place of a result before anything else happens.
///
/// # Safety
/// `place` is NULL or may be written to.
pub(crate) unsafe fn clear<T>(place: *mut *mut T) {
    // SAFETY: as this function's.
    unsafe { put(place, std::ptr::null_mut()) };
}
