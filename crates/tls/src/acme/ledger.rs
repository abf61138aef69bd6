//! Recent requests to an authority, so that its rate limits are not exceeded.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use seaworthy_core::{Error, ErrorKind, FileLock, Result, Timestamp, durable};
use serde::{Deserialize, Serialize};

use crate::{CertificateRequest, Identifier, decide::later, provider::NOT_BEFORE};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The rate limits of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Orders of one account in three hours.
    pub orders: u32,
    /// Certificates for one registered domain in seven days.
    pub per_domain: u32,
    /// Certificates for exactly the same names in seven days.
    pub same_names: u32,
    /// Failed validations of one name in one hour.
    pub failures: u32,
}

impl Limits {
    /// Those of Let's Encrypt.
    pub const LETS_ENCRYPT: Self = Self { orders: 300, per_domain: 50, same_names: 5, failures: 5 };
}

/// Counts the requests of this machine, in one file. It does not know about other machines.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
    limits: Limits,
    /// One writer at a time in this process; a file lock keeps others out.
    turn: Arc<Mutex<()>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Book {
    directories: BTreeMap<String, Entries>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Entries {
    orders: Vec<Timestamp>,
    certificates: Vec<(Timestamp, Vec<Identifier>)>,
    failures: Vec<(Timestamp, Identifier)>,
}

/// One limit: what it counts, when each slot was used, how many there are, and for how long each
/// counts.
struct Count {
    what: String,
    used: Vec<Timestamp>,
    limit: u32,
    within: Duration,
}

impl Ledger {
    /// Counts in the file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>, limits: Limits) -> Self {
        Self { path: path.into(), limits, turn: Arc::default() }
    }

    /// Refuses an order that would use the last slot of a limit, unless `request.force` is set;
    /// without a free slot it is always refused. The limits by name do not apply to the renewal of
    /// a certificate in time.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], with how many are used and when the next slot opens.
    pub fn allow(
        &self,
        directory: &str,
        request: &CertificateRequest,
        now: Timestamp,
    ) -> Result<()> {
        let book = self.read()?;
        let Some(entries) = book.directories.get(directory) else { return Ok(()) };
        for count in self.counts(entries, request) {
            let mut used: Vec<Timestamp> = count.used;
            used.retain(|at| now.since(*at) < count.within && *at <= now);
            used.sort();
            let used_up = used.len() >= count.limit as usize;
            let last = used.len() + 1 >= count.limit as usize;
            if used_up || (last && !request.force) {
                // When the next slot opens, more than the last one is free.
                let opens = used.first().map_or(now, |at| later(*at, count.within));
                let message = format!(
                    "{} of {} {} are used; the next slot opens {opens}",
                    used.len(),
                    count.limit,
                    count.what
                );
                let error = Error::new(ErrorKind::Unavailable, "acme.limit", message)
                    .retryable_is(false)
                    .with(NOT_BEFORE, opens);
                return Err(if used_up {
                    error.remedy_is("wait; another `ca` can issue in the meantime")
                } else {
                    error.remedy_with("wait, or use the last slot by setting `force`", &["force"])
                });
            }
        }
        Ok(())
    }

    fn counts(&self, entries: &Entries, request: &CertificateRequest) -> Vec<Count> {
        let mut counts = vec![Count {
            what: "orders in 3 hours".to_owned(),
            used: entries.orders.clone(),
            limit: self.limits.orders,
            within: 3 * HOUR,
        }];
        for name in &request.names {
            let of_name = entries.failures.iter().filter(|(_, failed)| failed == name);
            counts.push(Count {
                what: format!("failed attempts for {name} in an hour"),
                used: of_name.map(|(at, _)| *at).collect(),
                // A failed attempt does not count as a certificate: the last attempt is allowed.
                limit: self.limits.failures + 1,
                within: HOUR,
            });
        }
        if request.replaces.is_some() {
            return counts;
        }
        let mut wanted = request.names.clone();
        wanted.sort();
        let same = entries.certificates.iter().filter(|(_, names)| *names == wanted);
        counts.push(Count {
            what: "certificates for exactly these names in 7 days".to_owned(),
            used: same.map(|(at, _)| *at).collect(),
            limit: self.limits.same_names,
            within: WEEK,
        });
        let mut domains: Vec<&str> =
            request.names.iter().map(Identifier::registered_domain).collect();
        domains.sort_unstable();
        domains.dedup();
        for domain in domains {
            let of_domain = entries
                .certificates
                .iter()
                .filter(|(_, names)| names.iter().any(|name| name.registered_domain() == domain));
            counts.push(Count {
                what: format!("certificates for {domain} in 7 days"),
                used: of_domain.map(|(at, _)| *at).collect(),
                limit: self.limits.per_domain,
                within: WEEK,
            });
        }
        counts
    }

    pub(super) fn ordered(&self, directory: &str, now: Timestamp) -> Result<()> {
        self.write(directory, now, |entries| entries.orders.push(now))
    }

    pub(super) fn issued(
        &self,
        directory: &str,
        names: &[Identifier],
        now: Timestamp,
    ) -> Result<()> {
        let mut names = names.to_vec();
        names.sort();
        self.write(directory, now, |entries| entries.certificates.push((now, names)))
    }

    pub(super) fn failed(
        &self,
        directory: &str,
        names: &[Identifier],
        now: Timestamp,
    ) -> Result<()> {
        let failed = names.iter().map(|name| (now, name.clone()));
        self.write(directory, now, |entries| entries.failures.extend(failed))
    }

    fn read(&self) -> Result<Book> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                // Starting the count again is better than no certificates.
                tracing::warn!("{} is damaged: the counts start again from 0", self.path.display());
                Book::default()
            })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Book::default()),
            Err(e) => {
                Err(Error::io("acme.limit", format!("cannot read {}", self.path.display()), e))
            }
        }
    }

    fn write(
        &self,
        directory: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Entries),
    ) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = briefly_locked(&self.path.with_extension("lock"))?;
        let mut book = self.read()?;
        let entries = book.directories.entry(directory.to_owned()).or_default();
        change(entries);
        entries.orders.retain(|at| now.since(*at) < 3 * HOUR);
        entries.certificates.retain(|(at, _)| now.since(*at) < WEEK);
        entries.failures.retain(|(at, _)| now.since(*at) < HOUR);
        let bytes = serde_json::to_vec(&book)
            .map_err(|e| Error::new(ErrorKind::Internal, "acme.limit", e.to_string()))?;
        durable::write_file(&self.path, &bytes, 0o600)
    }
}

/// A lock that others hold only during one small write.
fn briefly_locked(path: &Path) -> Result<FileLock> {
    let mut tries = 0;
    loop {
        match FileLock::acquire(path, "counting limits") {
            Err(error) if error.kind() == ErrorKind::Locked && tries < 200 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CA: &str = "https://ca.example/dir";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(1_800_000_000 + seconds)
    }

    fn request(names: &[&str]) -> CertificateRequest {
        CertificateRequest::new(names.iter().map(|n| n.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_slot_is_kept_and_the_next_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(folder.path().join("l.json"), Limits::LETS_ENCRYPT);
        let mut wanted = request(&["b.example", "a.example"]);
        for i in 0..4 {
            ledger.allow(CA, &wanted, at(i)).unwrap();
            ledger.issued(CA, &wanted.names, at(i)).unwrap();
        }
        let error = ledger.allow(CA, &wanted, at(10)).unwrap_err();
        assert!(
            error.to_string().starts_with("4 of 5 certificates for exactly these names"),
            "{error}"
        );
        let told = error.context().find(|(name, _)| *name == NOT_BEFORE).unwrap().1.to_owned();
        assert_eq!(told.parse::<Timestamp>().unwrap(), at(7 * 86_400));
        assert!(error.remedy().unwrap().contains("`force`"));
        // Other names, other authorities, renewals in time and later days are not limited.
        ledger.allow(CA, &request(&["a.example"]), at(10)).unwrap();
        ledger.allow("https://other", &wanted, at(10)).unwrap();
        ledger.allow(CA, &wanted, at(7 * 86_400)).unwrap();
        wanted.force = true;
        ledger.allow(CA, &wanted, at(10)).unwrap();
        ledger.issued(CA, &wanted.names, at(11)).unwrap();
        assert!(
            ledger.allow(CA, &wanted, at(12)).is_err(),
            "there is no slot, with or without force"
        );
    }

    #[test]
    fn failures_orders_and_domains_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { orders: 3, per_domain: 3, same_names: 99, failures: 2 };
        let ledger = Ledger::new(folder.path().join("l.json"), limits);
        let wanted = request(&["a.example.com"]);
        ledger.failed(CA, &wanted.names, at(0)).unwrap();
        ledger.allow(CA, &wanted, at(1)).unwrap();
        ledger.failed(CA, &wanted.names, at(1)).unwrap();
        assert!(ledger.allow(CA, &wanted, at(2)).unwrap_err().to_string().contains("failed"));
        ledger.allow(CA, &wanted, at(3700)).unwrap();
        ledger.issued(CA, &request(&["x.example.com"]).names, at(0)).unwrap();
        ledger.issued(CA, &request(&["y.example.com"]).names, at(0)).unwrap();
        let error = ledger.allow(CA, &wanted, at(3700)).unwrap_err();
        assert!(error.to_string().contains("for example.com"), "{error}");
        ledger.ordered(CA, at(3700)).unwrap();
        ledger.ordered(CA, at(3700)).unwrap();
        let other = request(&["other.example.net"]);
        assert!(ledger.allow(CA, &other, at(3701)).unwrap_err().to_string().contains("orders"));
        std::fs::write(folder.path().join("l.json"), "{").unwrap();
        ledger.allow(CA, &wanted, at(3700)).unwrap();
    }
}
