//! One change of what is live, with rollback: swap, activate, prove; on failure swap back.

use std::{
    fmt::{Debug, Display},
    path::PathBuf,
};

use async_trait::async_trait;

use crate::{Cancel, Context, Error, FileSet, Installer, Result, StagedFiles};

/// A place where one version of something is live at a time, such as a folder behind a symbolic
/// link.
#[async_trait]
pub trait Place: Debug + Send + Sync {
    /// The link that leads to what is live.
    fn link(&self) -> PathBuf;

    /// Makes `staged` live, or nothing. After a crash at any point the old or the new version is
    /// live, complete: see [`swap_link`](crate::durable::swap_link).
    async fn swap(&self, staged: Option<&StagedFiles>, cx: &Context) -> Result<()>;
}

/// Where [`go_live`] goes back to when something fails.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum WayBack<'a> {
    /// To this version.
    To(&'a StagedFiles),
    /// To nothing: the link is removed.
    ToNothing,
    /// Nowhere: the new version stays live although something failed.
    Stay,
}

/// Why something did not go live, and what is live now.
#[derive(Debug)]
pub struct NotLive {
    cause: Error,
    /// Whether it went back, and how that ended.
    back: Option<Result<()>>,
}

impl NotLive {
    /// The failure as one error of `operation`: it says that the program went back to `before`, or
    /// that this failed as well, which `remedy` is for.
    pub fn into_error(
        self,
        operation: &'static str,
        before: impl Display,
        remedy: impl Into<String>,
    ) -> Error {
        match self.back {
            None => self.cause,
            Some(Ok(())) => self.cause.with("rolled back to", before),
            Some(Err(second)) => {
                let (first, second) = (self.cause.chain(), second.chain());
                let message = format!("{first}; and the rollback failed: {second}");
                Error::new(self.cause.kind(), operation, message)
                    .with("going back to", before)
                    .caused_by(self.cause)
                    .remedy_is(remedy)
            }
        }
    }
}

/// Makes `staged`, which was checked, live in `place` through `installer`: the place is swapped, the
/// program is told, and it has to prove that it works. If it does not, or if `cx` is cancelled, the
/// place is swapped back to `before`, and the program, if it was told, is told again: also where
/// `cx` is cancelled.
///
/// # Errors
/// The failure, and the result of the rollback.
pub async fn go_live(
    place: &dyn Place,
    staged: &StagedFiles,
    before: WayBack<'_>,
    installer: &dyn Installer,
    cx: &Context,
) -> std::result::Result<(), NotLive> {
    let swapped = place.swap(Some(staged), cx).await;
    let told = swapped.is_ok();
    let tried = async {
        swapped?;
        installer.activate(staged, cx).await?;
        cx.check("apply")?;
        installer.prove(staged, cx).await
    };
    let Err(cause) = tried.await else { return Ok(()) };
    let back = match before {
        WayBack::To(before) => Some(before),
        WayBack::ToNothing => None,
        WayBack::Stay => return Err(NotLive { cause, back: None }),
    };
    let cx = cx.clone().with_cancel(Cancel::new());
    let going = async {
        place.swap(back, &cx).await?;
        if !told {
            return Ok(());
        }
        let nothing = StagedFiles::new(place.link(), place.link(), FileSet::new());
        installer.reactivate(back.unwrap_or(&nothing), &cause, &cx).await
    };
    let back = Some(going.await);
    Err(NotLive { cause, back })
}
