//! A bucket as a sink: any store that speaks S3, and Backblaze B2.
//!
//! `object_store` makes the requests that it supports, `bucket` the others. All of them go through
//! one `service`, which signs them, applies the limits and retries.

#[cfg(feature = "s3")]
mod action;
#[cfg(feature = "s3")]
mod body;
#[cfg(feature = "s3")]
mod bucket;
#[cfg(feature = "s3")]
mod check;
mod config;
#[cfg(feature = "s3")]
mod credentials;
#[cfg(feature = "s3")]
mod failure;
#[cfg(feature = "s3")]
mod headers;
mod kind;
#[cfg(feature = "s3")]
mod lifecycle;
#[cfg(feature = "s3")]
mod open;
#[cfg(feature = "s3")]
mod options;
#[cfg(feature = "s3")]
mod pace;
#[cfg(feature = "s3")]
mod probe;
#[cfg(feature = "s3")]
mod profile;
#[cfg(feature = "s3")]
mod provider;
#[cfg(feature = "s3")]
mod proxy;
#[cfg(feature = "s3")]
mod service;

pub use config::{
    AddressStyle, B2Key, B2SinkConfig, CustomerKey, KmsKey, LockMode, ObjectLockConfig, RateConfig,
    S3Keys, S3SinkConfig, ServerEncryptionConfig, StoreKey,
};
#[cfg(feature = "s3")]
pub use {
    credentials::{MachineRole, S3Credentials},
    headers::{ObjectLock, ServerEncryption},
    lifecycle::LifecycleRule,
    open::{BucketIn, S3Options},
    provider::Provider,
    proxy::S3Proxy,
};
