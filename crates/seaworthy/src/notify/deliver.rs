//! Delivers a notice to all notifiers that want it: once, with retries, within a time limit.

use std::time::Duration;

use futures_util::future::join_all;
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result};
use serde::Serialize;

use super::{Notice, Notifier, Occasion, SubjectKind, memory::Decision, memory::Memory};
use crate::{Seaworthy, config::NotifyConfig};

/// The default time limit for one notifier.
const LIMIT: Duration = Duration::from_secs(30);

/// The default repeat interval.
const REPEAT: Duration = Duration::from_secs(86_400);

/// The pauses between attempts.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];

/// The longest pause that a service can request.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// The delivery of a notice to one notifier.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Delivery {
    /// The notifier.
    pub notifier: Name,
    /// The occasion.
    pub occasion: Occasion,
    /// Its result.
    pub state: DeliveryState,
    /// Why it could not be sent.
    pub error: Option<String>,
}

/// The delivery of a notice to one notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryState {
    /// It was sent.
    Sent,
    /// It was not sent, because it was already sent before.
    KeptBack,
    /// It could not be determined.
    Failed,
}

impl Delivery {
    /// Nothing to report if it was not requested.
    fn is_news(&self) -> bool {
        self.state != DeliveryState::KeptBack || self.occasion.is_bad()
    }
}

impl DeliveryState {
    /// As in JSON.
    fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::KeptBack => "kept_back",
            Self::Failed => "failed",
        }
    }
}

impl Seaworthy {
    /// Notifies those who want to know. It never fails: a failed delivery becomes a warning.
    ///
    /// An `overdue` or `expiring` notice is also sent here, by the code that finds it; a `success`
    /// of the same subject ends it.
    pub async fn notify(&self, notice: &Notice, cx: &Context) -> Vec<Delivery> {
        let told = self.listeners(notice).into_iter().map(|(name, config)| async move {
            let repeat = config.repeat.map_or(REPEAT, |span| span.as_duration());
            let limit = config.timeout.map_or(LIMIT, |span| span.as_duration());
            let mut attempt = Attempt { occasion: notice.occasion, problem: None };
            let work = self.tell(name, config, notice, repeat, &mut attempt, cx);
            let done = tokio::time::timeout(limit, work).await;
            let done = done.unwrap_or_else(|_| {
                let message = format!("it took longer than {} s", limit.as_secs_f64());
                let error = Error::new(ErrorKind::TimedOut, "notify.send", message);
                Err(attempt.problem.take().unwrap_or(error))
            });
            let (state, error) = match done {
                Ok(state) => (state, None),
                Err(error) => {
                    let why = error.chain();
                    cx.emit(Event::warning(format!(
                        "notifier {name} could not be notified: {why}"
                    )));
                    (DeliveryState::Failed, Some(why))
                }
            };
            let delivery =
                Delivery { notifier: name.clone(), occasion: attempt.occasion, state, error };
            if delivery.is_news() {
                cx.emit(Event::Notified {
                    notifier: name.to_string(),
                    occasion: delivery.occasion.to_string(),
                    state: state.word().to_owned(),
                });
            }
            delivery
        });
        let told = join_all(told).await;
        told.into_iter().filter(Delivery::is_news).collect()
    }

    /// The notifiers for the subject of `notice`.
    fn listeners(&self, notice: &Notice) -> Vec<(&Name, &NotifyConfig)> {
        let subject = &notice.subject;
        let chosen: Option<&[Name]> = match subject.kind {
            SubjectKind::Certificate => None,
            SubjectKind::Notify => Some(std::slice::from_ref(&subject.name)),
            _ => {
                let job = self.config.backup.get(subject.name.as_str());
                job.and_then(|job| job.notify.as_deref())
            }
        };
        let is_listener = |name: &Name, config: &NotifyConfig| match chosen {
            Some(names) => names.contains(name),
            // A monitor belongs to the jobs that name it.
            None => !config.notifier.as_kind().is_monitor(),
        };
        let all = self.config.notify.iter();
        all.filter(|(name, config)| is_listener(name, config))
            .filter(|(_, config)| hears(config, notice))
            .collect()
    }

    async fn tell(
        &self,
        name: &Name,
        config: &NotifyConfig,
        notice: &Notice,
        repeat: Duration,
        attempt: &mut Attempt,
        cx: &Context,
    ) -> Result<DeliveryState> {
        if config.notifier.as_kind().is_monitor() || notice.occasion == Occasion::Test {
            let notifier = self.notifier(name, config, cx).await?;
            return send(&*notifier, notice, attempt).await.map(|()| DeliveryState::Sent);
        }
        let (mut memory, mut trouble) = match Memory::open(self.state.path(), name).await {
            Ok(memory) => (Some(memory), None),
            // A full disk is exactly what must be reported.
            Err(error) => (None, Some(error)),
        };
        let wants =
            |occasion: Occasion| occasion.word().is_some_and(|occasion| config.wants(occasion));
        let decision = Memory::decide(memory.as_ref(), notice, wants, repeat);
        let mut keep = |notice: &Notice, told: bool| {
            let kept = memory.as_mut().map(|memory| memory.keep(notice, told, &decision));
            if let (Some(Err(error)), None) = (kept, &trouble) {
                trouble = Some(error);
            }
        };
        let sent = match &decision {
            Decision::KeepBack => Ok(DeliveryState::KeptBack),
            Decision::Tell(occasion, since) => {
                attempt.occasion = *occasion;
                let notice = notice.clone().turned_into(*occasion, *since);
                // Record the problem first, in case time runs out.
                keep(&notice, false);
                let sent = async {
                    let notifier = self.notifier(name, config, cx).await?;
                    send(&*notifier, &notice, attempt).await
                };
                sent.await.map(|()| DeliveryState::Sent)
            }
        };
        keep(notice, matches!(sent, Ok(DeliveryState::Sent)));
        if let Some(error) = trouble {
            let message =
                format!("the state of notifier {name} cannot be stored: {}", error.chain());
            cx.emit(Event::warning(message));
        }
        sent
    }
}

/// What is known about a delivery when time runs out.
struct Attempt {
    occasion: Occasion,
    /// Why the last attempt failed.
    problem: Option<Error>,
}

/// Whether a notifier of this kind hears of such a thing at all.
fn hears(config: &NotifyConfig, notice: &Notice) -> bool {
    match (config.notifier.as_kind().is_monitor(), notice.occasion) {
        // The success of something else says nothing about the next backup.
        (true, Occasion::Started | Occasion::Success) => notice.subject.kind == SubjectKind::Backup,
        (false, Occasion::Started) => false,
        _ => true,
    }
}

/// Sends, and retries temporary failures.
async fn send(notifier: &dyn Notifier, notice: &Notice, attempt: &mut Attempt) -> Result<()> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = match notifier.send(notice).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let Some(pause) = pauses.next().filter(|_| error.is_retryable()) else {
            return Err(error);
        };
        let asked = error.context().find(|(name, _)| *name == "retry_after");
        let asked = asked.and_then(|(_, seconds)| seconds.parse().ok()).map(Duration::from_secs);
        attempt.problem = Some(error);
        tokio::time::sleep(asked.unwrap_or(pause).min(LONGEST_PAUSE)).await;
    }
}

/// The notice about the beginning of a run, sent in parallel with the run so that it does not delay
/// it.
pub(crate) async fn beside<T>(
    work: impl Future<Output = T>,
    telling: impl Future<Output = Vec<Delivery>>,
) -> T {
    futures_util::future::join(work, telling).await.0
}
