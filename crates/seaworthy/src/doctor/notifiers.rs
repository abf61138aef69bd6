//! Notifiers: can they be reached?

use futures_util::future::join_all;
use seaworthy_core::{Context, Findings, Name};

use crate::{
    Seaworthy,
    notify::{DeliveryState, Occasion, SubjectKind},
};

impl Seaworthy {
    /// Checks that each notifier has its secrets, and sends it a test message if requested.
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
        let notice = notice.line("This is a test message: notifications work.");
        for delivery in self.notify(&notice, cx).await {
            match (delivery.state, delivery.error) {
                (DeliveryState::Failed, why) => {
                    let remedy = "check the address, the token and the network";
                    checks.fail("send", why.unwrap_or_default(), remedy);
                }
                _ => checks.ok("send", "a test message was sent"),
            }
        }
        checks
    }
}
