//! From the file's words to those who are told.

use std::sync::Arc;

use seaworthy_core::{Context, Error, ErrorKind, Name, Result};

use super::{Notifier, deliver::SharedNotifier};
use crate::{Seaworthy, config::NotifyConfig};

impl Seaworthy {
    /// Fills the notifier `name`, which the file calls `custom`, with `notifier`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where the file has no such notifier or calls it something else.
    pub fn add_notifier(&mut self, name: &Name, notifier: Arc<dyn Notifier>) -> Result<()> {
        if !matches!(self.config.notify.get(name.as_str()), Some(NotifyConfig::Custom(_))) {
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
        if let NotifyConfig::Custom(_) = config {
            return self.environment.of(name).brought().ok_or_else(|| {
                let message = format!("nobody has filled the custom notifier {:?}", name.as_str());
                Error::new(ErrorKind::Unsupported, "notify.open", message)
                    .remedy_is("use this file from the program that embeds Seaworthy and brings it")
            });
        }
        #[cfg(feature = "notify")]
        return super::service::open(self, config, cx).await;
        #[cfg(not(feature = "notify"))]
        {
            let _ = cx;
            let message = "this program was built without notifications";
            Err(Error::new(ErrorKind::Unsupported, "notify.open", message)
                .remedy_is("build it with the feature `notify`"))
        }
    }
}
