//! Servers that notifications are sent to.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod http;
pub(crate) mod smtp;
