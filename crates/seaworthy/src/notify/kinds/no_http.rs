//! What stands for HTTP where the program was built without it.

use std::convert::Infallible;

use seaworthy_core::{Error, ErrorKind, Result, Secret};

/// Where messages would go.
#[derive(Debug)]
pub(super) struct Endpoint(Infallible);

impl Endpoint {
    pub(super) fn new(_url: Secret, _allow_http: bool) -> Result<Self> {
        Err(unsupported())
    }

    pub(super) fn header(self, _name: &str, _value: Secret) -> Result<Self> {
        match self.0 {}
    }

    pub(super) fn signed(self, _field: &'static str, _key: Secret) -> Self {
        match self.0 {}
    }

    pub(super) fn without_last_part(self) -> Result<(Self, String)> {
        match self.0 {}
    }

    pub(super) async fn post(&self, _body: Vec<u8>, _content_type: &'static str) -> Result<()> {
        match self.0 {}
    }
}

pub(super) fn unsupported() -> Error {
    let message = "this program was built without notifications";
    Error::new(ErrorKind::Unsupported, "notify.open", message)
        .remedy_is("build it with the feature `notify`")
}
