//! Sinks: write, read, list, delete, and leave no traces.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use seaworthy_backup::{
    BackupSink, BackupSinkExt, ObjectKey, PutOptions,
    config::JobConfig,
    sinks::{SinkTrial, SinkUse},
};
use seaworthy_core::{ByteSize, Context, Error, ErrorKind, Findings, Name, Result, Timestamp};

use crate::{Seaworthy, keys::Purpose};

/// How much is written of an object that is given up where the sink does not say how large a part
/// is.
const BEGUN: ByteSize = ByteSize::new(5 << 20);

/// How far a store's clock may differ.
const SKEW: Duration = Duration::from_secs(60);

/// The difference at which stores refuse requests.
const TOO_MUCH_SKEW: Duration = Duration::from_secs(15 * 60);

impl Seaworthy {
    /// Checks the sink `name`.
    pub(super) async fn try_sink(&self, name: &Name, cx: &Context) -> Findings {
        let mut checks = Findings::of(format!("sink {name}"));
        let opened = self.open_sink(name, SinkUse::run().for_trial(), cx).await;
        let Some(sink) = checks.note("open", opened, |sink| sink.to_string()) else {
            return checks;
        };
        let Ok(kind) = self.sink_kind(name) else { return checks };
        let remover = if !kind.append_only() {
            Some(sink.clone())
        } else {
            match self.open_sink(name, SinkUse::prune().for_trial(), cx).await {
                Ok(remover) => Some(remover),
                Err(error) if error.kind() == ErrorKind::Config => None,
                Err(error) => {
                    checks.error("open for prune", &error);
                    None
                }
            }
        };
        let folder = match trial_folder() {
            Ok(folder) => folder,
            Err(error) => {
                checks.error("write", &error);
                return checks;
            }
        };
        let facts = kind.trial();
        let trial = Trial { sink: &sink, remover: remover.as_ref(), folder, facts };
        trial.run(&mut checks, cx).await;
        kind.probe(&self.environment.of(name), &mut checks, cx).await;
        if facts.locks {
            self.look_at_locks(name, &*sink, &mut checks, cx).await;
        }
        checks
    }

    /// Whether snapshots are locked, as the file wants it: the newest one shows.
    async fn look_at_locks(
        &self,
        name: &Name,
        sink: &dyn BackupSink,
        checks: &mut Findings,
        cx: &Context,
    ) {
        let stores_here = |job: &JobConfig| job.sinks.contains(name);
        let jobs = self.config.backup.iter().filter(|(_, job)| stores_here(job));
        for (job, _) in jobs {
            let newest = async {
                let repository = self.repository(job, name, Purpose::List, cx).await?;
                let info = repository.resolve("latest", cx).await?;
                let key: ObjectKey = format!("{job}/{}/manifest.json", info.id).parse()?;
                Ok::<_, Error>((info.id, sink.history(&key).await?))
            };
            match newest.await {
                Ok((id, history)) if history.locked_until.is_none() => checks.fail(
                    "object lock",
                    format!(
                        "snapshot {job}@{id} is not locked, although object_lock is \
                             configured"
                    ),
                    "enable object lock for the bucket (most stores allow this only when it is \
                     created), and allow the key to read and write retentions",
                ),
                Ok((id, history)) => {
                    let until = history.locked_until.map(|until| until.to_string());
                    let until = until.unwrap_or_default();
                    checks
                        .ok("object lock", format!("snapshot {job}@{id} is locked until {until}"));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    checks.skip(
                        "object lock",
                        format!("job {job} has no snapshot here to check it with"),
                    );
                }
                Err(error) => checks.error("object lock", &error),
            }
        }
    }
}

/// A sink, and the operations on it.
struct Trial<'a> {
    sink: &'a Arc<dyn BackupSink>,
    /// The sink opened for deleting; `None` if an append-only sink has no keys for that here.
    remover: Option<&'a Arc<dyn BackupSink>>,
    folder: ObjectKey,
    facts: SinkTrial,
}

impl Trial<'_> {
    async fn run(&self, checks: &mut Findings, cx: &Context) {
        let listed = self.sink.list_sorted(&self.folder).await;
        let listed = checks.note("list", listed, |_| "the sink can be listed".to_owned());
        if self.remover.is_none() {
            // Nothing could be removed again: an upload that is started and aborted is enough.
            self.begin_and_give_up(checks).await;
            let why = "the sink is append-only, and the file has no keys that may delete";
            for name in ["read", "versions", "delete"] {
                checks.skip(name, why);
            }
            return;
        }
        let written = self.write_and_read(checks, cx).await;
        if let Some(part) = self.facts.part.filter(|_| written && cx.check("doctor").is_ok()) {
            self.write_in_parts(part, checks).await;
        }
        self.remove(checks, written, listed.is_some()).await;
    }

    /// Writes a small object; false if it cannot be stored.
    async fn write_and_read(&self, checks: &mut Findings, cx: &Context) -> bool {
        let Ok(key) = self.folder.join("probe") else { return false };
        let bytes = Bytes::from_static(b"seaworthy doctor was here for a moment\n");
        let before = cx.now();
        let put = self.sink.put(&key, bytes.clone(), PutOptions::default()).await;
        let Some(info) = checks.note("write", put, |_| "an object was stored".to_owned()) else {
            return false;
        };
        look_at_clock(before, info.modified, cx.now(), checks);
        let whole = self.sink.get(&key, 1 << 10).await.and_then(|read| same(&read, &bytes));
        checks.note("read", whole, |()| "it was read back unchanged".to_owned());
        let part = self.sink.get_range(&key, 10..16).await;
        let part = part.and_then(|read| same(&read, &bytes[10..16]));
        checks.note("read a range", part, |()| "a part of it was read back".to_owned());
        match self.sink.history(&key).await {
            Ok(history) if history.versions > 1 => {
                checks.ok("versions", format!("{} versions are stored", history.versions));
            }
            Ok(_) => checks.ok("versions", "its versions can be listed"),
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied && !self.facts.needs_versions =>
            {
                let message = format!(
                    "{}; this is fine as long as the bucket keeps no versions",
                    error.chain()
                );
                checks.warn("versions", message, error.remedy().unwrap_or_default());
            }
            Err(error) => checks.error("versions", &error),
        }
        true
    }

    /// An object that is larger than a part.
    async fn write_in_parts(&self, part: ByteSize, checks: &mut Findings) {
        let done = async {
            let mut upload =
                self.sink.begin(&self.folder.join("parts")?, PutOptions::default()).await?;
            for bytes in [vec![0; part.bytes() as usize], vec![1; 1]] {
                if let Err(error) = upload.write(bytes.into()).await {
                    // The first error is the one that matters.
                    let _ = upload.abort().await;
                    return Err(error);
                }
            }
            upload.commit().await
        };
        checks.note("write in parts", done.await, |info| {
            format!("an object of {} was stored in two parts", ByteSize::new(info.size))
        });
    }

    async fn begin_and_give_up(&self, checks: &mut Findings) {
        let done = async {
            let mut upload =
                self.sink.begin(&self.folder.join("parts")?, PutOptions::default()).await?;
            let size = self.facts.part.unwrap_or(BEGUN).bytes() as usize;
            let written = upload.write(vec![0; size].into()).await;
            let ended = upload.abort().await;
            written.and(ended)
        };
        let said =
            |_: &()| "an upload was started and aborted: nothing could be removed again".to_owned();
        checks.note("write", done.await, said);
    }

    /// Removes everything, also the remains of a failed write, and checks that it is gone.
    async fn remove(&self, checks: &mut Findings, written: bool, can_list: bool) {
        let Some(remover) = self.remover else { return };
        let mut removed = Ok(());
        for name in ["probe", "parts"] {
            let Ok(key) = self.folder.join(name) else { continue };
            let done = remover.delete(&key).await.map_err(|error| {
                let left = format!("{}; {key} is left behind: delete it by hand", error.chain());
                let said = Error::new(error.kind(), "doctor", left);
                said.remedy_is(error.remedy().unwrap_or("check the permissions of the key"))
            });
            removed = removed.and(done);
        }
        let good = removed.is_ok();
        if good && !written {
            checks.skip("delete", "nothing was stored, so there is nothing to delete");
        } else {
            checks.note("delete", removed, |()| "all of it was deleted".to_owned());
        }
        // The remains of a failed upload.
        let _ = remover.discard_unfinished(&self.folder, None).await;
        if !good || !can_list {
            return;
        }
        match remover.list_sorted(&self.folder).await {
            Ok(left) if left.is_empty() => {}
            Ok(left) => {
                let keys: Vec<_> = left.iter().map(|info| info.key.to_string()).collect();
                let message = format!("{} is still there", keys.join(", "));
                checks.fail("gone", message, "delete it by hand");
            }
            Err(error) => checks.error("gone", &error),
        }
    }
}

/// Checks this machine's clock with the store's time of an object that was written between `before`
/// and `after`.
fn look_at_clock(before: Timestamp, store: Timestamp, after: Timestamp, checks: &mut Findings) {
    // Stores truncate fractions of seconds.
    let ahead = store.since(after);
    let behind = before.since(store).saturating_sub(Duration::from_secs(1));
    let (off, way) = if ahead > behind { (ahead, "behind") } else { (behind, "ahead of") };
    let message = format!("this machine's clock is {} s {way} the store's", off.as_secs());
    let remedy = "set the clock: `timedatectl set-ntp true`";
    match off {
        off if off >= TOO_MUCH_SKEW => checks.fail("clock", message, remedy),
        off if off >= SKEW => checks.warn("clock", message, remedy),
        _ => checks.ok("clock", "this machine's clock agrees with the store's"),
    }
}

fn same(read: &[u8], written: &[u8]) -> Result<()> {
    if read == written {
        return Ok(());
    }
    let message = "the data that was read differs from what was written";
    Err(Error::new(ErrorKind::Damaged, "doctor", message)
        .remedy_is("do not store anything there: check the disk, or the network in between"))
}

/// A folder that nothing else uses.
fn trial_folder() -> Result<ObjectKey> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|source| {
        let message = "the operating system gives no random numbers";
        Error::new(ErrorKind::Io, "doctor", message).caused_by(source)
    })?;
    format!("seaworthy-doctor-{:016x}", u64::from_le_bytes(random)).parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::FindingState;

    #[test]
    fn a_clock_that_is_off_is_named_with_its_direction() {
        let state = |ahead: i64| {
            let at = |seconds: i64| Timestamp::from_unix(1_000_000 + seconds);
            let mut checks = Findings::of("sink s");
            look_at_clock(at(0), at(ahead), at(2), &mut checks);
            let check = checks.into_vec().remove(0);
            (check.state, check.message)
        };
        for seconds in [-30, 0, 1, 30] {
            assert_eq!(state(seconds).0, FindingState::Ok, "{seconds}");
        }
        let (warned, message) = state(90);
        assert_eq!(
            (warned, message.contains("88 s behind")),
            (FindingState::Warning, true),
            "{message}"
        );
        let (failed, message) = state(-1000);
        assert_eq!(
            (failed, message.contains("999 s ahead of")),
            (FindingState::Failed, true),
            "{message}"
        );
    }
}
