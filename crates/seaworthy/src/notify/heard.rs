//! The warnings while something ran.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use seaworthy_core::{Context, Event, Progress};

/// How many warnings are kept: the last ones.
const MOST: usize = 50;

/// Passes events on, and keeps the warnings.
#[derive(Debug)]
pub(crate) struct Heard {
    next: Arc<dyn Progress>,
    warnings: Mutex<VecDeque<String>>,
}

impl Heard {
    /// Collects the events of `cx`; returns the collector and the context to use.
    pub(crate) fn listen(cx: &Context) -> (Arc<Self>, Context) {
        let heard = Arc::new(Self { next: cx.progress().clone(), warnings: Mutex::default() });
        (heard.clone(), cx.clone().with_progress(heard))
    }

    /// The warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.iter().cloned().collect()
    }
}

impl Progress for Heard {
    fn event(&self, event: &Event) {
        if let Event::Warning { message } = event {
            let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            if warnings.len() == MOST {
                warnings.pop_front();
            }
            warnings.push_back(message.clone());
        }
        self.next.event(event);
    }
}
