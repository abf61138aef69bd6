//! Challenge solvers of the host: a table of functions becomes a `ChallengeSolver`.

use std::{
    ffi::{c_char, c_void},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use seaworthy::{
    core::{Context, Name, Result},
    tls::{Challenge, ChallengeKind, ChallengeSolver},
};
use serde_json::json;

use crate::{
    boundary::{InsideCallback, enter, outside_callbacks},
    callback::{Tell, host_told},
    code,
    context::ContextHandle,
    error::{ErrorHandle, Failure},
    input::{self, Table},
    queue::Queue,
};

/// In `sw_solver.kind`: a file on port 80.
pub const SW_CHALLENGE_HTTP_01: u32 = 1;
/// In `sw_solver.kind`: a TXT record.
pub const SW_CHALLENGE_DNS_01: u32 = 2;
/// In `sw_solver.kind`: a challenge certificate on port 443.
pub const SW_CHALLENGE_TLS_ALPN_01: u32 = 3;

/// A solver of an authority's challenges, implemented by the host.
///
/// Every function gets a challenge as NUL-terminated JSON: `{"kind","identifier","token",
/// "key_authorization","http_path","dns_name","dns_value"}`, where `http_path` is the path that
/// must return `key_authorization`, `dns_name` (without a trailing dot) is the name of a TXT record
/// that must have the value `dns_value`, and `dns_value` is the base64url of the SHA-256 that a
/// certificate for tls-alpn-01 contains. It returns 0 or one of SW_E_*, and may give details by
/// putting an error made with `sw_error_new` where `error` points to; the library frees it. Several
/// challenges may be open at once, also for one name.
///
/// Functions are called on a thread that is inside a call of the library, so on several at the same
/// time if several calls run; they may block. Their arguments are borrowed until they return.
/// Inside them only `sw_cancel_trigger`, `sw_error_*` and `sw_string_*` may be used. They must
/// return: no exception, no longjmp.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SolverTable {
    /// The size of this struct, in bytes.
    pub size: u32,
    /// The kind of challenge that it answers: one of SW_CHALLENGE_*.
    pub kind: u32,
    /// Passed to the functions unchanged.
    pub user_data: *mut c_void,
    /// Called once with `user_data` when the solver is no longer used: when its context is freed,
    /// also if it was replaced before, or when it was not accepted. May be NULL.
    pub finalizer: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Makes the answer available. Calling it twice for one challenge is not an error.
    pub present: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            challenge: *const c_char,
            challenge_len: usize,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Returns when the authority can see the answer, such as when DNS has propagated. NULL:
    /// immediately.
    pub ready: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            challenge: *const c_char,
            challenge_len: usize,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
    /// Removes the answer. It is not an error if there is none.
    pub cleanup: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            challenge: *const c_char,
            challenge_len: usize,
            error: *mut *mut ErrorHandle,
        ) -> i32,
    >,
}

// SAFETY: numbers, pointers and optional functions may be zero.
unsafe impl Table for SolverTable {
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// A solver of the host. Dropping it runs its finalizer.
#[derive(Debug)]
pub(crate) struct HostSolver {
    table: SolverTable,
    kind: ChallengeKind,
}

// SAFETY: the host lets its functions be called with `user_data` on any thread.
unsafe impl Send for HostSolver {}
// SAFETY: the same, and on several at once.
unsafe impl Sync for HostSolver {}

impl HostSolver {
    /// Reads the solver at `table`.
    ///
    /// # Safety
    /// That of [`input::table`], and the functions keep what [`SolverTable`] says.
    unsafe fn read(table: *const SolverTable) -> std::result::Result<Self, Failure> {
        // SAFETY: as this function's.
        let table: SolverTable = unsafe { input::table(table, "solver") }?;
        let kind = match table.kind {
            SW_CHALLENGE_HTTP_01 => Some(ChallengeKind::Http01),
            SW_CHALLENGE_DNS_01 => Some(ChallengeKind::Dns01),
            SW_CHALLENGE_TLS_ALPN_01 => Some(ChallengeKind::TlsAlpn01),
            _ => None,
        };
        // Its finalizer runs even if something is wrong with it.
        let solver = Self { table, kind: kind.unwrap_or(ChallengeKind::Http01) };
        if kind.is_none() {
            let message = format!("there is no challenge kind {}", table.kind);
            return Err(Failure::new(code::SW_E_INVALID_INPUT, "challenge.add", message));
        }
        for (name, there) in [
            ("present of the solver", table.present.is_some()),
            ("cleanup of the solver", table.cleanup.is_some()),
        ] {
            if !there {
                return Err(input::null(name));
            }
        }
        Ok(solver)
    }

    fn tell(
        &self,
        operation: &'static str,
        tell: Option<Tell>,
        challenge: &Challenge,
    ) -> Result<()> {
        let Some(tell) = tell else { return Ok(()) };
        let json = json!({
            "kind": self.kind.as_str(),
            "identifier": challenge.identifier().as_str(),
            "token": challenge.token(),
            "key_authorization": challenge.key_authorization(),
            "http_path": challenge.http_path(),
            "dns_name": challenge.dns_name(),
            "dns_value": challenge.dns_value(),
        });
        let whom = || format!("the solver, about {},", challenge.identifier());
        // SAFETY: the host gave this function for such arguments.
        unsafe { host_told(operation, whom, (tell, self.table.user_data), json.to_string()) }
    }
}

impl Drop for HostSolver {
    fn drop(&mut self) {
        if let Some(finalizer) = self.table.finalizer {
            let _inside = InsideCallback::enter();
            // SAFETY: the host gave this function for this pointer, and this is the only call.
            unsafe { finalizer(self.table.user_data) };
        }
    }
}

/// A solver of the host, bound to one call: every request goes through the queue to the thread that made it.
#[derive(Clone)]
pub(crate) struct BoundSolver {
    solver: Arc<HostSolver>,
    queue: Arc<Queue>,
}

impl BoundSolver {
    pub(crate) fn new(solver: Arc<HostSolver>, queue: Arc<Queue>) -> Self {
        Self { solver, queue }
    }

    async fn ask(
        &self,
        operation: &'static str,
        tell: fn(&SolverTable) -> Option<Tell>,
        challenge: &Challenge,
    ) -> Result<()> {
        let (solver, challenge) = (self.solver.clone(), challenge.clone());
        let work = move || solver.tell(operation, tell(&solver.table), &challenge);
        self.queue.ask(operation, work).await
    }
}

impl fmt::Debug for BoundSolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a solver of the host for {}", self.solver.kind)
    }
}

#[async_trait]
impl ChallengeSolver for BoundSolver {
    fn kind(&self) -> ChallengeKind {
        self.solver.kind
    }

    async fn present(&self, challenge: &Challenge) -> Result<()> {
        self.ask("challenge.present", |table| table.present, challenge).await
    }

    async fn ready(&self, challenge: &Challenge, cx: &Context) -> Result<()> {
        cx.check("challenge.ready")?;
        self.ask("challenge.ready", |table| table.ready, challenge).await
    }

    async fn cleanup(&self, challenge: &Challenge) -> Result<()> {
        self.ask("challenge.cleanup", |table| table.cleanup, challenge).await
    }
}

/// Registers `solver` for challenges of certificates with the `custom` name `name` (UTF-8,
/// `name_len` bytes), such as `challenge = { type = "dns-01", custom = "zone" }`. An earlier one is
/// replaced.
///
/// `*solver` is copied; its finalizer runs when `ctx` is freed, or immediately if this call fails,
/// if the struct could be read. `error` may be NULL; the caller must free what is put there. Any
/// thread, but not inside a callback; running calls continue with the earlier one. Answers
/// SW_E_INVALID_INPUT if the file has no such solver, or for another kind of challenge, SW_E_NULL
/// for a missing function, SW_E_UTF8, SW_E_STRUCT_SIZE, SW_E_REENTRANT, SW_E_FORKED, SW_E_PANIC.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_ctx_add_solver(
    ctx: *mut ContextHandle,
    name: *const c_char,
    name_len: usize,
    solver: *const SolverTable,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let work = || {
        // SAFETY: as this function's. It comes first, so that the finalizer runs.
        let solver = unsafe { HostSolver::read(solver) }?;
        outside_callbacks()?;
        // SAFETY: as this function's.
        let ctx = unsafe { input::handle(ctx.cast_const(), "ctx") }?;
        // SAFETY: as this function's.
        let name = Name::new(unsafe { input::text(name, name_len, "name") }?)?;
        let _entered = ctx.enter()?;
        ctx.add_solver(name, solver)
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}
