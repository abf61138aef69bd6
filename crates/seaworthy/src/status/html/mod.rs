//! The document as one page: it loads nothing and runs no script.

mod backups;
mod chart;
mod machine;
mod words;

use std::fmt::{Result, Write};

use seaworthy_core::TimeZone;

use self::words::{Escaped, Look, pill, time};
use super::{Severity, Status, ago};

const STYLE: &str = include_str!("style.css");

impl Status {
    /// The document as one HTML page with its style and its charts. Times are in `zone`.
    pub fn html(&self, zone: &TimeZone) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_page(zone, &mut page);
        page
    }

    fn write_page(&self, zone: &TimeZone, out: &mut String) -> Result {
        let name = self.host_name.as_deref().unwrap_or(&self.host);
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; img-src data:\">\n\
             <link rel=\"icon\" href=\"data:,\">\n\
             <title>{0} · Seaworthy status</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">To the content</a>\n",
            Escaped(name)
        )?;
        out.push_str("<div class=\"wide\">\n");
        self.write_header(name, zone, out)?;
        out.push_str("<main id=\"main\">\n");
        self.write_tiles(out)?;
        self.write_findings(out)?;
        backups::write(self, zone, out)?;
        machine::write(self, zone, out)?;
        write!(
            out,
            "</main>\n<footer>Made by Seaworthy {} at {}. The page shows the state at that \
             time: it does not update itself.</footer>\n</div>\n</body>\n</html>\n",
            Escaped(&self.version),
            time(self.time, zone)
        )
    }

    fn write_header(&self, name: &str, zone: &TimeZone, out: &mut String) -> Result {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let verdict = match (errors, warnings) {
            (0, 0) => pill(Look::Good, "All is well"),
            (0, n) => pill(Look::Warn, &words::count(n as u64, "warning")),
            (n, 0) => pill(Look::Bad, &words::count(n as u64, "error")),
            (n, more) => {
                let (n, more) = (n as u64, more as u64);
                let both = [words::count(n, "error"), words::count(more, "warning")];
                pill(Look::Bad, &both.join(", "))
            }
        };
        writeln!(
            out,
            "<header>\n<div class=\"top\"><div><h1>{}</h1><p>as of {}</p></div>{}</div>",
            Escaped(name),
            time(self.time, zone),
            verdict.replacen("class=\"pill", "class=\"pill verdict", 1)
        )?;
        let parts = [
            ("findings", "Findings", !self.findings.is_empty()),
            ("backups", "Backups", !self.jobs.is_empty()),
            ("certificates", "Certificates", !self.certificates.is_empty()),
            ("sites", "Sites", !self.sites.is_empty()),
            ("services", "Services", !self.services.is_empty()),
            ("disks", "Disks", !self.disks.is_empty()),
        ];
        out.push_str("<nav aria-label=\"Parts of this page\"><ul>");
        for (id, title, _) in parts.iter().filter(|(.., there)| *there) {
            write!(out, "<li><a href=\"#{id}\">{title}</a></li>")?;
        }
        out.push_str("</ul></nav>\n</header>\n");
        Ok(())
    }

    /// The key figures.
    fn write_tiles(&self, out: &mut String) -> Result {
        out.push_str("<dl class=\"tiles\">\n");
        let mut tile = |name: &str, value: String, note: String| {
            writeln!(
                out,
                "<div class=\"tile\"><dt>{name}</dt><dd>{value}<small>{}</small></dd></div>",
                Escaped(&note)
            )
        };
        let oldest = self
            .jobs
            .iter()
            .filter_map(|job| Some((job.sinks.first()?.age?, job)))
            .max_by_key(|(age, _)| *age);
        if let Some((age, job)) = oldest {
            let note = match self.jobs.len() {
                1 => job.job.to_string(),
                n => format!("{}, the oldest of {n} jobs", job.job),
            };
            tile("Last good backup", format!("{} ago", ago(age)), note)?;
        }
        let drills = self.jobs.iter().flat_map(|job| &job.sinks);
        let drill = drills.filter_map(|sink| sink.last_drill.as_ref()).min_by_key(|d| d.age);
        if let Some(drill) = drill {
            tile("Last drill", format!("{} ago", ago(drill.age)), drill.outcome.clone())?;
        }
        let ends = self.certificates.iter().filter_map(|c| Some((c.days_left?, &c.name)));
        if let Some((days, name)) = ends.min() {
            tile("Certificate expires in", words::count(days, "day"), name.to_string())?;
        }
        if !self.sites.is_empty() {
            let well = self.sites.iter().filter(|site| site.well).count();
            let value = format!("{well} of {}", self.sites.len());
            tile("Hosts responding", value, "checked just now".to_owned())?;
        }
        if !self.services.is_empty() {
            let well = self.services.iter().filter(|service| service.well).count();
            let value = format!("{well} of {}", self.services.len());
            tile("Services healthy", value, "checked just now".to_owned())?;
        }
        if let Some(disk) = self.disks.iter().min_by_key(|disk| disk.free) {
            let full = match disk.full_in_days {
                Some(days) => format!("full in {}", words::count(days, "day")),
                None => "for 90 days and more".to_owned(),
            };
            let full = if disk.growth.is_some() { full } else { String::new() };
            tile("Free disk space", words::size(disk.free), full)?;
        }
        out.push_str("</dl>\n");
        Ok(())
    }

    fn write_findings(&self, out: &mut String) -> Result {
        if self.findings.is_empty() {
            return Ok(());
        }
        out.push_str(
            "<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Findings</h2>\n\
             <ul class=\"findings\">\n",
        );
        for finding in &self.findings {
            let word = finding.severity.name();
            let look = match finding.severity {
                Severity::Error => Look::Bad,
                Severity::Warning => Look::Warn,
                Severity::Notice => Look::Note,
            };
            write!(
                out,
                "<li class=\"is-{word}\"><div class=\"head\"><strong>{}</strong>{}</div><p>{}</p>",
                Escaped(&finding.subject),
                pill(look, word),
                Escaped(&finding.message)
            )?;
            if let Some(remedy) = &finding.remedy {
                write!(out, "<p class=\"soft\">{}</p>", words::with_code(remedy))?;
            }
            out.push_str("</li>\n");
        }
        out.push_str("</ul>\n</section>\n");
        Ok(())
    }
}
