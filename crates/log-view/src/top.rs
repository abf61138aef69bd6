//! Summary of access logs: statuses, slowest routes, busiest addresses.

use std::{collections::HashMap, ops::ControlFlow};

use seaworthy_core::{Context, Result};
use serde::Serialize;

use crate::{
    durations::Durations,
    format::access::{self, Access},
    record::Record,
    view::{LogSink, Summary, View},
};

/// How many different routes and addresses are counted separately; the others are counted together.
const TOLD_APART: usize = 100_000;

/// Summary of access logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Top {
    /// How many requests were read.
    pub requests: u64,
    /// How many lines were not requests.
    pub other_lines: u64,
    /// The total size of the response bodies, in bytes.
    pub bytes: u64,
    /// How often each status was sent, most frequent first.
    pub statuses: Vec<StatusCount>,
    /// The routes, slowest first by their 95th percentile; if the log has no times, those with most
    /// requests first.
    pub routes: Vec<RouteCount>,
    /// The addresses with most requests first.
    pub clients: Vec<ClientCount>,
}

/// How often a status was sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StatusCount {
    /// The status.
    pub status: u16,
    /// How often.
    pub requests: u64,
}

/// The figures of a route. Parts of a path that are numbers or identifiers are written `*`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RouteCount {
    /// Method and path, such as `GET /users/*`.
    pub route: String,
    /// How many requests it got.
    pub requests: u64,
    /// How many of them failed with a status from 500 on.
    pub errors: u64,
    /// The mean time in seconds, if the log has times.
    pub mean_seconds: Option<f64>,
    /// The 95th percentile of the times in seconds, to 5 %.
    pub p95_seconds: Option<f64>,
    /// The longest time in seconds.
    pub max_seconds: Option<f64>,
}

/// The figures of a client address.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClientCount {
    /// The address.
    pub client: String,
    /// How many requests it made.
    pub requests: u64,
    /// How many of them got a status from 400 on.
    pub refused: u64,
    /// How many bytes were sent to it.
    pub bytes: u64,
}

impl View {
    /// Summarises the matching requests, with at most `most` routes and addresses. Blocks.
    ///
    /// # Errors
    /// Those of [`read`](View::read).
    pub fn top(&self, most: usize, cx: &Context) -> Result<(Top, Summary)> {
        let mut counts = Counts::default();
        let summary = self.read(&mut counts, cx)?;
        Ok((counts.into_top(most), summary))
    }
}

#[derive(Debug, Default)]
struct Counts {
    top: Top,
    statuses: HashMap<u16, u64>,
    routes: Named<Route>,
    clients: Named<ClientCount>,
    route: Vec<u8>,
}

#[derive(Debug, Default)]
struct Route {
    requests: u64,
    errors: u64,
    times: Durations,
}

impl LogSink for Counts {
    fn record(&mut self, record: &Record<'_>) -> ControlFlow<()> {
        match access::read(record.line()) {
            Some(access) => self.count(&access),
            None => self.top.other_lines += 1,
        }
        ControlFlow::Continue(())
    }

    fn pause(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Counts {
    fn count(&mut self, access: &Access<'_>) {
        self.top.requests += 1;
        self.top.bytes += access.bytes;
        *self.statuses.entry(access.status).or_default() += 1;
        self.route.clear();
        write_route(access, &mut self.route);
        let route = self.routes.of(&self.route);
        route.requests += 1;
        route.errors += u64::from(access.status >= 500);
        if let Some(seconds) = access.seconds {
            route.times.add(seconds);
        }
        let client = self.clients.of(access.client);
        client.requests += 1;
        client.refused += u64::from(access.status >= 400);
        client.bytes += access.bytes;
    }

    fn into_top(self, most: usize) -> Top {
        let mut top = self.top;
        top.statuses = self
            .statuses
            .into_iter()
            .map(|(status, requests)| StatusCount { status, requests })
            .collect();
        top.statuses.sort_by_key(|one| (std::cmp::Reverse(one.requests), one.status));
        top.routes = self
            .routes
            .iter()
            .map(|(name, route)| RouteCount {
                route: name,
                requests: route.requests,
                errors: route.errors,
                mean_seconds: route.times.mean(),
                p95_seconds: route.times.quantile(0.95),
                max_seconds: route.times.max(),
            })
            .collect();
        top.routes.sort_by(|a, b| {
            let slower = b.p95_seconds.unwrap_or(0.0).total_cmp(&a.p95_seconds.unwrap_or(0.0));
            slower.then(b.requests.cmp(&a.requests)).then_with(|| a.route.cmp(&b.route))
        });
        top.clients = self
            .clients
            .iter()
            .map(|(client, count)| ClientCount { client, ..count.clone() })
            .collect();
        top.clients
            .sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.client.cmp(&b.client)));
        top.routes.truncate(most);
        top.clients.truncate(most);
        top
    }
}

/// Counts by name; when there are too many names, those that come later are counted together.
#[derive(Debug, Default)]
struct Named<T> {
    numbers: HashMap<Vec<u8>, usize>,
    counts: Vec<T>,
}

impl<T: Default> Named<T> {
    fn of(&mut self, name: &[u8]) -> &mut T {
        let full = self.numbers.len() >= TOLD_APART && !self.numbers.contains_key(name);
        let name = if full { b"(others)" } else { name };
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                self.numbers.insert(name.to_vec(), self.counts.len());
                self.counts.push(T::default());
                self.counts.len() - 1
            }
        };
        &mut self.counts[number]
    }

    fn iter(&self) -> impl Iterator<Item = (String, &T)> {
        let text = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
        self.numbers.iter().map(move |(name, number)| (text(name), &self.counts[*number]))
    }
}

/// Method and path, with `*` for parts that look like numbers or identifiers.
fn write_route(access: &Access<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(access.method);
    if !access.method.is_empty() {
        out.push(b' ');
    }
    for (number, part) in access.path.split(|c| *c == b'/').enumerate() {
        if number > 0 {
            out.push(b'/');
        }
        if is_identifier(part) { out.push(b'*') } else { out.extend_from_slice(part) }
    }
}

/// A number, or at least sixteen letters and digits of hexadecimal, as in UUIDs.
fn is_identifier(part: &[u8]) -> bool {
    let hex = |c: &u8| c.is_ascii_hexdigit() || *c == b'-';
    !part.is_empty()
        && (part.iter().all(u8::is_ascii_digit)
            || (part.len() >= 16 && part.iter().all(hex) && part.iter().any(u8::is_ascii_digit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    #[test]
    fn requests_are_counted_by_status_route_and_address() {
        let mut text = String::from("no request\n");
        for n in 0..100 {
            let (status, seconds) = if n < 90 { (200, 0.010) } else { (502, 1.0) };
            text.push_str(&format!(
                "{{\"client\":\"10.0.0.{}\",\"method\":\"GET\",\"uri\":\"/users/{n}?a=b\",\"status\":{status},\"bytes\":10,\"seconds\":{seconds}}}\n",
                n % 2
            ));
        }
        text.push_str("10.0.0.1 - - [22/Nov/2026:10:05:00 +0000] \"GET /fast HTTP/1.1\" 200 7 \"-\" \"-\" 0.001\n");
        let source = Source::reader("-", std::io::Cursor::new(text.into_bytes()));
        let (top, _) = View::new(vec![source]).top(5, &Context::new()).unwrap();
        assert_eq!((top.requests, top.other_lines, top.bytes), (101, 1, 1007));
        let statuses: Vec<_> = top.statuses.iter().map(|one| (one.status, one.requests)).collect();
        assert_eq!(statuses, [(200, 91), (502, 10)]);
        let slow = &top.routes[0];
        assert_eq!((slow.route.as_str(), slow.requests, slow.errors), ("GET /users/*", 100, 10));
        assert!((slow.mean_seconds.unwrap() - 0.109).abs() < 1e-9);
        assert!((slow.p95_seconds.unwrap() - 1.0).abs() < 0.05, "{slow:?}");
        assert_eq!(slow.max_seconds, Some(1.0));
        let clients: Vec<_> =
            top.clients.iter().map(|one| (&*one.client, one.requests, one.refused)).collect();
        assert_eq!(clients, [("10.0.0.1", 51, 5), ("10.0.0.0", 50, 5)]);
    }
}
