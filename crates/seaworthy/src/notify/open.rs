//! From the file's words to those who are told.

use std::sync::Arc;

use seaworthy_core::{Context, Error, ErrorKind, Name, Result};

use super::{
    Notifier,
    kinds::{NotifierConfig, NotifyConfig, SharedNotifier},
};
use crate::Seaworthy;

impl Seaworthy {
    /// Fills the notifier `name`, which the file calls `custom`, with `notifier`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where the file has no such notifier or calls it something else.
    pub fn add_notifier(&mut self, name: &Name, notifier: Arc<dyn Notifier>) -> Result<()> {
        let named = self.config.notify.get(name.as_str()).map(|config| &config.notifier);
        if !matches!(named, Some(NotifierConfig::Custom(_))) {
            let message = format!("the file has no custom notifier {:?}", name.as_str());
            return Err(Error::new(ErrorKind::InvalidInput, "notify.add", message)
                .remedy_is(format!("write [notify.{name}] with type = \"custom\"")));
        }
        self.environment.bring(name, notifier);
        Ok(())
    }

    /// The notifier `name`, with its secrets.
    pub(crate) async fn notifier(
        &self,
        name: &Name,
        config: &NotifyConfig,
        cx: &Context,
    ) -> Result<SharedNotifier> {
        config.notifier.as_kind().open(&self.environment.of(name), cx).await
    }
}
