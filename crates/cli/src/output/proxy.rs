//! Output of the `proxy` commands.

use std::io::{self, Write};

use seaworthy::command::{
    ApplyState, ChosenPool, FileChange, HowChanged, LeftOut, LintFinding, ProxyApplyResult,
    ProxyCheckResult, ProxyDiffResult, ProxyRenderResult, ProxySwitchResult,
};

use super::{Page, Report, count};
use crate::terminal::one_line;

impl Report for ProxyRenderResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        if let Some(folder) = &self.out {
            let files = count(self.files.len(), "file");
            writeln!(out, "{files} for nginx {} in {}", self.nginx, folder.display())?;
            for file in &self.files {
                writeln!(out, "  {}", file.path)?;
            }
            return write_chosen(&self.chosen, out);
        }
        for (i, file) in self.files.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            writeln!(out, "#### {}", file.path)?;
            out.write_all(file.content.as_bytes())?;
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        warnings(&self.findings)
    }
}

impl Report for ProxyCheckResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for refused in &self.refused {
            write_left_out(refused, "refused", out)?;
        }
        for finding in &self.findings {
            let message = one_line(&finding.message);
            writeln!(out, "{}: {message} ({})", finding.field, finding.rule)?;
        }
        if self.accepted {
            let (sites, findings) =
                (count(self.sites, "site"), count(self.findings.len(), "finding"));
            writeln!(out, "nginx {} accepts {sites}, {findings}", self.nginx)?;
        }
        Ok(())
    }
}

impl Report for ProxyDiffResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for change in &self.changes {
            write_change(change, out)?;
            write!(out, "{}", change.diff)?;
        }
        if let Some(obstacle) = &self.obstacle {
            writeln!(out, "{}", obstacle.message)?;
            if let Some(remedy) = &obstacle.remedy {
                writeln!(out, "  {remedy}")?;
            }
        }
        if self.changes.is_empty() && self.obstacle.is_none() {
            writeln!(out, "the live files match the configuration")?;
        }
        write_chosen(&self.chosen, out)
    }
}

impl Report for ProxyApplyResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let words = match self.state {
            ApplyState::Unchanged => "nothing to do: these files are already live",
            ApplyState::Changed => "live and proved",
            ApplyState::WouldChange => "nginx accepts the files; these would change",
            _ => "done",
        };
        match &self.live {
            Some(folder) if self.state != ApplyState::WouldChange => {
                writeln!(out, "{words}: {}", folder.display())?;
            }
            _ => writeln!(out, "{words}")?,
        }
        for change in &self.changes {
            write_change(change, out)?;
        }
        for left_out in &self.left_out {
            write_left_out(left_out, "left out", out)?;
        }
        write_chosen(&self.chosen, out)
    }

    fn warnings(&self) -> Vec<String> {
        warnings(&self.findings)
    }
}

impl Report for ProxySwitchResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let Self { site, upstream, from, to, drained, .. } = self;
        writeln!(out, "site {site}: upstream {upstream} now uses pool {to}, not {from}")?;
        if *drained {
            writeln!(out, "  {from} is no longer used")?;
        }
        Ok(())
    }
}

fn warnings(findings: &[LintFinding]) -> Vec<String> {
    let line = |finding: &LintFinding| {
        let LintFinding { field, message, rule, .. } = finding;
        format!("{field}: {message} ({rule})")
    };
    findings.iter().map(line).collect()
}

fn write_change(change: &FileChange, out: &mut Page) -> io::Result<()> {
    let verb = match change.change {
        HowChanged::Added => "add",
        HowChanged::Removed => "remove",
        HowChanged::Changed => "change",
        _ => "keep",
    };
    let edited = if change.edited_by_hand { "  (edited by hand)" } else { "" };
    writeln!(out, "  {verb:<7} {}{edited}", change.path)
}

fn write_left_out(left_out: &LeftOut, verb: &str, out: &mut Page) -> io::Result<()> {
    let first = left_out.error.message.lines().next().unwrap_or_default();
    writeln!(out, "  {verb} {}: {}", left_out.site, one_line(first))
}

fn write_chosen(chosen: &[ChosenPool], out: &mut Page) -> io::Result<()> {
    for ChosenPool { upstream, in_file, in_use, since, .. } in chosen {
        writeln!(
            out,
            "  upstream {upstream} uses {in_use} since {}; the file names {in_file}",
            out.time(*since)
        )?;
    }
    Ok(())
}
