//! Output of `apply`.

use std::io::{self, Write};

use seaworthy::command::{ApplyResult, ApplyStep, StepKind, StepState};

use super::{Page, Report, count};
use crate::terminal::one_line;

impl Report for ApplyResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        self.steps.iter().try_for_each(|step| write_step(step, self.dry_run, out))?;
        let planned = self.steps.iter().any(|step| step.state == StepState::WouldChange);
        match self.dry_run {
            true if planned => writeln!(out, "nothing was changed: this was a dry run"),
            true => writeln!(out, "nothing would change"),
            false => Ok(()),
        }
    }
}

fn write_step(step: &ApplyStep, dry_run: bool, out: &mut Page) -> io::Result<()> {
    let state = match step.state {
        StepState::Unchanged => "nothing to do",
        StepState::Changed => "done",
        StepState::WouldChange => "would change",
        StepState::Failed => "FAILED",
        _ => "rolled back",
    };
    let what = match step.kind {
        StepKind::Folders => "folders",
        StepKind::Placeholders => "placeholders",
        StepKind::Proxy => "web server",
        StepKind::Certificates => "certificates",
        _ => "services",
    };
    writeln!(out, "{what}: {state}")?;
    for note in &step.notes {
        writeln!(out, "  {}", one_line(note))?;
    }
    if !dry_run {
        if !step.files.is_empty() {
            writeln!(out, "  {}", count(step.files.len() as u64, "file"))?;
        }
        return Ok(());
    }
    for file in &step.files {
        writeln!(out, "  {:<8} {}", file.change, file.path.display())?;
        for line in file.diff.lines() {
            writeln!(out, "    {line}")?;
        }
    }
    for command in &step.commands {
        writeln!(out, "  runs     {}", one_line(command))?;
    }
    Ok(())
}
