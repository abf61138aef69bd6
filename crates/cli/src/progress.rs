//! Progress bars, on a terminal only, and warnings.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use seaworthy::core::{Event, Progress};

use crate::terminal::{Terminal, one_line};

/// Shows progress on standard error.
#[derive(Debug)]
pub(crate) struct Bars {
    terminal: Terminal,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bars {
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self { terminal, bar: Mutex::new(None) }
    }

    /// Removes the bar before results are printed.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, task: &str, total: Option<u64>) {
        self.clear();
        if !self.terminal.progress {
            return;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
        let template = match total {
            Some(_) => {
                "{msg:24!} [{bar:24}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} \
                 {eta} left"
            }
            None => "{msg:24!} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed}",
        };
        // An invalid template falls back to the default look.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(one_line(task));
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.lock() = Some(bar);
    }
}

impl Progress for Bars {
    fn event(&self, event: &Event) {
        match event {
            Event::Started { task, total_bytes } => self.start(task, *total_bytes),
            Event::Advanced { bytes, .. } => {
                if let Some(bar) = &*self.lock() {
                    bar.inc(*bytes);
                }
            }
            Event::Finished { .. } => self.clear(),
            Event::Warning { message } if !self.terminal.quiet => match &*self.lock() {
                Some(bar) => bar.suspend(|| self.terminal.warning(message)),
                None => self.terminal.warning(message),
            },
            _ => {}
        }
    }
}
