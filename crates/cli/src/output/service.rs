//! Output of the service commands.

use std::io::{self, Write};

use seaworthy::{
    command::{
        DeployResult, ServiceApplied, ServiceApplyResult, ServiceChange, ServiceCheckResult,
        ServiceDiffResult, ServiceRenderResult, ServiceStatusResult, ServiceVerb,
        ServiceVerbResult,
    },
    service_config::ServiceStatus,
};

use super::{Page, Report, count, size};

impl Report for ServiceRenderResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        if let Some(folder) = &self.folder {
            return writeln!(
                out,
                "wrote {} to {}",
                count(self.files.len(), "file"),
                folder.display()
            );
        }
        for (i, (path, text)) in self.files.iter().enumerate() {
            let gap = if i > 0 { "\n" } else { "" };
            write!(out, "{gap}==> {path} <==\n{text}")?;
        }
        Ok(())
    }
}

impl Report for ServiceCheckResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        writeln!(out, "{} would be accepted", count(self.files.len(), "file"))
    }
}

impl Report for ServiceDiffResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        if self.changes.is_empty() {
            return writeln!(out, "nothing differs");
        }
        changes(&self.changes, out)
    }
}

impl Report for ServiceApplyResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let said = match self.state {
            ServiceApplied::Unchanged => "nothing to do",
            ServiceApplied::WouldChange => "this would change:",
            _ => "the services are installed and healthy",
        };
        writeln!(out, "{said}")?;
        match self.state {
            ServiceApplied::WouldChange => changes(&self.changes, out),
            _ => {
                for change in &self.changes {
                    writeln!(out, "  {:<8} {}", change.change, change.path)?;
                }
                Ok(())
            }
        }
    }
}

fn changes(changes: &[ServiceChange], out: &mut Page) -> io::Result<()> {
    for change in changes {
        let by_hand = if change.edited_by_hand { ", edited by hand" } else { "" };
        writeln!(out, "{} ({}{by_hand})", change.path, change.change)?;
        out.write_all(change.diff.as_bytes())?;
    }
    Ok(())
}

impl Report for ServiceVerbResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let done = match self.done {
            ServiceVerb::Start => "started",
            ServiceVerb::Stop => "stopped",
            _ => "restarted",
        };
        writeln!(out, "{done} {}", self.status.service)?;
        if self.done == ServiceVerb::Stop { Ok(()) } else { status(&self.status, out) }
    }
}

impl Report for ServiceStatusResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        for service in &self.services {
            let well = if service.is_well() { "well" } else { "NOT healthy" };
            writeln!(out, "{} is {well}", service.service)?;
            status(service, out)?;
        }
        Ok(())
    }
}

fn status(service: &ServiceStatus, out: &mut Page) -> io::Result<()> {
    let width = service.instances.iter().map(|i| i.unit.len()).max().unwrap_or(0);
    for instance in &service.instances {
        write!(out, "  {:<width$}  {:<8}", instance.unit, instance.state)?;
        if let Some(address) = instance.address {
            write!(out, "  {address}")?;
        }
        if let Some(process) = instance.process {
            write!(out, "  process {process}")?;
        }
        if let Some(memory) = instance.memory {
            write!(out, "  {}", size(memory))?;
        }
        if instance.restarts > 0 {
            write!(out, "  {}", count(instance.restarts, "restart"))?;
        }
        match &instance.why {
            Some(why) => writeln!(out, "  {why}")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

impl Report for DeployResult {
    fn write(&self, out: &mut Page) -> io::Result<()> {
        let deployed = &self.deployed;
        write!(out, "{} runs release {}", deployed.service, deployed.release)?;
        match &deployed.before {
            Some(before) => writeln!(out, ", before {before}")?,
            None => writeln!(out, ", its first")?,
        }
        for removed in &deployed.removed {
            writeln!(out, "  removed {removed}")?;
        }
        Ok(())
    }
}
