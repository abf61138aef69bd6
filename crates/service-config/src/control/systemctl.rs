//! The program `systemctl`.

use std::{collections::BTreeMap, time::Duration};

use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Result};

/// No call takes longer than a service may take to stop and start, plus a margin.
const LIMIT: Duration = Duration::from_secs(1_200);

/// Runs `systemctl`, or a replacement for tests.
#[derive(Clone, Debug)]
pub struct Systemctl {
    command: CommandLine,
}

impl Systemctl {
    /// Calls `command` with the arguments of systemctl(1).
    pub fn new(command: CommandLine) -> Self {
        Self { command }
    }

    /// Its standard output.
    pub(crate) async fn run(&self, arguments: &[&str], cx: &Context) -> Result<String> {
        let own = self.command.arguments().iter().map(String::as_str);
        let words = std::iter::once(self.command.program()).chain(own);
        let command = CommandLine::new(words.chain(arguments.iter().copied()))?;
        let output = command.run(cx, Some(LIMIT)).await.map_err(|error| {
            // The last word names the unit.
            let unit = arguments.last().copied().unwrap_or_default();
            match error.kind() {
                ErrorKind::Command if unit.contains('.') => {
                    let remedy = format!("`journalctl -u {unit} -n 50` may show why");
                    Error::new(ErrorKind::Command, "service.systemctl", error.to_string())
                        .caused_by(error)
                        .remedy_is(remedy)
                }
                _ => error,
            }
        })?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    /// Whether `unit` is active.
    pub(crate) async fn is_active(&self, unit: &str, cx: &Context) -> Result<bool> {
        let state = self.show(unit, &["ActiveState"], cx).await?;
        Ok(state.get("ActiveState").is_some_and(|state| state == "active"))
    }

    /// Properties of `unit`.
    pub(crate) async fn show(
        &self,
        unit: &str,
        properties: &[&str],
        cx: &Context,
    ) -> Result<BTreeMap<String, String>> {
        let properties = format!("--property={}", properties.join(","));
        let text = self.run(&["show", &properties, "--", unit], cx).await?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

impl Default for Systemctl {
    fn default() -> Self {
        let command = CommandLine::new(["systemctl"]);
        Self { command: command.unwrap_or_else(|_| unreachable!("it has a program")) }
    }
}
