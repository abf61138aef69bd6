//! A store's errors, with our messages.

use std::{error::Error as StdError, io};

use object_store::Error as StoreError;
use seaworthy_core::{Error, ErrorKind};

use super::Inner;
use crate::format::ObjectKey;

impl Inner {
    /// The error of `operation`, which could not `verb` the object `key`.
    pub(super) fn error(
        &self,
        operation: &'static str,
        verb: &str,
        key: &ObjectKey,
        error: StoreError,
    ) -> Error {
        let (label, message) = (&self.label, self.cannot(verb, key));
        if let Some(explained) = self.store.explain(operation, &message, &error) {
            return explained.with("object", key).with("sink", label);
        }
        let mapped = match (system_error(&error), kind(&error)) {
            // The store's own error is more exact than that of the system.
            (Some(system), Some(kind)) => Error::new(kind, operation, message).caused_by(system),
            // A folder, or below an object: no object can exist there.
            (Some(system), None) if is_misplaced(&system) => {
                let writing = matches!(operation, "sink.write" | "sink.commit");
                let kind = if writing { ErrorKind::InvalidInput } else { ErrorKind::NotFound };
                Error::new(kind, operation, message).caused_by(system)
            }
            (Some(system), None) => Error::io(operation, message, system),
            (None, kind) => {
                Error::new(kind.unwrap_or(ErrorKind::Io), operation, message).caused_by(error)
            }
        };
        let mapped = mapped.with("object", key).with("sink", label);
        match mapped.kind() {
            ErrorKind::NoSpace => {
                mapped.remedy_is(format!("free some space on {label}, or keep fewer snapshots"))
            }
            ErrorKind::PermissionDenied => {
                mapped.remedy_is(format!("give the user that runs this access to {label}"))
            }
            _ => mapped,
        }
    }

    fn cannot(&self, verb: &str, key: &ObjectKey) -> String {
        let label = &self.label;
        if key.as_str().is_empty() {
            format!("cannot {verb} {label}")
        } else {
            format!("cannot {verb} {key} in {label}")
        }
    }
}

fn is_misplaced(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
}

/// The kind that the store itself reports; `None` for its catch-all.
fn kind(error: &StoreError) -> Option<ErrorKind> {
    Some(match error {
        StoreError::NotFound { .. } => ErrorKind::NotFound,
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } => {
            ErrorKind::AlreadyExists
        }
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            ErrorKind::Unsupported
        }
        StoreError::InvalidPath { .. } => ErrorKind::InvalidInput,
        StoreError::JoinError { source } if source.is_cancelled() => ErrorKind::Cancelled,
        StoreError::JoinError { .. } => ErrorKind::Internal,
        _ => return None,
    })
}

/// The operating system's error at the bottom of `error`. It is rebuilt from its number, because a
/// source cannot be taken out of an error.
fn system_error(error: &StoreError) -> Option<io::Error> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(at) = next {
        next = match at.downcast_ref::<io::Error>() {
            Some(io) => match io.raw_os_error() {
                Some(code) => return Some(io::Error::from_raw_os_error(code)),
                // What it wraps is not its `source`.
                None => io.get_ref().map(|inner| inner as _),
            },
            None => at.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::{Capabilities, ObjectStoreSink, StorePreset};
    use std::sync::Arc;

    fn mapped(error: StoreError) -> Error {
        let store = Arc::new(object_store::memory::InMemory::new());
        let preset = StorePreset::new(Capabilities::all());
        let sink = ObjectStoreSink::new(store, "the-bucket", ObjectKey::root(), preset);
        sink.0.error("sink.write", "write", &"a/b".parse().unwrap(), error)
    }

    fn generic(code: i32) -> StoreError {
        let io = io::Error::from_raw_os_error(code);
        // As stores do it: the system's error is below one of their own.
        StoreError::Generic { store: "x", source: Box::new(io::Error::other(io)) }
    }

    #[test]
    fn a_full_disk_and_a_full_quota_are_no_space_with_a_remedy() {
        use rustix::io::Errno;
        for code in [Errno::NOSPC, Errno::DQUOT] {
            let error = mapped(generic(code.raw_os_error()));
            assert_eq!(error.kind(), ErrorKind::NoSpace);
            assert!(error.remedy().unwrap().contains("the-bucket"));
            let chain = error.chain();
            assert!(chain.contains("a/b") && chain.contains("the-bucket"), "{chain}");
            assert!(chain.contains("os error"), "{chain}");
        }
    }

    #[test]
    fn the_kinds_of_a_store_are_kept() {
        let source = || Box::new(io::Error::other("x"));
        let path = || "a/b".to_owned();
        let cases = [
            (StoreError::NotFound { path: path(), source: source() }, ErrorKind::NotFound),
            (
                StoreError::AlreadyExists { path: path(), source: source() },
                ErrorKind::AlreadyExists,
            ),
            (
                StoreError::Unauthenticated { path: path(), source: source() },
                ErrorKind::PermissionDenied,
            ),
            (StoreError::Generic { store: "x", source: source() }, ErrorKind::Io),
            (generic(rustix::io::Errno::ACCESS.raw_os_error()), ErrorKind::PermissionDenied),
        ];
        for (error, kind) in cases {
            assert_eq!(mapped(error).kind(), kind);
        }
    }
}
