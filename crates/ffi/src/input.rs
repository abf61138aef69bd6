//! Input from C: every pointer and every number is checked before it is used.

use std::{ffi::c_char, mem::MaybeUninit, str::FromStr};

use seaworthy::{SnapshotName, command::Target, core::Error};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{code, error::Failure};

/// A struct that C fills: it begins with its size, and each of its members may be zero.
///
/// # Safety
/// The type is `repr(C)`, begins with `size: u32`, has no padding that is read, and all bytes zero are
/// a valid value of it.
pub(crate) unsafe trait Table: Copy {
    /// The size that the struct had in the first version, in bytes.
    const FIRST_SIZE: usize;
}

/// The largest struct that any later version could have, in bytes.
const MAX_TABLE: usize = 1024;

/// What `pointer` points to.
///
/// # Safety
/// `pointer` is NULL or points to a living `T` that is not changed during `'a`.
pub(crate) unsafe fn handle<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: as this function's.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The place that `pointer` points to, for a result.
///
/// # Safety
/// `pointer` is NULL or may be written to for as long as `'a`, only by us.
pub(crate) unsafe fn out<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: as this function's.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// The text of `len` bytes at `pointer`; NULL is an error.
///
/// # Safety
/// `pointer` is NULL or points to `len` bytes that is not changed during `'a`.
pub(crate) unsafe fn text<'a>(
    pointer: *const c_char,
    len: usize,
    name: &str,
) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(null(name));
    }
    if len > isize::MAX as usize {
        let message = format!("{name} cannot be {len} bytes long");
        return Err(Failure::new(code::SW_E_LENGTH, "argument", message));
    }
    // SAFETY: as this function's, and the length is one that objects can have.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), len) };
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("{name} is not UTF-8 from byte {} on", error.valid_up_to());
        Failure::new(code::SW_E_UTF8, "argument", message)
    })
}

/// The same, but NULL with a length of 0 means no value.
///
/// # Safety
/// That of [`text`].
pub(crate) unsafe fn optional_text<'a>(
    pointer: *const c_char,
    len: usize,
    name: &str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() && len == 0 {
        return Ok(None);
    }
    // SAFETY: as this function's.
    unsafe { text(pointer, len, name) }.map(Some)
}

/// The request at `pointer`, which is a JSON object; NULL means `{}`.
///
/// # Safety
/// That of [`text`].
pub(crate) unsafe fn request<R: DeserializeOwned>(
    pointer: *const c_char,
    len: usize,
) -> Result<R, Failure> {
    // SAFETY: as this function's.
    read(unsafe { request_text(pointer, len) }?)
}

/// The text of the request at `pointer`; nothing is `{}`.
///
/// # Safety
/// That of [`text`].
pub(crate) unsafe fn request_text<'a>(
    pointer: *const c_char,
    len: usize,
) -> Result<&'a str, Failure> {
    // SAFETY: as this function's.
    Ok(unsafe { optional_text(pointer, len, "request") }?.unwrap_or("{}"))
}

/// The request that `text` is.
pub(crate) fn read<R: DeserializeOwned>(text: &str) -> Result<R, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::new(code::SW_E_REQUEST, "request", format!("the request is wrong: {error}"))
    })
}

/// Which snapshot or target the request `text` names that cannot exist: the key, and why.
pub(crate) fn wrong_name(text: &str) -> Option<(&'static str, Error)> {
    fn wrong<T: FromStr<Err = Error>>(found: &Value) -> Option<Error> {
        let names = found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice);
        names.iter().filter_map(Value::as_str).find_map(|name| name.parse::<T>().err())
    }
    let request: Value = serde_json::from_str(text).ok()?;
    let snapshot = ["snapshot", "snapshots"]
        .into_iter()
        .find_map(|key| Some((key, wrong::<SnapshotName>(request.get(key)?)?)));
    snapshot.or_else(|| Some(("targets", wrong::<Target>(request.get("targets")?)?)))
}

/// A copy of the struct at `pointer`, which may be of an earlier or a later version: missing
/// members are zero, and unknown members must be.
///
/// # Safety
/// `pointer` is NULL or points to as many bytes as its first member says.
pub(crate) unsafe fn table<T: Table>(pointer: *const T, name: &str) -> Result<T, Failure> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: every struct begins with its size.
    let size = unsafe { pointer.cast::<u32>().read_unaligned() } as usize;
    let (ours, known) = (size_of::<T>(), size.min(size_of::<T>()));
    let bad = |why: &str| {
        let message = format!("the size of {name}, {size} bytes, {why}");
        Failure::new(code::SW_E_STRUCT_SIZE, "argument", message)
            .remedy("set `size` to the sizeof of the struct")
    };
    if size < T::FIRST_SIZE || size > MAX_TABLE {
        return Err(bad("is not one that it can have"));
    }
    if size > ours {
        // SAFETY: the caller guarantees this many bytes.
        let rest =
            unsafe { std::slice::from_raw_parts(pointer.cast::<u8>().add(ours), size - ours) };
        if rest.iter().any(|byte| *byte != 0) {
            return Err(bad(
                "is of a later version, and it uses members that this one does not have",
            ));
        }
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: both have `known` bytes, and a new variable overlaps with nothing.
    unsafe {
        pointer.cast::<u8>().copy_to_nonoverlapping(copy.as_mut_ptr().cast::<u8>(), known);
    }
    // SAFETY: zero is a valid value of each member, and so is what C put there.
    Ok(unsafe { copy.assume_init() })
}

pub(crate) fn null(name: &str) -> Failure {
    Failure::new(code::SW_E_NULL, "argument", format!("{name} is NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    struct Three {
        size: u32,
        old: u32,
        new: u64,
    }

    // SAFETY: numbers may be zero.
    unsafe impl Table for Three {
        const FIRST_SIZE: usize = 8;
    }

    fn read(bytes: &[u32]) -> Result<Three, i32> {
        // SAFETY: the sizes that are written below are at most those of the slices.
        unsafe { table(bytes.as_ptr().cast::<Three>(), "three") }.map_err(|failure| failure.code)
    }

    #[test]
    fn structs_of_other_versions_are_read_or_refused() {
        let whole = read(&[16, 1, 2, 0]).unwrap();
        assert_eq!((whole.old, whole.new), (1, 2));
        assert_eq!(read(&[8, 1]).unwrap().new, 0, "an earlier one does not have the new member");
        assert_eq!(
            read(&[24, 1, 2, 0, 0, 0]).unwrap().new,
            2,
            "a later one that uses no new members"
        );
        for wrong in [&[24, 1, 2, 0, 0, 3][..], &[7, 1], &[0, 0], &[u32::MAX, 1]] {
            assert_eq!(read(wrong).unwrap_err(), code::SW_E_STRUCT_SIZE);
        }
        // SAFETY: NULL is allowed.
        let null = unsafe { table::<Three>(std::ptr::null(), "three") };
        assert_eq!(null.unwrap_err().code, code::SW_E_NULL);
    }

    #[test]
    fn text_is_looked_at_before_it_is_used() {
        let read = |bytes: &[u8], len| {
            // SAFETY: `len` is that of the bytes, or is refused before they are read.
            let text = unsafe { text(bytes.as_ptr().cast(), len, "text") };
            text.map(str::to_owned).map_err(|failure| failure.code)
        };
        assert_eq!(read(b"a\0b", 3).unwrap(), "a\0b");
        assert_eq!(read(b"\xff", 1).unwrap_err(), code::SW_E_UTF8);
        assert_eq!(read(b"", usize::MAX).unwrap_err(), code::SW_E_LENGTH);
        // SAFETY: NULL is allowed.
        unsafe {
            assert_eq!(text(std::ptr::null(), 0, "x").unwrap_err().code, code::SW_E_NULL);
            assert!(optional_text(std::ptr::null(), 0, "x").unwrap().is_none());
            assert_eq!(optional_text(std::ptr::null(), 1, "x").unwrap_err().code, code::SW_E_NULL);
        }
    }
}
