//! `sw_string`: text from the library, owned by the caller.

use std::ffi::c_char;

use crate::{
    boundary::{enter, enter_silently, put},
    error::Failure,
    input,
};

/// NUL-terminated text.
#[derive(Debug)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn new(mut text: String) -> Self {
        text.push('\0');
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    /// Gives C access to the text, which it may read as long as `self` lives.
    ///
    /// # Safety
    /// The pointers are NULL or may be written to.
    pub(crate) unsafe fn lend(
        &self,
        data: *mut *const c_char,
        len: *mut usize,
    ) -> Result<(), Failure> {
        // SAFETY: as this function's.
        *unsafe { input::out(data, "data") }? = self.0.as_ptr().cast();
        // SAFETY: as this function's.
        unsafe { put(len, self.as_str().len()) };
        Ok(())
    }
}

/// Text from the library. Owned by the caller, until `sw_string_free`.
#[derive(Debug)]
pub struct StringHandle(Text);

impl StringHandle {
    /// Passes `text` to C.
    pub(crate) fn give(text: String) -> *mut Self {
        Box::into_raw(Box::new(Self(Text::new(text))))
    }

    /// Takes a string back from C; `None` for NULL.
    ///
    /// # Safety
    /// `string` is NULL or came from [`give`](Self::give) and is no longer used.
    pub(crate) unsafe fn take(string: *mut Self) -> Option<Box<Self>> {
        // SAFETY: as this function's.
        (!string.is_null()).then(|| unsafe { Box::from_raw(string) })
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Makes a string, to be returned by a callback.
///
/// `text` (UTF-8, `text_len` bytes) is copied. `*out` is owned by the caller, who returns it from
/// the callback, or frees it with `sw_string_free`.
///
/// Any thread; also inside a callback. Answers SW_E_NULL, SW_E_UTF8, SW_E_LENGTH.
///
/// # Safety
/// Pointers are valid as described above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_string_new(
    text: *const c_char,
    text_len: usize,
    out: *mut *mut StringHandle,
) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        let place = unsafe { input::out(out, "out") }?;
        // SAFETY: as this function's.
        let text = unsafe { input::text(text, text_len, "text") }?;
        *place = StringHandle::give(text.to_owned());
        Ok(())
    };
    // SAFETY: NULL is allowed.
    unsafe { enter(std::ptr::null_mut(), work) }
}

/// The bytes of `string`.
///
/// `*data` is NUL-terminated UTF-8 of `*len` bytes without the NUL, borrowed from `string` until that is
/// freed. `len` may be NULL. Any thread; also inside a callback. Answers SW_E_NULL.
///
/// # Safety
/// `string` is NULL or a living string; the others are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_string_data(
    string: *const StringHandle,
    data: *mut *const c_char,
    len: *mut usize,
) -> i32 {
    let work = || {
        // SAFETY: as this function's.
        let string = unsafe { input::handle(string, "string") }?;
        // SAFETY: as this function's.
        unsafe { string.0.lend(data, len) }
    };
    // SAFETY: NULL is allowed.
    unsafe { enter(std::ptr::null_mut(), work) }
}

/// Frees `string`, and with it everything that was borrowed from it. NULL does nothing.
///
/// Any thread, but only one; also inside a callback.
///
/// # Safety
/// `string` is NULL or a living string, that is no longer used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_string_free(string: *mut StringHandle) {
    // SAFETY: as this function's.
    enter_silently(|| drop(unsafe { StringHandle::take(string) }));
}
