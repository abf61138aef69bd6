//! What was warned of while something ran.

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
    /// Listens to what happens under `cx`, and the context to listen through.
    pub(crate) fn listen(cx: &Context) -> (Arc<Self>, Context) {
        let heard = Arc::new(Self { next: cx.progress().clone(), warnings: Mutex::default() });
        (heard.clone(), cx.clone().with_progress(heard))
    }

    /// What was warned of.
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
