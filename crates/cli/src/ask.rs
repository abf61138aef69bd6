//! Asking before something is replaced.

use std::{
    io::{BufRead, IsTerminal, Write},
    path::Path,
};

use seaworthy::{
    command::RestoreIntent,
    core::{Error, ErrorKind, Result},
    init::{Found, InitPart},
};

use crate::terminal::neutral;

/// Asks on the terminal which parts of what was found to put in the new file; without a terminal
/// all of them must be requested with a flag.
pub(crate) fn parts(found: &Found, file: &Path, yes: bool) -> Result<Vec<InitPart>> {
    if yes {
        return Ok(InitPart::ALL.to_vec());
    }
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        let message = "there is no terminal to ask on";
        return Err(Error::new(ErrorKind::InvalidInput, "init.ask", message)
            .remedy_is("use --yes to include everything that is found"));
    }
    let fail = |e| Error::io("init.ask", "cannot ask on the terminal", e);
    let mut ask = |text: &str| -> Result<String> {
        stderr.write_all(neutral(text).as_bytes()).and_then(|()| stderr.flush()).map_err(fail)?;
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer).map_err(fail)?;
        Ok(answer.trim().to_lowercase())
    };
    let mut wanted = Vec::new();
    for part in InitPart::ALL {
        let Some(words) = part.in_words(found) else { continue };
        let what = match part {
            InitPart::Databases => "Databases to back up",
            InitPart::Sites => "Sites of nginx",
            InitPart::Certificates => "Certificates of certbot",
            _ => "Listening programs",
        };
        if !ask(&format!("{what}: {words}\n  add to the file? [Y/n] "))?.starts_with('n') {
            wanted.push(part);
        }
    }
    match ask(&format!("Write {}? [y/N] ", file.display()))?.as_str() {
        "y" | "yes" => Ok(wanted),
        _ => {
            Err(Error::new(ErrorKind::Cancelled, "init.ask", "not confirmed: nothing was written"))
        }
    }
}

/// Asks on the terminal whether to continue the restore; without a terminal it does not.
pub(crate) fn confirm(intent: &RestoreIntent) -> Result<()> {
    let (stdin, mut stderr) = (std::io::stdin(), std::io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        let message = "a restore in place replaces data, and there is no terminal to ask on";
        return Err(Error::new(ErrorKind::InvalidInput, "restore.confirm", message)
            .remedy_is("use --yes, or restore to another place with --to"));
    }
    let mut text = format!("Restoring {}@{} replaces:\n", intent.job, intent.id);
    for place in &intent.places {
        text.push_str(&format!("  {place}\n"));
    }
    for command in &intent.before {
        text.push_str(&format!("first it runs: {command}\n"));
    }
    text.push_str("The existing data is kept next to it. Continue? [y/N] ");
    let fail = |e| Error::io("restore.confirm", "cannot ask on the terminal", e);
    stderr.write_all(neutral(&text).as_bytes()).and_then(|()| stderr.flush()).map_err(fail)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(fail)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Cancelled, "restore.confirm", "not confirmed: nothing was changed"))
}
