//! The saved state of an order, so that the next run continues where this one stopped, and removes
//! what it left.

use seaworthy_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::{CertificateRequest, Challenge, ChallengeSolver, Identifier};

/// One order.
#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    directory: String,
    order: String,
    names: Vec<Identifier>,
    /// Answers to challenges that may still be published.
    #[serde(default)]
    answers: Vec<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    name: Identifier,
    token: String,
    key_authorization: String,
}

impl Note {
    /// The order at `order`, for which `answers` are about to be published.
    pub(super) fn new(
        directory: &str,
        order: &str,
        names: &[Identifier],
        answers: &[Challenge],
    ) -> Self {
        let answer = |challenge: &Challenge| Answer {
            name: challenge.identifier().clone(),
            token: challenge.token().to_owned(),
            key_authorization: challenge.key_authorization().to_owned(),
        };
        Self {
            directory: directory.to_owned(),
            order: order.to_owned(),
            names: names.to_vec(),
            answers: answers.iter().map(answer).collect(),
        }
    }

    /// The note of an earlier run. If it cannot be read, a new order is started.
    pub(super) fn read(request: &CertificateRequest) -> Result<Option<Self>> {
        let Some(journal) = &request.journal else { return Ok(None) };
        Ok(journal.read()?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Saves it durably, if `request` has a journal.
    pub(super) fn write(&self, request: &CertificateRequest) -> Result<()> {
        let Some(journal) = &request.journal else { return Ok(()) };
        let text = serde_json::to_string(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "acme.note", e.to_string()))?;
        journal.write(Some(&text))
    }

    /// Removes the note.
    pub(super) fn remove(request: &CertificateRequest) -> Result<()> {
        request.journal.as_ref().map_or(Ok(()), |journal| journal.write(None))
    }

    /// The order, if it is one at `directory` for exactly `names`.
    pub(super) fn order_for(&self, directory: &str, names: &[Identifier]) -> Option<&str> {
        (self.directory == directory && self.names == names).then_some(&*self.order)
    }

    /// Removes the answers of a run that was killed or dropped while they were published.
    pub(super) async fn tidy(&self, solver: &dyn ChallengeSolver) {
        for answer in &self.answers {
            let (token, value) = (&answer.token, &answer.key_authorization);
            let Ok(challenge) = Challenge::new(answer.name.clone(), token, value) else { continue };
            if let Err(error) = solver.cleanup(&challenge).await {
                tracing::warn!("{}: cannot clean up: {}", answer.name, error.chain());
            }
        }
    }
}
