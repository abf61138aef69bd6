//! Which pools are active, if `proxy switch` chose others than those in the file.

use std::{collections::BTreeMap, path::Path};

use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result, Timestamp, durable};
use seaworthy_proxy_config::Web;
use serde::{Deserialize, Serialize};

/// Its file in the state folder.
const FILE: &str = "proxy/pools.json";

/// A pool that was switched to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChosenPool {
    /// The upstream.
    pub upstream: Name,
    /// The pool in the file.
    pub in_file: Name,
    /// The active pool.
    pub in_use: Name,
    /// When it was switched to.
    pub since: Timestamp,
}

/// The chosen pools, by upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Choices {
    format: u32,
    upstreams: BTreeMap<Name, Choice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Choice {
    /// The pool in the file at that time. Once the file names another pool, the file wins.
    in_file: Name,
    in_use: Name,
    since: Timestamp,
}

impl Default for Choices {
    fn default() -> Self {
        Self { format: 1, upstreams: BTreeMap::new() }
    }
}

impl Choices {
    /// Reads it from the folder `state`.
    pub(super) fn read(state: &Path) -> Result<Self> {
        let path = state.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => {
                let message = format!("cannot read {}", path.display());
                return Err(Error::io("proxy.state", message, e));
            }
        };
        let damaged = || {
            let message = format!("{} cannot be parsed", path.display());
            Error::new(ErrorKind::Damaged, "proxy.state", message)
                .remedy_is("remove it: then the pools in the file are used")
        };
        let choices: Self = serde_json::from_slice(&bytes).map_err(|e| damaged().caused_by(e))?;
        if choices.format == 1 { Ok(choices) } else { Err(damaged()) }
    }

    /// Stores it in the folder `state`.
    pub(super) fn write(&self, state: &Path) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "proxy.state", e.to_string()))?;
        durable::create_private_folder(&state.join("proxy"))?;
        durable::write_file(&state.join(FILE), &bytes, 0o600)
    }

    /// Activates the chosen pools, unless the file has been changed since.
    pub(super) fn put_into(&self, web: &mut Web, cx: &Context) -> Vec<ChosenPool> {
        let mut chosen = Vec::new();
        for (name, choice) in &self.upstreams {
            let Some(upstream) = web.upstreams.get_mut(name) else { continue };
            if upstream.active.as_ref() != Some(&choice.in_file) {
                continue;
            }
            if !upstream.pools.contains_key(&choice.in_use) {
                let Choice { in_file, in_use, .. } = choice;
                let message =
                    format!("[upstream.{name}] has no pool {in_use} any more: {in_file} is used");
                cx.emit(Event::warning(message));
                continue;
            }
            upstream.active = Some(choice.in_use.clone());
            chosen.push(ChosenPool {
                upstream: name.clone(),
                in_file: choice.in_file.clone(),
                in_use: choice.in_use.clone(),
                since: choice.since,
            });
        }
        chosen
    }

    /// Records that `in_use` was chosen while the file has `in_file`.
    pub(super) fn choose(&mut self, upstream: Name, in_file: Name, in_use: Name, now: Timestamp) {
        if in_file == in_use {
            self.upstreams.remove(&upstream);
        } else {
            self.upstreams.insert(upstream, Choice { in_file, in_use, since: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_proxy_config::{Address, Proxy, Server, Upstream};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn web(active: &str, pools: &[&str]) -> Web {
        let server = Server::from("127.0.0.1:1".parse::<Address>().unwrap());
        let mut upstream = Upstream::new([]);
        upstream.pools = pools.iter().map(|pool| (name(pool), vec![server.clone()])).collect();
        upstream.active = Some(name(active));
        let mut web = Web::new(Proxy::default());
        web.upstreams.insert(name("app"), upstream);
        web
    }

    #[test]
    fn a_choice_holds_until_the_file_says_otherwise() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Choices::read(state.path()).unwrap(), Choices::default());
        let cx = Context::new();
        let mut choices = Choices::default();
        choices.choose(name("app"), name("blue"), name("green"), cx.now());
        choices.write(state.path()).unwrap();
        let choices = Choices::read(state.path()).unwrap();
        for (active, pools, used, count) in [
            ("blue", &["blue", "green"][..], "green", 1),
            // The file was changed since.
            ("red", &["blue", "green", "red"], "red", 0),
            // The pool is gone.
            ("blue", &["blue"], "blue", 0),
        ] {
            let mut web = web(active, pools);
            assert_eq!(choices.put_into(&mut web, &cx).len(), count);
            assert_eq!(web.upstreams[&name("app")].active, Some(name(used)));
        }
        let mut back = choices;
        back.choose(name("app"), name("blue"), name("blue"), cx.now());
        assert_eq!(back, Choices::default());
        std::fs::write(state.path().join(FILE), "{}").unwrap();
        assert_eq!(Choices::read(state.path()).unwrap_err().kind(), ErrorKind::Damaged);
    }
}
