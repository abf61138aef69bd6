//! Files and folders: a PAX tar archive.

#[cfg(feature = "files")]
pub(crate) mod archive;
mod config;
#[cfg(feature = "files")]
mod drill;
mod kind;
mod payload;
#[cfg(feature = "files")]
mod source;
#[cfg(feature = "files")]
mod target;
#[cfg(all(test, feature = "files"))]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;

#[cfg(feature = "files")]
pub(crate) use archive::TarScanner;
pub use config::FilesConfig;
#[cfg(feature = "files")]
pub use drill::FilesDrill;
pub(super) use payload::TarPayload;
#[cfg(feature = "files")]
pub use source::FilesSource;
#[cfg(feature = "files")]
pub use target::FilesTarget;
