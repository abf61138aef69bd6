//! Builds the notifiers from the configuration.

use std::sync::Arc;

use seaworthy_core::{Context, Error, ErrorKind, Name, Result};

use super::{
    Notifier,
    kinds::{NotifierConfig, NotifyConfig, SharedNotifier},
};
use crate::Seaworthy;

impl Seaworthy {
    /// Registers `notifier` as the implementation of the custom notifier `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the file has no such notifier or it has another type.
    pub fn add_notifier(&mut self, name: &Name, notifier: Arc<dyn Notifier>) -> Result<()> {
        let named = self.config.notify.get(name.as_str()).map(|config| &config.notifier);
        if !matches!(named, Some(NotifierConfig::Custom(_))) {
            let message = format!("the file has no custom notifier {:?}", name.as_str());
            return Err(Error::new(ErrorKind::InvalidInput, "notify.add", message)
                .remedy_is(format!("add [notify.{name}] with type = \"custom\"")));
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
