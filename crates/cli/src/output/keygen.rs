//! Output of `keygen`.

use std::io::{self, Write};

use seaworthy::command::KeygenResult;

use super::{Page, Report};

/// Only the public key if the secret key went to a file, so that scripts can use it.
impl Report for KeygenResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        match &self.secret {
            None => writeln!(out, "{}", self.public),
            Some(secret) if secret.contains(&self.public) => write!(out, "{secret}"),
            Some(secret) => writeln!(out, "{secret}public key: {}", self.public),
        }
    }
}
