//! The result codes of calls. Their meaning never changes.

use seaworthy::core::ErrorKind;

/// Success. If there were losses, the document's `outcome` says so.
pub const SW_OK: i32 = 0;

/// An argument is wrong: a name, a key, a number out of range.
pub const SW_E_INVALID_INPUT: i32 = -1;
/// The configuration file is wrong.
pub const SW_E_CONFIG: i32 = -2;
/// A snapshot, an object, a file or a source does not exist.
pub const SW_E_NOT_FOUND: i32 = -3;
/// Something already exists that must not be replaced.
pub const SW_E_ALREADY_EXISTS: i32 = -4;
/// The operating system or a store refused.
pub const SW_E_PERMISSION_DENIED: i32 = -5;
/// A disk, a quota or a bucket is full.
pub const SW_E_NO_SPACE: i32 = -6;
/// A part does not support what was asked of it.
pub const SW_E_UNSUPPORTED: i32 = -7;
/// Stored bytes are not what was written: truncated, flipped, missing.
pub const SW_E_DAMAGED: i32 = -8;
/// Stored bytes are complete but not signed by a trusted key.
pub const SW_E_UNTRUSTED: i32 = -9;
/// Written by a newer version of Seaworthy.
pub const SW_E_NEWER_FORMAT: i32 = -10;
/// Another process holds the lock.
pub const SW_E_LOCKED: i32 = -11;
/// The caller cancelled.
pub const SW_E_CANCELLED: i32 = -12;
/// A time limit passed.
pub const SW_E_TIMED_OUT: i32 = -13;
/// A service cannot be reached or reports a temporary failure.
pub const SW_E_UNAVAILABLE: i32 = -14;
/// Any other failure of input or output.
pub const SW_E_IO: i32 = -15;
/// The data to back up is itself wrong, such as a corrupt database.
pub const SW_E_SOURCE: i32 = -16;
/// A command that was run failed.
pub const SW_E_COMMAND: i32 = -17;
/// A target that must be empty is not.
pub const SW_E_NOT_EMPTY: i32 = -18;
/// A short name matches more than one thing.
pub const SW_E_AMBIGUOUS: i32 = -19;
/// A defect in Seaworthy itself.
pub const SW_E_INTERNAL: i32 = -20;

/// A pointer that must not be NULL is.
pub const SW_E_NULL: i32 = -1000;
/// Text is not UTF-8.
pub const SW_E_UTF8: i32 = -1001;
/// A bug made the library panic; the context refuses further calls.
pub const SW_E_PANIC: i32 = -1002;
/// Called from inside a callback, where it is not allowed.
pub const SW_E_REENTRANT: i32 = -1003;
/// The `size` of a struct is not one that this version can read.
pub const SW_E_STRUCT_SIZE: i32 = -1004;
/// A length is larger than any object can be.
pub const SW_E_LENGTH: i32 = -1005;
/// A request is not JSON, or has unknown or wrong members.
pub const SW_E_REQUEST: i32 = -1006;
/// The context was created before this process was forked.
pub const SW_E_FORKED: i32 = -1007;
/// It ran and failed, but there is no single error: see the document.
pub const SW_E_FAILED: i32 = -1008;
/// It ran and found problems: see the document.
pub const SW_E_FINDINGS: i32 = -1009;

/// The kind of error of `code`; `None` for success, the ABI's own codes and unknown numbers.
pub(crate) fn kind_of(code: i32) -> Option<ErrorKind> {
    KINDS.into_iter().find(|kind| kind.code() == code)
}

const KINDS: [ErrorKind; 20] = [
    ErrorKind::InvalidInput,
    ErrorKind::Config,
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::PermissionDenied,
    ErrorKind::NoSpace,
    ErrorKind::Unsupported,
    ErrorKind::Damaged,
    ErrorKind::Untrusted,
    ErrorKind::NewerFormat,
    ErrorKind::Locked,
    ErrorKind::Cancelled,
    ErrorKind::TimedOut,
    ErrorKind::Unavailable,
    ErrorKind::Io,
    ErrorKind::Source,
    ErrorKind::Command,
    ErrorKind::NotEmpty,
    ErrorKind::Ambiguous,
    ErrorKind::Internal,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_numbers_of_the_kinds() {
        let codes = [
            SW_E_INVALID_INPUT,
            SW_E_CONFIG,
            SW_E_NOT_FOUND,
            SW_E_ALREADY_EXISTS,
            SW_E_PERMISSION_DENIED,
            SW_E_NO_SPACE,
            SW_E_UNSUPPORTED,
            SW_E_DAMAGED,
            SW_E_UNTRUSTED,
            SW_E_NEWER_FORMAT,
            SW_E_LOCKED,
            SW_E_CANCELLED,
            SW_E_TIMED_OUT,
            SW_E_UNAVAILABLE,
            SW_E_IO,
            SW_E_SOURCE,
            SW_E_COMMAND,
            SW_E_NOT_EMPTY,
            SW_E_AMBIGUOUS,
            SW_E_INTERNAL,
        ];
        assert_eq!(KINDS.map(ErrorKind::code), codes);
        assert_eq!(codes, std::array::from_fn(|i| -1 - i as i32));
        assert_eq!(kind_of(SW_E_LOCKED), Some(ErrorKind::Locked));
        assert_eq!(kind_of(SW_E_NULL), None);
    }
}
