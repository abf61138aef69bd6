//! Getting a notice to everybody who wants it: once, tried again, and never for long.

use std::time::Duration;

use futures_util::future::join_all;
use seaworthy_core::{Context, Error, ErrorKind, Event, Name, Result};
use serde::Serialize;

use super::{Notice, Notifier, Occasion, SubjectKind, memory::Decision, memory::Memory};
use crate::{Seaworthy, config::NotifyConfig};

/// How long telling one of them may take, where the file does not say.
const LIMIT: Duration = Duration::from_secs(30);

/// After how long it is told again, where the file does not say.
const REPEAT: Duration = Duration::from_secs(86_400);

/// How long the tries wait for each other.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];

/// The longest pause that a service can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What became of a notice for one notifier.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Delivery {
    /// The notifier.
    pub notifier: Name,
    /// What it was told of.
    pub occasion: Occasion,
    /// What became of it.
    pub state: DeliveryState,
    /// Why it could not be told.
    pub error: Option<String>,
}

/// What became of a notice for one notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryState {
    /// It was told.
    Sent,
    /// It was told before.
    KeptBack,
    /// It could not be told.
    Failed,
}

impl Delivery {
    /// What nobody asked for is nothing to speak of.
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
    /// Tells those who want to know. It never fails: who cannot be told becomes a warning.
    ///
    /// An `overdue` or an `expiring` thing is told here too, by whoever finds it out; a `success` of
    /// the same subject says that it is over.
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
                    cx.emit(Event::warning(format!("{name} could not be told: {why}")));
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

    /// Who is told about the subject of `notice`.
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
            // A full disk is just what has to be told.
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
                // Noted first that it is wrong, in case time runs out.
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
            let message = format!("what {name} was told cannot be remembered: {}", error.chain());
            cx.emit(Event::warning(message));
        }
        sent
    }
}

/// What is known of a delivery when time runs out.
struct Attempt {
    occasion: Occasion,
    /// Why the last try failed.
    problem: Option<Error>,
}

/// Whether a notifier of this kind hears of such a thing at all.
fn hears(config: &NotifyConfig, notice: &Notice) -> bool {
    match (config.notifier.as_kind().is_monitor(), notice.occasion) {
        // That a check of something else went well says nothing about the next backup.
        (true, Occasion::Started | Occasion::Success) => notice.subject.kind == SubjectKind::Backup,
        (false, Occasion::Started) => false,
        _ => true,
    }
}

/// Sends, and tries again what may pass.
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

/// The beginning of a run, told beside the run itself so that it holds nothing up.
pub(crate) async fn beside<T>(
    work: impl Future<Output = T>,
    telling: impl Future<Output = Vec<Delivery>>,
) -> T {
    futures_util::future::join(work, telling).await.0
}
