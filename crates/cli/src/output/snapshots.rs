//! Output of `snapshots`.

use std::io::{self, Write};

use seaworthy::{
    backup::format::SnapshotKind,
    command::{Listing, SnapshotsResult},
};

use super::{Page, Report, size};

impl Report for SnapshotsResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for (i, listing) in self.listings.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            listing.write(out)?;
        }
        Ok(())
    }
}

impl Report for Listing {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        writeln!(out, "{} in {} ({})", self.job, self.sink, self.place)?;
        if self.snapshots.is_empty() {
            return writeln!(out, "  none");
        }
        for snapshot in &self.snapshots {
            let mut state = snapshot.state.name().to_owned();
            if snapshot.kind == SnapshotKind::Safety {
                state.push_str(", safety");
            }
            if snapshot.pinned {
                state.push_str(", pinned");
            }
            let host = snapshot.host.as_ref().map_or("unknown host", |host| host.as_str());
            writeln!(
                out,
                "  {}  {:>9} → {:>9}  {host}  {state}",
                snapshot.id,
                size(snapshot.plain).to_string(),
                size(snapshot.stored).to_string()
            )?;
        }
        Ok(())
    }
}
