//! Installs rendered files: stage, check, swap, activate, prove; on failure, swap back.

use crate::{Context, Event, FileLock, FileSet, Generations, Installer, Result, WayBack, go_live};

/// What [`apply`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied {
    /// The same files were already live and proved: nothing was done.
    Unchanged,
    /// The new files are live and proved to work.
    Changed,
}

/// Makes `files` live in `place` through `installer`.
///
/// The files are written into a folder of their own and checked there; then the link `current` is
/// swapped, the program is told, and it has to prove that it works. If it does not, or if `cx` is
/// cancelled, the link is set back to the newest files that were proved, and the program is told to
/// read them again. Those files are kept until newer ones are proved. After a crash at any point
/// the link leads to a complete set of files, and the next call finishes or undoes the work.
///
/// Files that are not ours are never replaced. If our files were edited by hand, that is a warning;
/// the edited files stay in their old folder until the change after this one.
pub async fn apply(
    place: &Generations,
    files: FileSet,
    installer: &dyn Installer,
    cx: &Context,
) -> Result<Applied> {
    place.claim()?;
    let _lock = FileLock::acquire(&place.base().join(".lock"), "apply")?;
    let current = place.current()?;
    let good = place.last_good()?;
    let edited = place.drift()?;
    for (path, _) in &edited {
        let path = place.link().join(path);
        cx.emit(Event::warning(format!("{} was edited by hand", path.display())));
    }
    let proved = match (&current, &good) {
        (Some(current), Some(good)) => current.folder == good.folder,
        _ => false,
    };
    if proved && edited.is_empty() && place.diff(&files)?.is_empty() {
        return Ok(Applied::Unchanged);
    }
    cx.check("apply")?;
    let staged = place.stage(files, cx.now())?;
    let checked = match installer.check(&staged, cx).await {
        Ok(()) => cx.check("apply"),
        Err(error) => Err(error),
    };
    if let Err(error) = checked {
        // Best effort: the error that matters is the first one, and the next call tidies up.
        let _ = std::fs::remove_dir_all(&staged.folder);
        return Err(error);
    }
    let before = good.as_ref().map_or(WayBack::ToNothing, WayBack::To);
    if let Err(failure) = go_live(place, &staged, before, installer, cx).await {
        let before = match &good {
            Some(good) => good.folder.display().to_string(),
            None => "nothing".to_owned(),
        };
        let remedy = "check the service: it may be running with the old or the new configuration";
        return Err(failure.into_error("apply", before, remedy));
    }
    place.make_good(Some(&staged))?;
    let mut keep = vec![&staged];
    keep.extend(&good);
    place.prune(&keep)?;
    Ok(Applied::Changed)
}

/// Makes `to` live again (files that were proved before), or nothing. For a caller whose later
/// steps failed after [`apply`] succeeded. The program is told to read the files.
pub async fn undo(
    place: &Generations,
    to: Option<&crate::StagedFiles>,
    installer: &dyn Installer,
    cx: &Context,
) -> Result<()> {
    let _lock = FileLock::acquire(&place.base().join(".lock"), "undo")?;
    place.make_current(to)?;
    place.make_good(to)?;
    let nothing = crate::StagedFiles::new(place.link(), place.link(), FileSet::new());
    installer.activate(to.unwrap_or(&nothing), cx).await
}
