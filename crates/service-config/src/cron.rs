//! cron: a file for `/etc/cron.d`, for machines without systemd.

use std::collections::BTreeMap;

use seaworthy_core::{
    ConfigRenderer, Error, ErrorKind, FileSet, Origin, RenderedFile, Result, Schedule, TimeZone,
};

use crate::{
    calendar::crontab_fields,
    model::{Services, text::no_control},
    shell,
    systemd::HEADER,
};

/// The longest line that crons read.
const LONGEST: usize = 990;

/// Renders the schedules of [`Services`] as a file for `/etc/cron.d`. cron keeps nothing running:
/// the services themselves need systemd or PM2.
#[derive(Clone, Debug)]
pub struct CronRenderer {
    machine: TimeZone,
}

impl CronRenderer {
    /// For a machine in the time zone `machine`: cron does not support another one.
    pub fn new(machine: TimeZone) -> Self {
        Self { machine }
    }

    fn line(
        &self,
        model: &Services,
        schedule: &Schedule,
        arguments: &[&str],
        origin: &Origin,
    ) -> Result<String> {
        let fail = |kind, message: String| Error::new(kind, "service.render", message).at(origin);
        let zone = model.time_zone.as_ref().unwrap_or(&self.machine);
        // The minutes of the hour are the same in nearly every zone: a schedule for all hours is
        // right.
        let all_day = schedule.to_string().split_ascii_whitespace().skip(1).all(|f| f == "*");
        if zone.name() != self.machine.name() && !all_day {
            let message = format!(
                "cron uses the machine's time zone ({}), but the file says {}",
                self.machine.name().unwrap_or("unknown"),
                zone.name().unwrap_or("another")
            );
            return Err(fail(ErrorKind::Unsupported, message)
                .remedy_is("set the machine's time zone, or use systemd"));
        }
        let fields = crontab_fields(schedule).map_err(|error| error.at(origin))?;
        let words = shell::words(&model.program).chain(arguments.iter().copied());
        let command = shell::line(words);
        no_control(&command).map_err(|why| fail(ErrorKind::InvalidInput, why.to_owned()))?;
        // A bare percent sign ends the command and begins its input.
        let line = format!("{fields} root {}", command.replace('%', r"\%"));
        if line.len() > LONGEST {
            return Err(fail(ErrorKind::Unsupported, "the line is too long for cron".to_owned()));
        }
        Ok(line)
    }
}

impl ConfigRenderer for CronRenderer {
    type Model = Services;

    fn render(&self, model: &Services) -> Result<FileSet> {
        model.check()?;
        let mut text = String::from(HEADER);
        text.push_str(
            "SHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        );
        let mut lines = BTreeMap::new();
        let mut add = |line: String, origin: &Origin| {
            lines.insert(text.lines().count() + 1, origin.clone());
            text.push_str(&line);
            // Without a newline at the end cron ignores the last line.
            text.push('\n');
        };
        for (name, service) in model.services.iter() {
            let Some(schedule) = &service.restart_schedule else { continue };
            let origin = Origin::new("service").field(name).field("restart_schedule");
            let arguments = ["service", "restart", name.as_str()];
            add(self.line(model, schedule, &arguments, &origin)?, &origin);
        }
        if let Some(runner) = &model.runner {
            let origin = Origin::default();
            add(self.line(model, &runner.schedule, &["run", "--quiet"], &origin)?, &origin);
        }
        let mut files = FileSet::new();
        // cron ignores files whose names have a dot.
        files.insert("seaworthy", RenderedFile::new(text, Origin::default()).with_lines(lines))?;
        Ok(files)
    }
}
