//! Snapshots that were never made, for benches: `forge_snapshots SINK JOB HOST COUNT HOURS [BYTES]`,
//! with so many hours between two of them; the newest is an hour old.
#![allow(clippy::unwrap_used, reason = "a tool for the benches")]

use seaworthy_tests::forge::Forged;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [sink, job, host, count, hours, bytes @ ..] = words.as_slice() else { panic!("see above") };
    let (count, hours): (u64, f64) = (count.parse().unwrap(), hours.parse().unwrap());
    let bytes: Option<u64> = bytes.first().map(|bytes| bytes.parse().unwrap());
    for n in 0..count {
        // A little up and down, and growing.
        let wave = (n * 2_654_435_761) % 1_000;
        let plain = 2_000_000_000_u64.saturating_sub(n * 9_000_000).max(50_000_000) + wave * 40_000;
        let forged = Forged {
            job: job.clone(),
            plain,
            stored: bytes.unwrap_or(plain / 4),
            rows: Some(plain / 1_500),
            seconds: plain as f64 / 28e6 + wave as f64 / 100.0,
            ..Forged::before(1.0 + n as f64 * hours, host)
        };
        forged.put(sink.as_ref());
    }
}
