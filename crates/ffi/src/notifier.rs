//! Notifiers of the host: a table of functions becomes a `Notifier`.

use std::{
    ffi::{c_char, c_void},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use seaworthy::{
    core::{Error, ErrorKind, Name, Result},
    notify::{Notice, Notifier},
};

use crate::{
    boundary::{InsideCallback, enter, outside_callbacks},
    callback::host_told,
    context::ContextHandle,
    error::{ErrorHandle, Failure},
    input::{self, Table},
    queue::Queue,
};

/// A notifier, implemented by the host.
///
/// `send` is called on a thread that is inside a call of the library, so on several at the same
/// time if several calls run; it may block, but not longer than the time limit of notifications in
/// the file. Its arguments are borrowed until it returns. Inside it only `sw_cancel_trigger`,
/// `sw_error_*` and `sw_string_*` may be used. It must return: no exception, no longjmp.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NotifierTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// Zero.
    pub reserved: u32,
    /// Passed to the function unchanged.
    pub user_data: *mut c_void,
    /// Called once with `user_data` when the notifier is no longer used: when its context is freed,
    /// also if it was replaced before, or when it was not accepted. May be NULL.
    pub finalizer: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Sends it, once: `notice` is NUL-terminated JSON, the same as with `type = "webhook"`, such
    /// as
    /// `{"schema":1,"occasion":"failure","subject":{"kind":"backup","name":…},"title":…,"text":…}`.
    /// Returns 0 or one of SW_E_*, and may give details by putting an error made with
    /// `sw_error_new` where `error` points to; the library frees it. A retryable error, such as
    /// SW_E_UNAVAILABLE, is tried again.
    pub send: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            notice: *const c_char,
            notice_len: usize,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
}

// SAFETY: numbers, pointers and optional functions may be zero.
unsafe impl Table for NotifierTable {
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// A notifier of the host. Dropping it runs its finalizer.
#[derive(Debug)]
pub(crate) struct HostNotifier(NotifierTable);

// SAFETY: the host lets its functions be called with `user_data` on any thread.
unsafe impl Send for HostNotifier {}
// SAFETY: the same, and on several at once.
unsafe impl Sync for HostNotifier {}

impl HostNotifier {
    /// Reads the notifier at `table`.
    ///
    /// # Safety
    /// That of [`input::table`], and the functions keep what [`NotifierTable`] says.
    unsafe fn read(table: *const NotifierTable) -> std::result::Result<Self, Failure> {
        // SAFETY: as this function's.
        let notifier = Self(unsafe { input::table(table, "notifier") }?);
        if notifier.0.send.is_none() {
            return Err(input::null("send of the notifier"));
        }
        Ok(notifier)
    }

    fn send(&self, json: String) -> Result<()> {
        let Some(send) = self.0.send else { return Ok(()) };
        let whom = || "the notifier".to_owned();
        // SAFETY: the host gave this function for such arguments.
        unsafe { host_told("notify.send", whom, (send, self.0.user_data), json) }
    }
}

impl Drop for HostNotifier {
    fn drop(&mut self) {
        if let Some(finalizer) = self.0.finalizer {
            let _inside = InsideCallback::enter();
            // SAFETY: the host gave this function for this pointer, and this is the only call.
            unsafe { finalizer(self.0.user_data) };
        }
    }
}

/// A notifier of the host, bound to one call: every notice goes through the queue to the thread that made it.
pub(crate) struct BoundNotifier {
    notifier: Arc<HostNotifier>,
    queue: Arc<Queue>,
}

impl BoundNotifier {
    pub(crate) fn new(notifier: Arc<HostNotifier>, queue: Arc<Queue>) -> Self {
        Self { notifier, queue }
    }
}

impl fmt::Debug for BoundNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a notifier of the host")
    }
}

#[async_trait]
impl Notifier for BoundNotifier {
    async fn send(&self, notice: &Notice) -> Result<()> {
        let json = serde_json::to_string(notice).map_err(|error| {
            Error::new(ErrorKind::Internal, "notify.send", "no JSON of a notice").caused_by(error)
        })?;
        let notifier = self.notifier.clone();
        self.queue.ask("notify.send", move || notifier.send(json)).await
    }
}

/// Registers `notifier` as the implementation of the notifier `name` (UTF-8, `name_len` bytes),
/// which has `[notify.NAME]` with `type = "custom"` in the file. An earlier one is replaced.
///
/// `*notifier` is copied; its finalizer runs when `ctx` is freed, or immediately if this call
/// fails, if the struct could be read. `error` may be NULL; the caller must free what is put there.
/// Any thread, but not inside a callback; running calls continue with the earlier one. Answers
/// SW_E_INVALID_INPUT if the file has no such custom notifier, SW_E_NULL for a missing function,
/// SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_ctx_add_notifier(
    ctx: *mut ContextHandle,
    name: *const c_char,
    name_len: usize,
    notifier: *const NotifierTable,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let work = || {
        // SAFETY: as this function's. It comes first, so that the finalizer runs.
        let notifier = unsafe { HostNotifier::read(notifier) }?;
        outside_callbacks()?;
        // SAFETY: as this function's.
        let ctx = unsafe { input::handle(ctx.cast_const(), "ctx") }?;
        // SAFETY: as this function's.
        let name = Name::new(unsafe { input::text(name, name_len, "name") }?)?;
        let _entered = ctx.enter()?;
        ctx.add_notifier(name, notifier)
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}
