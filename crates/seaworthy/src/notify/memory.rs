//! What was already sent, so that the same notice is not sent every night.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use seaworthy_core::{Error, FileLock, Name, Result, Timestamp, durable};
use serde::{Deserialize, Serialize};

use super::{Notice, Occasion};

/// How often a lock held by another process is tried again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What was sent to one notifier, on disk. No other process writes it while this exists.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    told: Told,
    _lock: FileLock,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    schema: u32,
    /// Current problems, by subject.
    wrong: BTreeMap<String, Wrong>,
}

/// A current problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wrong {
    occasion: Occasion,
    since: Timestamp,
    /// When that was sent; `None` if not yet.
    told: Option<Timestamp>,
}

/// What to do with a notice.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Send it for this occasion, with the time since which it is wrong.
    Tell(Occasion, Option<Timestamp>),
    /// It was already sent, or is not wanted.
    KeepBack,
}

impl Memory {
    /// Reads what was sent to the notifier `name` from the state folder. Waits for other processes.
    pub(super) async fn open(state: &Path, name: &Name) -> Result<Self> {
        let folder = state.join("notify");
        let lock = loop {
            match FileLock::acquire(&folder.join(format!("{name}.lock")), "a message") {
                Ok(lock) => break lock,
                Err(error) if error.kind() == seaworthy_core::ErrorKind::Locked => {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        };
        let path = folder.join(format!("{name}.json"));
        let told = match fs::read(&path) {
            // If it cannot be read, a notice may be sent twice, which is better than never.
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Told::default(),
            Err(e) => {
                let message = format!("cannot read {}", path.display());
                return Err(Error::io("notify.remember", message, e));
            }
        };
        Ok(Self { path, told, _lock: lock })
    }

    /// What to do with `notice`, according to `memory`.
    pub(super) fn decide(
        memory: Option<&Self>,
        notice: &Notice,
        wants: impl Fn(Occasion) -> bool,
        repeat: Duration,
    ) -> Decision {
        let wrong = memory.and_then(|memory| memory.told.wrong.get(&notice.subject.to_string()));
        decide(wrong, notice.occasion, notice.time, wants, repeat)
    }

    /// Records the result of `notice`: whether it was `told`. Removes problems that are over.
    pub(super) fn keep(&mut self, notice: &Notice, told: bool, decision: &Decision) -> Result<()> {
        let key = notice.subject.to_string();
        let before = self.told.wrong.get(&key);
        let after = if notice.occasion.is_bad() {
            let mut wrong = before.cloned().unwrap_or(Wrong {
                occasion: notice.occasion,
                since: notice.time,
                told: None,
            });
            if told {
                wrong.occasion = notice.occasion;
                wrong.told = Some(notice.time);
            }
            Some(wrong)
        } else {
            // A recovery that could not be sent is sent again.
            let untold = !told && matches!(decision, Decision::Tell(Occasion::Recovery, _));
            before.filter(|_| untold).cloned()
        };
        if before == after.as_ref() {
            return Ok(());
        }
        match after {
            Some(wrong) => self.told.wrong.insert(key, wrong),
            None => self.told.wrong.remove(&key),
        };
        self.told.schema = 1;
        let bytes = serde_json::to_vec_pretty(&self.told).unwrap_or_default();
        durable::write_file(&self.path, &bytes, 0o600)
    }
}

fn decide(
    wrong: Option<&Wrong>,
    occasion: Occasion,
    now: Timestamp,
    wants: impl Fn(Occasion) -> bool,
    repeat: Duration,
) -> Decision {
    if occasion == Occasion::Test {
        return Decision::Tell(occasion, None);
    }
    let told = wrong.and_then(|wrong| wrong.told);
    if occasion.is_bad() {
        // Being late adds nothing to the reason.
        let other =
            occasion != Occasion::Overdue && wrong.is_some_and(|wrong| wrong.occasion != occasion);
        let due = told.is_none_or(|told| now.since(told) >= repeat || now < told);
        let since = wrong.filter(|_| told.is_some() && !other).map(|wrong| wrong.since);
        return if wants(occasion) && (other || due) {
            Decision::Tell(occasion, since)
        } else {
            Decision::KeepBack
        };
    }
    if told.is_some() && wants(Occasion::Recovery) {
        return Decision::Tell(Occasion::Recovery, wrong.map(|wrong| wrong.since));
    }
    // A recovery is only sent to notifiers that got the failure.
    if occasion != Occasion::Recovery && wants(occasion) {
        Decision::Tell(occasion, None)
    } else {
        Decision::KeepBack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::{Subject, SubjectKind};

    const DAY: Duration = Duration::from_secs(86_400);

    fn notice(occasion: Occasion, at: i64) -> Notice {
        let subject = Subject::new(SubjectKind::Backup, Name::new("nightly").unwrap());
        Notice::new(occasion, subject, "web1", Timestamp::from_unix(at))
    }

    #[tokio::test]
    async fn a_failure_is_told_once_then_each_day_then_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::new("ops").unwrap();
        let usual = |occasion: Occasion| occasion != Occasion::Success;
        let start = Timestamp::from_unix(1000);
        let mut told = Vec::new();
        for (occasion, at, arrives) in [
            (Occasion::Success, 900, true),
            (Occasion::Failure, 1000, false), // could not be sent
            (Occasion::Failure, 1100, true),
            (Occasion::Failure, 1200, true),
            (Occasion::Suspect, 1300, true), // something else is wrong now
            (Occasion::Suspect, 1400, true),
            (Occasion::Suspect, 1300 + 86_400, true),
            (Occasion::Success, 100_000, false), // could not be sent
            (Occasion::Success, 100_100, true),
            (Occasion::Success, 100_200, true),
        ] {
            let mut memory = Memory::open(folder.path(), &name).await.unwrap();
            let notice = notice(occasion, at);
            let decision = Memory::decide(Some(&memory), &notice, usual, DAY);
            let arrived = arrives && decision != Decision::KeepBack;
            memory.keep(&notice, arrived, &decision).unwrap();
            told.push(decision);
        }
        use Decision::{KeepBack, Tell};
        assert_eq!(
            told,
            [
                KeepBack,
                Tell(Occasion::Failure, None),
                Tell(Occasion::Failure, None),
                KeepBack,
                Tell(Occasion::Suspect, None),
                KeepBack,
                Tell(Occasion::Suspect, Some(start)),
                Tell(Occasion::Recovery, Some(start)),
                Tell(Occasion::Recovery, Some(start)),
                KeepBack,
            ]
        );
    }

    #[tokio::test]
    async fn that_it_is_late_adds_nothing_to_why() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::new("ops").unwrap();
        let mut memory = Memory::open(folder.path(), &name).await.unwrap();
        use Decision::{KeepBack, Tell};
        let start = Some(Timestamp::from_unix(1000));
        for (occasion, at, expected) in [
            (Occasion::Failure, 1000, Tell(Occasion::Failure, None)),
            (Occasion::Overdue, 2800, KeepBack),
            (Occasion::Overdue, 1000 + 86_400, Tell(Occasion::Overdue, start)),
            (Occasion::Failure, 2000 + 86_400, Tell(Occasion::Failure, None)),
            (Occasion::Recovery, 3000 + 86_400, Tell(Occasion::Recovery, start)),
            (Occasion::Overdue, 4000 + 86_400, Tell(Occasion::Overdue, None)),
        ] {
            let notice = notice(occasion, at);
            let decision = Memory::decide(Some(&memory), &notice, |_| true, DAY);
            memory.keep(&notice, decision != KeepBack, &decision).unwrap();
            assert_eq!(decision, expected, "{occasion} at {at}");
        }
    }

    #[tokio::test]
    async fn nobody_hears_the_end_of_what_they_were_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::new("ops").unwrap();
        let mut memory = Memory::open(folder.path(), &name).await.unwrap();
        let only_failures = |o: Occasion| matches!(o, Occasion::Failure | Occasion::Recovery);
        for occasion in [Occasion::Suspect, Occasion::Success] {
            let notice = notice(occasion, 5);
            let decision = Memory::decide(Some(&memory), &notice, only_failures, DAY);
            assert_eq!(decision, Decision::KeepBack);
            memory.keep(&notice, false, &decision).unwrap();
        }
        assert!(memory.told.wrong.is_empty());
    }

    #[tokio::test]
    async fn a_torn_memory_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::new("ops").unwrap();
        durable::create_private_folder(&folder.path().join("notify")).unwrap();
        fs::write(folder.path().join("notify/ops.json"), "{\"wro").unwrap();
        let memory = Memory::open(folder.path(), &name).await.unwrap();
        assert_eq!(
            Memory::decide(Some(&memory), &notice(Occasion::Failure, 1), |_| true, DAY),
            Decision::Tell(Occasion::Failure, None)
        );
    }
}
