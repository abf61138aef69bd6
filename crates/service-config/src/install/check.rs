//! `systemd-analyze verify` on files that are not live yet.

use std::{path::Path, time::Duration};

use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Result, StagedFiles};

use super::SystemdInstaller;

const LIMIT: Duration = Duration::from_secs(120);
/// An instance name for checking a template.
const INSTANCE: &str = "@1.";

impl SystemdInstaller {
    /// systemd must not complain about our units; complaints about other units are ignored.
    pub(super) async fn verify(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        if staged.files.is_empty() {
            return Ok(());
        }
        // It writes to standard error, and exits with 1 for other units, too.
        let mut words = vec!["sh".to_owned(), "-c".to_owned(), "\"$@\" 2>&1 || true".to_owned()];
        words.push("sh".to_owned());
        words.push(self.analyze.program().to_owned());
        words.extend(self.analyze.arguments().iter().cloned());
        words.extend(["verify".to_owned(), "--man=no".to_owned()]);
        for (path, _) in staged.files.iter() {
            let path = staged.folder.join(path.replacen("@.", INSTANCE, 1));
            words.push(path.to_string_lossy().into_owned());
        }
        let output = CommandLine::new(words)?.run(cx, Some(LIMIT)).await?;
        let output = String::from_utf8_lossy(&output);
        let complaint = output.lines().find(|line| self.is_ours(line, staged));
        match complaint {
            None => Ok(()),
            Some(complaint) => Err(blamed(complaint, staged)),
        }
    }

    fn is_ours(&self, line: &str, staged: &StagedFiles) -> bool {
        if line.contains("not found") && line.contains("systemd-analyze") {
            return true;
        }
        // The program may come with the first release.
        let waits = line.contains("is not executable")
            && self.model.services.names().any(|name| {
                let unit = format!("seaworthy-{name}");
                let named =
                    line.starts_with(&format!("{unit}.")) || line.starts_with(&format!("{unit}@"));
                let control = self.model.control(name, &self.systemctl);
                named && control.is_ok_and(|control| control.lacks_release())
            });
        !waits && unit_of(line, staged).is_some()
    }
}

/// The file of ours that `line` refers to.
fn unit_of<'s>(line: &str, staged: &'s StagedFiles) -> Option<&'s str> {
    let about = |path: &str| {
        let plain = staged.folder.join(path);
        line.starts_with(&*plain.to_string_lossy())
            || line.starts_with(path)
            || line.starts_with(&path.replacen("@.", INSTANCE, 1))
    };
    staged.files.iter().map(|(path, _)| path).find(|path| about(path))
}

/// The error, with the field of the model if systemd names one of our lines.
fn blamed(complaint: &str, staged: &StagedFiles) -> Error {
    let error = Error::new(
        ErrorKind::Config,
        "service.check",
        format!("systemd rejects the units: {complaint}"),
    );
    let line = complaint.split_once(": ").and_then(|(place, _)| place.rsplit_once(':'));
    let by_line =
        line.and_then(|(path, line)| staged.blame(Path::new(path), line.parse().ok()?)).cloned();
    let by_file = || {
        let file = staged.files.get(unit_of(complaint, staged)?)?;
        let word = if complaint.contains("executable") {
            file.origin.field("command")
        } else {
            file.origin.clone()
        };
        Some(word)
    };
    match by_line.or_else(by_file) {
        Some(origin) => error.at(origin),
        None => error,
    }
}
