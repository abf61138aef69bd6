//! Servers that requests are passed on to, alone and in pools.

use std::{collections::BTreeMap, fmt};

use seaworthy_core::{Name, Span};
use serde::{Deserialize, Deserializer, de};

use super::{Address, UrlPath};

/// One element of `to` or `servers`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Server {
    /// `"127.0.0.1:3000"`, or `{ address = …, weight = 2 }`.
    Address(ServerOptions),
    /// `{ service = "api" }`: all instances of a `[service.*]`.
    Service(Name),
    /// `{ upstream = "app" }`: an `[upstream.*]`.
    Upstream(Name),
}

/// A server with its options.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Where it listens.
    pub address: Address,
    /// Its share of the requests.
    pub weight: Option<u16>,
    /// After how many failures it is not used for a while; 0 means never.
    pub max_fails: Option<u16>,
    /// How long it is not used then.
    pub fail_timeout: Option<Span>,
    /// Whether it is used only while all others fail.
    pub backup: bool,
}

impl ServerOptions {
    /// The server at `address`.
    pub fn new(address: Address) -> Self {
        Self { address, weight: None, max_fails: None, fail_timeout: None, backup: false }
    }
}

impl From<Address> for Server {
    fn from(address: Address) -> Self {
        Self::Address(ServerOptions::new(address))
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Shape {
            service: Option<Name>,
            upstream: Option<Name>,
            address: Option<Address>,
            weight: Option<u16>,
            max_fails: Option<u16>,
            fail_timeout: Option<Span>,
            #[serde(default)]
            backup: bool,
        }

        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Server;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an address such as \"127.0.0.1:3000\", { service = … }, { upstream = … } or \
                     { address = … }",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Server, E> {
                let address = text.parse::<Address>();
                address.map(Server::from).map_err(|error| E::custom(error.in_one_line()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Server, A::Error> {
                let shape = Shape::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let plain = shape.weight.is_none()
                    && shape.max_fails.is_none()
                    && shape.fail_timeout.is_none()
                    && !shape.backup;
                match (shape.service, shape.upstream, shape.address) {
                    (Some(name), None, None) if plain => Ok(Server::Service(name)),
                    (None, Some(name), None) if plain => Ok(Server::Upstream(name)),
                    (None, None, Some(address)) => Ok(Server::Address(ServerOptions {
                        address,
                        weight: shape.weight,
                        max_fails: shape.max_fails,
                        fail_timeout: shape.fail_timeout,
                        backup: shape.backup,
                    })),
                    _ => Err(de::Error::custom(
                        "a server must have exactly one of service, upstream and address; \
                         options need an address",
                    )),
                }
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Server {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Server".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = schemars::json_schema!({ "type": "string" });
        schemars::json_schema!({ "anyOf": [
            { "type": "string", "description": "an address such as 127.0.0.1:3000" },
            { "type": "object", "required": ["service"], "additionalProperties": false,
              "properties": { "service": name } },
            { "type": "object", "required": ["upstream"], "additionalProperties": false,
              "properties": { "upstream": name } },
            { "type": "object", "required": ["address"], "additionalProperties": false,
              "properties": {
                "address": name,
                "weight": { "type": "integer", "minimum": 1 },
                "max_fails": { "type": "integer", "minimum": 0 },
                "fail_timeout": name,
                "backup": { "type": "boolean" } } },
        ] })
    }
}

/// The section `[upstream.<name>]`: a pool of servers, or several pools, one of them active.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Upstream {
    /// The servers.
    #[serde(default)]
    pub servers: Vec<Server>,
    /// Instead of `servers`: pools by name, such as blue and green.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, Vec<Server>>"))]
    pub pools: BTreeMap<Name, Vec<Server>>,
    /// Which of the pools is active.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub active: Option<Name>,
    /// How a server is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// How many idle connections each worker keeps open.
    #[serde(default = "idle")]
    pub keepalive: u16,
    /// The path that returns 200 if a server is healthy: checked before a switch.
    pub health: Option<UrlPath>,
}

fn idle() -> u16 {
    DEFAULT_KEEPALIVE
}

/// Enough for a busy worker, few for an idle server.
pub(crate) const DEFAULT_KEEPALIVE: u16 = 32;

impl Upstream {
    /// A pool of `servers`.
    pub fn new(servers: impl IntoIterator<Item = Server>) -> Self {
        Self {
            servers: servers.into_iter().collect(),
            pools: BTreeMap::new(),
            active: None,
            balance: Balance::default(),
            keepalive: DEFAULT_KEEPALIVE,
            health: None,
        }
    }

    /// The active servers.
    pub fn in_use(&self) -> &[Server] {
        match &self.active {
            Some(active) => self.pools.get(active).map_or(&[], Vec::as_slice),
            None => &self.servers,
        }
    }
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Balance {
    /// Round robin.
    #[default]
    RoundRobin,
    /// The one with the fewest active requests.
    LeastConnections,
    /// The same one for the same client.
    ClientAddress,
}
