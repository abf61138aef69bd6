//! Asking before something is replaced.

use std::io::{BufRead, IsTerminal, Write};

use seaworthy::{
    command::RestoreIntent,
    core::{Error, ErrorKind, Result},
};

use crate::terminal::neutral;

/// Asks on the terminal whether the restore may go on; without a terminal it may not.
pub(crate) fn confirm(intent: &RestoreIntent, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        let message = "a restore in place replaces data, and there is no terminal to ask on";
        return Err(Error::new(ErrorKind::InvalidInput, "restore.confirm", message)
            .remedy_is("say --yes, or restore to another place with --to"));
    }
    let mut text = format!("Restoring {}@{} replaces:\n", intent.job, intent.id);
    for place in &intent.places {
        text.push_str(&format!("  {place}\n"));
    }
    for command in &intent.before {
        text.push_str(&format!("first it runs: {command}\n"));
    }
    text.push_str("What is there now is kept beside it. Go on? [y/N] ");
    let fail = |e| Error::io("restore.confirm", "cannot ask on the terminal", e);
    stderr.write_all(neutral(&text).as_bytes()).and_then(|()| stderr.flush()).map_err(fail)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(fail)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Cancelled, "restore.confirm", "not confirmed: nothing was changed"))
}
