//! What this machine can offer a server that runs on it.

use std::thread;

/// How much memory each of `jobs` may use to build an index that benefits from it, in KiB: a
/// quarter of this machine's, shared, and never more than is useful.
pub(crate) fn index_memory(jobs: usize) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some((total / (4 * jobs as u64)).clamp(1024, 1 << 20))
}

/// How many processes may help each of `jobs` to build an index: more than there are processors
/// would slow each other down.
pub(crate) fn index_helpers(jobs: usize) -> i32 {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    i32::try_from((processors / jobs.max(1)).saturating_sub(1)).unwrap_or(i32::MAX)
}
