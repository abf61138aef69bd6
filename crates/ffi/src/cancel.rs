//! `sw_cancel`: stops a call from any thread.

use seaworthy::core::Cancel;

use crate::{
    boundary::{enter, enter_silently, outside_callbacks},
    error::ErrorHandle,
    input,
};

/// A trigger that stops the calls which it is passed to. It cannot be reset: create a new one for
/// the next call.
#[derive(Debug)]
pub struct CancelHandle(Cancel);

impl CancelHandle {
    pub(crate) fn cancel(&self) -> Cancel {
        self.0.clone()
    }
}

/// Creates a trigger.
///
/// `*out` is owned by the caller, until `sw_cancel_free`. `error` may be NULL; the caller must free
/// what is put there. Any thread, but not inside a callback. Answers SW_E_NULL, SW_E_REENTRANT.
///
/// # Safety
/// Pointers are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cancel_new(
    out: *mut *mut CancelHandle,
    error: *mut *mut ErrorHandle,
) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        let place = unsafe { input::out(out, "out") }?;
        *place = std::ptr::null_mut();
        outside_callbacks()?;
        *place = Box::into_raw(Box::new(CancelHandle(Cancel::new())));
        Ok(())
    };
    // SAFETY: as this function's.
    unsafe { enter(error, work) }
}

/// Asks every call with `cancel` to stop. Further calls have no effect. The stopped call returns
/// SW_E_CANCELLED, unless it was already done.
///
/// Any thread, at any time; also inside a callback. Not from a signal handler. Answers SW_E_NULL.
///
/// # Safety
/// `cancel` is NULL or a living trigger.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cancel_trigger(cancel: *const CancelHandle) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        unsafe { input::handle(cancel, "cancel") }?.0.trigger();
        Ok(())
    };
    // SAFETY: NULL is allowed.
    unsafe { enter(std::ptr::null_mut(), work) }
}

/// Whether `cancel` was triggered: 1 or 0.
///
/// Any thread; not inside a callback. Answers SW_E_NULL, SW_E_REENTRANT.
///
/// # Safety
/// `cancel` is NULL or a living trigger; `out` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cancel_is_triggered(cancel: *const CancelHandle, out: *mut i32) -> i32 {
    let work = || {
        outside_callbacks()?;
        // SAFETY: as this function's.
        let cancel = unsafe { input::handle(cancel, "cancel") }?;
        // SAFETY: as this function's.
        *unsafe { input::out(out, "out") }? = i32::from(cancel.0.is_triggered());
        Ok(())
    };
    // SAFETY: NULL is allowed.
    unsafe { enter(std::ptr::null_mut(), work) }
}

/// Frees `cancel`. NULL does nothing. A call with it continues and can no longer be stopped.
///
/// Any thread, but only one.
///
/// # Safety
/// `cancel` is NULL or a living trigger that is no longer used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_cancel_free(cancel: *mut CancelHandle) {
    enter_silently(|| {
        if !cancel.is_null() {
            // SAFETY: as this function's.
            drop(unsafe { Box::from_raw(cancel) });
        }
    });
}
