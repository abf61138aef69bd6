//! Output of `init`.

use std::io::{self, Write};

use seaworthy::init::InitResult;

use super::{Page, Report};
use crate::terminal::one_line;

impl Report for InitResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for note in &self.found.notes {
            writeln!(out, "not read: {}", one_line(note))?;
        }
        for part in &self.parts {
            if let Some(words) = part.in_words(&self.found) {
                writeln!(out, "found {}", one_line(&words))?;
            }
        }
        writeln!(out, "wrote {}: read it, then `seaworthy config check`", self.file.display())
    }
}
