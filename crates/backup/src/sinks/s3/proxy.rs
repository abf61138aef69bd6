//! The HTTP proxy of a network.

use seaworthy_core::{Error, ErrorKind, Result, Secret};

/// A proxy that requests to the store go through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct S3Proxy {
    /// Its address: `http://`, `https://`, `socks5://` or `socks5h://`, then
    /// `[user:password@]host[:port]`; default: `http`.
    pub address: Secret,
    /// What is reached without it: hosts and their subdomains, addresses and networks, separated by
    /// commas; `*` for everything.
    pub except: String,
}

impl S3Proxy {
    /// Everything goes through the proxy at `address`.
    pub fn new(address: Secret) -> Self {
        Self { address, except: String::new() }
    }

    /// The same for reqwest. No error shows the address: it may contain a password.
    pub(super) fn for_client(&self) -> Result<reqwest::Proxy> {
        let wrong = || {
            let message = "the proxy's address is not valid";
            Error::new(ErrorKind::InvalidInput, "sink.open", message)
                .remedy_is("write it like http://proxy.example:3128 or socks5h://proxy.example")
        };
        let text = self.address.expose().trim();
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url: reqwest::Url = text.parse().map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") || !url.has_host() {
            return Err(wrong());
        }
        let proxy = reqwest::Proxy::all(url).map_err(|_| wrong())?;
        Ok(proxy.no_proxy(reqwest::NoProxy::from_string(&self.except)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_is_refused_without_showing_it() {
        for fine in ["proxy:3128", "http://u:p@proxy", "https://proxy", "socks5h://proxy:1080"] {
            S3Proxy::new(Secret::new(fine)).for_client().unwrap();
        }
        for wrong in ["ftp://u:hunter2@proxy", "http://u:hunter2@", "http://u:hunter2@a b", ""] {
            let proxy = S3Proxy::new(Secret::new(wrong));
            let error = proxy.for_client().unwrap_err();
            assert!(error.remedy().is_some());
            assert!(!format!("{error:?} {} {proxy:?}", error.chain()).contains("hunter2"));
        }
    }
}
