//! Stores that speak S3, on free ports of this machine, and what can go wrong between.

mod b2;
mod files;
mod memory;
mod metadata;
mod moto;
mod proxy;
mod recorder;
mod serve;
mod tunnel;

pub use b2::{B2, B2Key};
pub use files::FilesServer;
pub use memory::MemoryServer;
pub use metadata::InstanceMetadata;
pub use moto::Moto;
pub use proxy::{FaultProxy, Trouble, When};
pub use recorder::Recorder;
pub use tunnel::TunnelProxy;

/// The key that the servers know.
pub const KEY_ID: &str = "AKEXAMPLE0000000";

/// Its secret.
pub const SECRET: &str = "this-is-the-secret-of-the-example";

/// The bucket that is there.
pub const BUCKET: &str = "backups";
