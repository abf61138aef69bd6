//! Hooks in a run for tests, so that races can be reproduced.

use std::io;

/// A step in reading a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It was listed and is about to be opened.
    Open,
    /// It was opened, measured and partly or wholly read.
    Read,
}

/// What a test does in such a step: an error is treated like one of the operating system.
#[cfg(test)]
type Act = dyn Fn(Moment, &[u8]) -> io::Result<()> + Send + Sync;

/// Does nothing, except in tests.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    #[cfg(test)]
    act: Option<std::sync::Arc<Act>>,
}

impl Hooks {
    #[cfg(test)]
    pub(crate) fn new(
        act: impl Fn(Moment, &[u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { act: Some(std::sync::Arc::new(act)) }
    }

    #[cfg(test)]
    pub(crate) fn at(&self, moment: Moment, path: &[u8]) -> io::Result<()> {
        self.act.as_ref().map_or(Ok(()), |act| act(moment, path))
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as in tests")]
    #[inline]
    pub(crate) fn at(&self, _: Moment, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}
