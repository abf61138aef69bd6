//! DNS queries: addresses, CAA, TXT, CNAME.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, RecordType},
};
use seaworthy_core::{Error, ErrorKind, Result};

/// Queries name servers, without a cache.
#[derive(Clone)]
pub struct Resolver {
    inner: TokioResolver,
}

/// One CAA record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caa {
    pub(crate) critical: bool,
    pub(crate) tag: String,
    pub(crate) value: String,
}

/// The DNS response for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// There are such records.
    Records(Vec<T>),
    /// The name exists, but has none.
    None,
    /// There is no such name.
    NoName,
}

impl<T> Answer<T> {
    pub(crate) fn into_records(self) -> Vec<T> {
        match self {
            Self::Records(records) => records,
            Self::None | Self::NoName => Vec::new(),
        }
    }
}

impl Resolver {
    /// Asks the name servers of the machine (`/etc/resolv.conf`).
    pub fn system() -> Result<Self> {
        let fail = |e: NetError| {
            Error::new(ErrorKind::Io, "dns.resolver", "cannot read the machine's name servers")
                .caused_by(e)
                .remedy_is("check /etc/resolv.conf, or set name servers with [tls] resolvers")
        };
        Self::build(TokioResolver::builder_tokio().map_err(fail)?)
    }

    /// Asks these name servers.
    pub fn of(servers: &[SocketAddr]) -> Result<Self> {
        let server = |address: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut c| {
                c.port = address.port();
                c
            });
            NameServerConfig::new(address.ip(), true, connections.to_vec())
        };
        let servers = servers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let provider = TokioRuntimeProvider::default();
        Self::build(TokioResolver::builder_with_config(config, provider))
    }

    fn build(mut builder: hickory_resolver::ResolverBuilder<TokioRuntimeProvider>) -> Result<Self> {
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = Duration::from_secs(5);
        options.attempts = 2;
        options.use_hosts_file = ResolveHosts::Never;
        let inner = builder.build().map_err(|e| {
            Error::new(ErrorKind::Io, "dns.resolver", "cannot set up DNS").caused_by(e)
        })?;
        Ok(Self { inner })
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>> {
        let fail = |e: NetError| {
            let message = format!("DNS does not respond for {name} ({kind})");
            Error::new(ErrorKind::Unavailable, "dns.ask", message).caused_by(e).remedy_is(
                "check the name servers of the machine, or set others with [tls] resolvers",
            )
        };
        let mut fqdn = Name::from_ascii(name).map_err(|e| {
            let message = format!("{name:?} is not a DNS name");
            Error::new(ErrorKind::InvalidInput, "dns.ask", message).caused_by(e)
        })?;
        fqdn.set_fqdn(true);
        match self.inner.lookup(fqdn, kind).await {
            Ok(lookup) => {
                let records: Vec<T> =
                    lookup.answers().iter().filter_map(|record| pick(&record.data)).collect();
                Ok(if records.is_empty() { Answer::None } else { Answer::Records(records) })
            }
            Err(e) if e.is_nx_domain() => Ok(Answer::NoName),
            Err(e) if e.is_no_records_found() => Ok(Answer::None),
            Err(e) => Err(fail(e)),
        }
    }

    /// Every A and AAAA address of `name`; `NoName` if both queries say so.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Answer<IpAddr>> {
        let (four, six) = tokio::join!(
            self.ask(name, RecordType::A, |data| match data {
                RData::A(a) => Some(IpAddr::V4(a.0)),
                _ => None,
            }),
            self.ask(name, RecordType::AAAA, |data| match data {
                RData::AAAA(a) => Some(IpAddr::V6(a.0)),
                _ => None,
            })
        );
        let (four, six) = match (four, six) {
            (Ok(four), Ok(six)) => (four, six),
            // One known address is better than none.
            (Ok(Answer::Records(some)), Err(_)) | (Err(_), Ok(Answer::Records(some))) => {
                return Ok(Answer::Records(some));
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        if matches!((&four, &six), (Answer::NoName, Answer::NoName)) {
            return Ok(Answer::NoName);
        }
        let mut all = four.into_records();
        all.extend(six.into_records());
        Ok(if all.is_empty() { Answer::None } else { Answer::Records(all) })
    }

    pub(crate) async fn caa(&self, name: &str) -> Result<Vec<Caa>> {
        let answer = self.ask(name, RecordType::CAA, |data| match data {
            RData::CAA(caa) => Some(Caa {
                critical: caa.issuer_critical,
                tag: caa.tag.to_ascii_lowercase(),
                value: String::from_utf8_lossy(&caa.value).into_owned(),
            }),
            _ => None,
        });
        Ok(answer.await?.into_records())
    }

    pub(crate) async fn txt(&self, name: &str) -> Result<Vec<String>> {
        let answer = self.ask(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(
                txt.txt_data
                    .iter()
                    .map(|part| String::from_utf8_lossy(part).into_owned())
                    .collect(),
            ),
            _ => None,
        });
        Ok(answer.await?.into_records())
    }

    /// Where the CNAMEs of `name` lead: itself if there are none. At most eight steps.
    pub(crate) async fn follow(&self, name: &str) -> Result<String> {
        let mut here = name.trim_end_matches('.').to_owned();
        for _ in 0..8 {
            let answer = self.ask(&here, RecordType::CNAME, |data| match data {
                RData::CNAME(target) => Some(target.0.to_ascii()),
                _ => None,
            });
            match answer.await?.into_records().into_iter().next() {
                Some(next) => here = next.trim_end_matches('.').to_owned(),
                None => break,
            }
        }
        Ok(here)
    }

    /// The addresses of the servers of the zone that contains `name`: empty if the delegation
    /// cannot be found.
    pub(crate) async fn authorities(&self, name: &str) -> Result<Vec<IpAddr>> {
        let mut rest = Some(name);
        while let Some(zone) = rest.filter(|zone| zone.contains('.')) {
            let answer = self.ask(zone, RecordType::NS, |data| match data {
                RData::NS(server) => Some(server.0.to_ascii()),
                _ => None,
            });
            let servers = answer.await?.into_records();
            if !servers.is_empty() {
                let mut all = Vec::new();
                for server in servers {
                    all.extend(self.addresses(server.trim_end_matches('.')).await?.into_records());
                }
                return Ok(all);
            }
            rest = zone.split_once('.').map(|(_, above)| above);
        }
        Ok(Vec::new())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}
