//! Which library this is.

use std::ffi::c_char;

/// The version of this header. It grows when something that was there changes; what is only added leaves
/// it as it is. A library fits a program when `sw_abi_version()` gives this number.
pub const SW_ABI_VERSION: u32 = 1;

/// The version of the interface that the library has; see SW_ABI_VERSION. Any thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn sw_abi_version() -> u32 {
    SW_ABI_VERSION
}

/// The version of Seaworthy, such as `1.2.3`: NUL-terminated, never freed. Any thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn sw_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
