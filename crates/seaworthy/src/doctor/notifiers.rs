//! Notifiers: can they be told?

use futures_util::future::join_all;
use seaworthy_core::{Context, Findings, Name};

use crate::{
    Seaworthy,
    notify::{DeliveryState, Occasion, SubjectKind},
};

impl Seaworthy {
    /// Looks whether each notifier has its secrets, and sends it a message if it is to.
    pub(super) async fn try_notifiers(&self, send: bool, cx: &Context) -> Vec<Findings> {
        join_all(self.config.notify.names().map(|name| self.try_notifier(name, send, cx))).await
    }

    async fn try_notifier(&self, name: &Name, send: bool, cx: &Context) -> Findings {
        let mut checks = Findings::of(format!("notify {name}"));
        let Some(config) = self.config.notify.get(name.as_str()) else { return checks };
        if let Err(error) = self.notifier(name, config, cx).await {
            checks.error("open", &error);
            return checks;
        }
        if !send {
            checks.skip("send", "`seaworthy doctor --notify` sends a test message");
            return checks;
        }
        let notice = self.notice(SubjectKind::Notify, name, Occasion::Test, cx);
        let notice = notice.line("Somebody asked whether messages arrive: this one did.");
        for delivery in self.notify(&notice, cx).await {
            match (delivery.state, delivery.error) {
                (DeliveryState::Failed, why) => {
                    let remedy = "look at the address, the token and the network";
                    checks.fail("send", why.unwrap_or_default(), remedy);
                }
                _ => checks.ok("send", "a test message was sent"),
            }
        }
        checks
    }
}
