//! Names of rotated logs: `access.log.1`, `access.log.2.gz`, `app.log-20261122`, `app-2026-11-22.log`.

use std::path::{Path, PathBuf};

use seaworthy_core::{Error, Result};

/// What the name of a rotated log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RotatedName {
    /// The name of the log that it was rotated from.
    pub(crate) family: String,
    /// Sorts from oldest to newest: the date as a number, or the negated number.
    pub(crate) order: i64,
}

impl RotatedName {
    /// `None` if the name is not that of a rotated log.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let plain = [".gz", ".zst", ".xz", ".bz2"].iter().find_map(|end| name.strip_suffix(end));
        let is_packed = plain.is_some();
        let plain = plain.unwrap_or(name);
        if let Some((family, number)) = plain.rsplit_once('.')
            && !family.is_empty()
        {
            if (1..=4).contains(&number.len()) && number.bytes().all(|c| c.is_ascii_digit()) {
                let number: i64 = number.parse().ok()?;
                return Some(Self { family: family.to_owned(), order: -number });
            }
            if number == "old" {
                return Some(Self { family: family.to_owned(), order: -1 });
            }
        }
        if let Some(dated) = dated(plain) {
            return Some(dated);
        }
        let is_log = plain.ends_with(".log");
        (is_packed && is_log).then(|| Self { family: plain.to_owned(), order: -1 })
    }
}

/// A name that ends with a date, before `.log` or not.
fn dated(name: &str) -> Option<RotatedName> {
    let (stem, end) = match name.strip_suffix(".log") {
        Some(stem) => (stem, ".log"),
        None => (name, ""),
    };
    // `-20261122`, with hours, minutes or a number behind it or not.
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit() || b"-_T".contains(&c));
    for at in (1..stem.len()).filter(|at| stem.is_char_boundary(*at)) {
        let (family, rest) = stem.split_at(at);
        let Some(date) = rest.strip_prefix(['-', '.', '_']) else { continue };
        if !date.starts_with("20") || !digits(date) {
            continue;
        }
        let plain: String = date.chars().filter(char::is_ascii_digit).take(14).collect();
        let (year, rest) = plain.split_at_checked(4)?;
        let (month, rest) = rest.split_at_checked(2)?;
        let day = rest.get(..2)?;
        let within =
            |text: &str, most: u32| text.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n));
        if within(year, 2099) && within(month, 12) && within(day, 31) {
            let order = format!("{plain:0<14}").parse().ok()?;
            return Some(RotatedName { family: format!("{family}{end}"), order });
        }
    }
    None
}

/// The regular files in `folder`, by name.
pub(crate) fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let fail = |e| Error::io("logs.open", format!("cannot read {}", folder.display()), e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The rotated predecessors of the log at `path`, oldest first.
pub(crate) fn predecessors(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default();
    let mut found: Vec<_> = files_in(folder.unwrap_or(Path::new(".")))?
        .into_iter()
        .filter_map(|file| {
            let rotated = RotatedName::of(&file)?;
            (rotated.family.as_str() == name).then_some((rotated.order, file))
        })
        .collect();
    found.sort();
    Ok(found.into_iter().map(|(_, file)| file).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_families_and_order() {
        for (name, family, order) in [
            ("access.log.1", "access.log", -1),
            ("access.log.12.gz", "access.log", -12),
            ("syslog.2.zst", "syslog", -2),
            ("app.log-20261122", "app.log", 20_261_122_000_000),
            ("app.log-20261122-1030.gz", "app.log", 20_261_122_103_000),
            ("app-2026-11-22.log", "app.log", 20_261_122_000_000),
            ("app.log.2026-11-22", "app.log", 20_261_122_000_000),
            ("app__2026-11-22_00-00-00.log", "app_.log", 20_261_122_000_000),
            ("Xorg.0.log.old", "Xorg.0.log", -1),
            ("app.log.gz", "app.log", -1),
        ] {
            let rotated = RotatedName::of(Path::new(name));
            assert_eq!(rotated, Some(RotatedName { family: family.into(), order }), "{name}");
        }
        for name in [
            "access.log",
            "dump.sql.gz",
            ".1",
            "notes-20269922",
            "a.tar.gz",
            "libc.so.60000",
            "app-20.log",
        ] {
            assert_eq!(RotatedName::of(Path::new(name)), None, "{name}");
        }
    }
}
