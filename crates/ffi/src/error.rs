//! `sw_error`: all details of an error, owned by the caller.

use std::ffi::c_char;

use seaworthy::core::{Error, ErrorKind};

use crate::{
    boundary::{enter, enter_silently},
    code,
    input::{self, out},
    string::Text,
};

/// An error, on this side of the boundary.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    operation: String,
    message: String,
    remedy: Option<String>,
    context: serde_json::Map<String, serde_json::Value>,
    retryable: bool,
}

impl Failure {
    pub(crate) fn new(code: i32, operation: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            operation: operation.to_owned(),
            message: message.into(),
            remedy: None,
            context: serde_json::Map::new(),
            retryable: false,
        }
    }

    #[must_use]
    pub(crate) fn remedy(mut self, remedy: &str) -> Self {
        self.remedy = Some(remedy.to_owned());
        self
    }

    /// This failure as an error of the kind of its code, from `operation`.
    pub(crate) fn into_error(self, operation: &'static str) -> Error {
        let kind = code::kind_of(self.code).unwrap_or(ErrorKind::Io);
        let error = Error::new(kind, operation, self.message);
        match self.remedy {
            Some(remedy) => error.remedy_is(remedy),
            None => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            code: error.kind().code(),
            operation: error.operation().to_owned(),
            message: error.chain(),
            remedy: error.remedy().map(Into::into),
            context: error.context().map(|(name, fact)| (name.into(), fact.into())).collect(),
            retryable: error.is_retryable(),
        }
    }
}

/// An error: a code, a message for people, the operation, what to do about it, and facts as JSON.
/// Owned by the caller, until `sw_error_free`.
#[derive(Debug)]
pub struct ErrorHandle {
    code: i32,
    retryable: bool,
    message: Text,
    operation: Text,
    remedy: Text,
    context: Text,
}

impl ErrorHandle {
    /// Passes `failure` to C.
    pub(crate) fn give(failure: Failure) -> *mut Self {
        let Failure { code, operation, message, remedy, context, retryable } = failure;
        Box::into_raw(Box::new(Self {
            code,
            retryable,
            message: Text::new(message),
            operation: Text::new(operation),
            remedy: Text::new(remedy.unwrap_or_default()),
            context: Text::new(serde_json::Value::Object(context).to_string()),
        }))
    }

    /// Takes an error back from C; `None` for NULL.
    ///
    /// # Safety
    /// `error` is NULL or came from [`give`](Self::give) and is no longer used.
    pub(crate) unsafe fn take(error: *mut Self) -> Option<Box<Self>> {
        // SAFETY: as this function's.
        (!error.is_null()).then(|| unsafe { Box::from_raw(error) })
    }

    pub(crate) fn message(&self) -> &str {
        self.message.as_str()
    }
}

/// Makes an error, to be returned by a callback.
///
/// `code` is the result of the callback, one of SW_E_*; `message` (UTF-8, `message_len` bytes) says
/// what happened, for people. `*out` is owned by the caller, who passes it on by putting it where
/// the callback's `error` points to, or frees it with `sw_error_free`.
///
/// Any thread; also inside a callback. Answers SW_E_NULL, SW_E_UTF8, SW_E_LENGTH, and
/// SW_E_INVALID_INPUT for a code that is not negative.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_new(
    code: i32,
    message: *const c_char,
    message_len: usize,
    out: *mut *mut ErrorHandle,
) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        let place = unsafe { input::out(out, "out") }?;
        // SAFETY: as this function's.
        let message = unsafe { input::text(message, message_len, "message") }?;
        if code >= 0 {
            let message = "the code of an error must be negative";
            return Err(Failure::new(code::SW_E_INVALID_INPUT, "error.new", message));
        }
        *place = ErrorHandle::give(Failure::new(code, "callback", message));
        Ok(())
    };
    // SAFETY: NULL is allowed.
    unsafe { enter(std::ptr::null_mut(), work) }
}

/// The code of `error`, which is the result of the call.
///
/// Any thread; also inside a callback. Answers SW_E_NULL.
///
/// # Safety
/// `error` is NULL or a living error; `out` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_code(error: *const ErrorHandle, out: *mut i32) -> i32 {
    // SAFETY: as this function's.
    unsafe { read(error, out, |error| error.code) }
}

/// Whether trying again may help: 1 or 0.
///
/// Any thread; also inside a callback. Answers SW_E_NULL.
///
/// # Safety
/// `error` is NULL or a living error; `out` is NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_retryable(error: *const ErrorHandle, out: *mut i32) -> i32 {
    // SAFETY: as this function's.
    unsafe { read(error, out, |error| i32::from(error.retryable)) }
}

/// The message of `error` with those of its causes, for people.
///
/// `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
/// freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
///
/// # Safety
/// `error` is NULL or a living error; the others are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_message(
    error: *const ErrorHandle,
    data: *mut *const c_char,
    len: *mut usize,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { borrow(error, data, len, |error| &error.message) }
}

/// The operation that failed with `error`, such as `sink.read`.
///
/// `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
/// freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
///
/// # Safety
/// `error` is NULL or a living error; the others are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_operation(
    error: *const ErrorHandle,
    data: *mut *const c_char,
    len: *mut usize,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { borrow(error, data, len, |error| &error.operation) }
}

/// What the user can do about `error`; empty if that is not known.
///
/// `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
/// freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
///
/// # Safety
/// `error` is NULL or a living error; the others are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_remedy(
    error: *const ErrorHandle,
    data: *mut *const c_char,
    len: *mut usize,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { borrow(error, data, len, |error| &error.remedy) }
}

/// The facts about `error` as a JSON object of strings, such as `{"line":"3","column":"7"}`.
///
/// `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `error` until that is
/// freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
///
/// # Safety
/// `error` is NULL or a living error; the others are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_context(
    error: *const ErrorHandle,
    data: *mut *const c_char,
    len: *mut usize,
) -> i32 {
    // SAFETY: as this function's.
    unsafe { borrow(error, data, len, |error| &error.context) }
}

/// Frees `error`, and with it everything that was borrowed from it. NULL does nothing.
///
/// Any thread, but only one; also inside a callback.
///
/// # Safety
/// `error` is NULL or a living error, that is no longer used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_free(error: *mut ErrorHandle) {
    // SAFETY: as this function's.
    enter_silently(|| drop(unsafe { ErrorHandle::take(error) }));
}

/// # Safety
/// `error` is NULL or a living error; `place` is NULL or may be written to.
unsafe fn read<T>(
    error: *const ErrorHandle,
    place: *mut T,
    value: impl FnOnce(&ErrorHandle) -> T,
) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        let (error, place) = unsafe { (input::handle(error, "error")?, out(place, "out")?) };
        *place = value(error);
        Ok(())
    };
    // SAFETY: NULL is allowed.
    unsafe { enter(std::ptr::null_mut(), work) }
}

/// # Safety
/// `error` is NULL or a living error; the others are NULL or may be written to.
unsafe fn borrow(
    error: *const ErrorHandle,
    data: *mut *const c_char,
    len: *mut usize,
    text: impl FnOnce(&ErrorHandle) -> &Text,
) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        let error = unsafe { input::handle(error, "error") }?;
        // SAFETY: as this function's.
        unsafe { text(error).lend(data, len) }
    };
    // SAFETY: NULL is allowed.
    unsafe { enter(std::ptr::null_mut(), work) }
}
