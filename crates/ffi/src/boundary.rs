//! Every entry from C goes through this: it stops panics, and refuses calls from inside callbacks.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    code,
    error::{ErrorHandle, Failure},
};

thread_local! {
    /// How many callbacks of the host are active on this thread.
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

/// Runs `work` and returns its code. The error is put where `error` points to, unless it is NULL.
///
/// # Safety
/// `error` is NULL or may be written to.
pub(crate) unsafe fn enter(
    error: *mut *mut ErrorHandle,
    work: impl FnOnce() -> Result<(), Failure>,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { put(error, std::ptr::null_mut()) };
    let failure = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return code::SW_OK,
        Ok(Err(failure)) => failure,
        Err(payload) => panicked(payload),
    };
    let code = failure.code;
    if !error.is_null() {
        // SAFETY: as this function's.
        unsafe { put(error, ErrorHandle::give(failure)) };
    }
    code
}

/// Runs `work`, which has no result.
pub(crate) fn enter_silently(work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        panicked(payload);
    }
}

/// Puts `value` where `place` points to, unless that is NULL.
///
/// # Safety
/// `place` is NULL or may be written to.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: as this function's.
        unsafe { place.write(value) };
    }
}

/// The failure for a panic.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    // The payload's own drop could panic as well.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    let message = format!("a bug in Seaworthy: {}", text.as_deref().unwrap_or("a panic"));
    Failure::new(code::SW_E_PANIC, "panic", message)
        .remedy("report it; free the context and open a new one")
}

/// Marks this thread as being inside a callback of the host, for as long as it lives.
pub(crate) struct InsideCallback(());

impl InsideCallback {
    pub(crate) fn enter() -> Self {
        CALLBACKS.with(|depth| depth.set(depth.get() + 1));
        Self(())
    }
}

impl Drop for InsideCallback {
    fn drop(&mut self) {
        CALLBACKS.with(|depth| depth.set(depth.get() - 1));
    }
}

/// Whether this thread is inside a callback.
pub(crate) fn is_inside_callback() -> bool {
    CALLBACKS.with(Cell::get) > 0
}

/// Refuses a call that comes from inside a callback.
pub(crate) fn outside_callbacks() -> Result<(), Failure> {
    if !is_inside_callback() {
        return Ok(());
    }
    let message = "this must not be called from inside a callback";
    Err(Failure::new(code::SW_E_REENTRANT, "call", message).remedy(
        "let the callback return first, or call it from another thread with another \
                 context",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_code_and_a_message() {
        let mut error = std::ptr::null_mut();
        // SAFETY: `error` is a local variable.
        let code = unsafe { enter(&mut error, || panic!("boom {}", 1)) };
        assert_eq!(code, code::SW_E_PANIC);
        // SAFETY: the boundary has just put it there.
        let failure = unsafe { ErrorHandle::take(error) }.unwrap();
        assert!(failure.message().contains("boom 1"));
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { enter(std::ptr::null_mut(), || panic!("x")) }, code::SW_E_PANIC);
    }

    #[test]
    fn a_payload_whose_drop_panics_is_survived() {
        struct Vicious;
        impl Drop for Vicious {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        enter_silently(|| std::panic::panic_any(Vicious));
    }

    #[test]
    fn being_inside_is_of_this_thread_and_nests() {
        let first = InsideCallback::enter();
        let second = InsideCallback::enter();
        drop(first);
        assert!(outside_callbacks().is_err());
        std::thread::spawn(|| assert!(outside_callbacks().is_ok())).join().unwrap();
        drop(second);
        assert!(outside_callbacks().is_ok());
    }
}
