//! The version of the library.

use std::ffi::c_char;

/// The version of this header. It changes when something existing changes; additions do not change
/// it. A library is compatible with a program if `sw_abi_version()` returns this number.
pub const SW_ABI_VERSION: u32 = 1;

/// The interface version of the library; see SW_ABI_VERSION. Any thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn sw_abi_version() -> u32 {
    SW_ABI_VERSION
}

/// The version of Seaworthy, such as `1.2.3`: NUL-terminated, never freed. Any thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn sw_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
