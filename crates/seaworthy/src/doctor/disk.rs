//! Is there enough disk space?

use std::path::{Path, PathBuf};

use seaworthy_core::{ByteSize, Findings};

use crate::{
    Seaworthy,
    machine::{Room, room},
};

/// Below this fraction of a disk, or this many bytes, it is a warning.
const LOW: (u64, u64) = (10, 1 << 30);

/// Below this it is a failure.
const TOO_LOW: u64 = 64 << 20;

impl Seaworthy {
    /// Checks each disk with state, sinks and temporary files.
    pub(super) fn look_at_disks(&self) -> Findings {
        let mut checks = Findings::of("disk");
        let mut places: Vec<(PathBuf, &str)> = vec![(self.state.path().to_owned(), "state")];
        let folders = self.config.sink_folders();
        places.extend(folders.map(|(_, folder)| (folder.to_owned(), "snapshots")));
        places.extend(
            self.config.backup.iter().map(|(_, job)| (self.temp_of(job), "temporary files")),
        );
        places.dedup();
        for (path, what) in places {
            match room(&path) {
                Ok(Room { free, total }) => judge(&path, what, free, total, &mut checks),
                Err(error) => checks.error("room", &error),
            }
        }
        checks
    }
}

fn judge(path: &Path, what: &str, free: u64, all: u64, checks: &mut Findings) {
    let percent = free.saturating_mul(100) / all.max(1);
    let message = format!(
        "{} of {} are free for {what} in {} ({percent}%)",
        ByteSize::new(free),
        ByteSize::new(all),
        path.display()
    );
    let remedy = "free some space, or use another disk";
    if free < TOO_LOW {
        checks.fail("room", message, remedy);
    } else if percent < LOW.0 && free < LOW.1 * 10 || free < LOW.1 {
        checks.warn("room", message, remedy);
    } else {
        checks.ok("room", message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::FindingState;

    #[test]
    fn what_is_low_is_said_and_a_large_disk_is_not_low_by_its_percents() {
        let state = |free: u64, all: u64| {
            let mut checks = Findings::of("disk");
            judge(Path::new("/x"), "state", free, all, &mut checks);
            checks.into_vec()[0].state
        };
        const GIB: u64 = 1 << 30;
        assert_eq!(state(50 * GIB, 100 * GIB), FindingState::Ok);
        assert_eq!(state(5 * GIB, 100 * GIB), FindingState::Warning);
        assert_eq!(state(500 * GIB, 10_000 * GIB), FindingState::Ok);
        assert_eq!(state(GIB / 2, GIB), FindingState::Warning);
        assert_eq!(state(1 << 20, 100 * GIB), FindingState::Failed);
        let Room { free, total } = room(Path::new("/no/such/folder")).unwrap();
        assert!(free <= total && total > 0);
    }
}
