//! Certificates, sites, services and disks of this machine.

use std::fmt::{Result, Write};

use seaworthy_core::{Span, TimeZone, Timestamp};

use super::words::{Escaped, Look, count, day, pill, size, time};
use crate::status::{CertificateStatus, DiskStatus, ServiceState, SiteStatus, Status};

/// How far back validity periods are drawn, in days.
const BACK: u16 = 60;

pub(super) fn write(status: &Status, zone: &TimeZone, out: &mut String) -> Result {
    write_certificates(status, zone, out)?;
    if !status.sites.is_empty() {
        open("sites", "Sites", out)?;
        out.push_str("<div class=\"card\"><ul class=\"rows\">");
        status.sites.iter().try_for_each(|site| write_site(site, out))?;
        out.push_str("</ul></div></section>\n");
    }
    if !status.services.is_empty() {
        open("services", "Services", out)?;
        out.push_str("<div class=\"card\"><ul class=\"rows\">");
        status.services.iter().try_for_each(|service| write_service(service, out))?;
        out.push_str("</ul></div></section>\n");
    }
    if !status.disks.is_empty() {
        open("disks", "Disks", out)?;
        out.push_str("<div class=\"grid\">");
        status.disks.iter().try_for_each(|disk| write_disk(disk, out))?;
        out.push_str("</div></section>\n");
    }
    Ok(())
}

fn open(id: &str, title: &str, out: &mut String) -> Result {
    writeln!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>")
}

/// The time range of the validity chart.
struct Axis {
    from: Timestamp,
    seconds: f64,
}

impl Axis {
    fn new(status: &Status) -> Self {
        let back = status.time.minus(Span::days(BACK), &TimeZone::utc());
        let ends = status.certificates.iter().filter_map(|c| c.not_after);
        let end = ends.max().unwrap_or(status.time).max(status.time);
        Self { from: back, seconds: (end.since(back).as_secs() as f64).max(1.0) }
    }

    /// The position of `time`, from 0 to 1000.
    fn at(&self, time: Timestamp) -> f64 {
        (time.since(self.from).as_secs() as f64 / self.seconds * 1_000.0).clamp(0.0, 1_000.0)
    }
}

fn write_certificates(status: &Status, zone: &TimeZone, out: &mut String) -> Result {
    if status.certificates.is_empty() {
        return Ok(());
    }
    open("certificates", "Certificates", out)?;
    out.push_str("<div class=\"card\"><div class=\"lives\">\n");
    let axis = Axis::new(status);
    for certificate in &status.certificates {
        write_life(certificate, &axis, status.time, zone, out)?;
    }
    out.push_str(
        "</div>\n<ul class=\"legend\" aria-hidden=\"true\"><li><i \
         style=\"background:var(--bar);opacity:.3\"></i>elapsed</li><li><i \
         style=\"background:var(--bar)\"></i>remaining</li><li><i \
         style=\"background:var(--good)\"></i>renewal</li><li><i \
         style=\"background:var(--ink)\"></i>now</li></ul>\n",
    );
    write_table(status, zone, out)?;
    out.push_str("</div></section>\n");
    Ok(())
}

fn write_life(
    certificate: &CertificateStatus,
    axis: &Axis,
    now: Timestamp,
    zone: &TimeZone,
    out: &mut String,
) -> Result {
    let mark = match (certificate.days_left, certificate.served) {
        (None, _) => pill(Look::Bad, "none"),
        (Some(_), Some(false)) => pill(Look::Bad, "not served"),
        (Some(days), _) if days < 7 => pill(Look::Bad, &count(days, "day")),
        (Some(days), _) => pill(Look::Good, &count(days, "day")),
    };
    write!(
        out,
        "<div class=\"life\"><p><b>{}</b><br><span class=\"soft\">{}</span></p><div class=\"bar\">",
        Escaped(certificate.name.as_str()),
        Escaped(&certificate.names.join(", "))
    )?;
    if let (Some(begin), Some(end)) = (certificate.not_before, certificate.not_after) {
        let renewal = certificate.renewal.map(|at| format!(", renewal {}", day(at, zone)));
        let label = format!(
            "{}: from {} to {}{}",
            certificate.name,
            day(begin, zone),
            day(end, zone),
            renewal.unwrap_or_default()
        );
        let (begin, end, here) = (axis.at(begin), axis.at(end), axis.at(now));
        write!(
            out,
            "<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\">\
             <rect class=\"track\" x=\"0\" y=\"5\" width=\"1000\" height=\"10\"/>\
             <rect class=\"gone\" x=\"{begin:.0}\" y=\"5\" width=\"{:.0}\" height=\"10\"/>\
             <rect class=\"rest\" x=\"{:.0}\" y=\"5\" width=\"{:.0}\" height=\"10\"/>",
            Escaped(&label),
            (here.min(end) - begin).max(0.0),
            here.max(begin),
            (end - here.max(begin)).max(0.0)
        )?;
        if let Some(at) = certificate.renewal {
            let at = axis.at(at);
            write!(
                out,
                "<rect class=\"renew\" x=\"{:.0}\" y=\"1\" width=\"7\" height=\"18\"/>",
                at
            )?;
        }
        write!(
            out,
            "<rect class=\"now\" x=\"{:.0}\" y=\"0\" width=\"3\" height=\"20\"/></svg>",
            here.min(997.0)
        )?;
    }
    writeln!(out, "</div><p class=\"end\">{mark}</p></div>")
}

/// What the bars show, as text.
fn write_table(status: &Status, zone: &TimeZone, out: &mut String) -> Result {
    out.push_str(
        "<details><summary>The certificates as figures</summary>\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Certificates as figures\"><table>\
         <thead><tr><th scope=\"col\">Certificate</th><th scope=\"col\">From</th>\
         <th scope=\"col\">To</th><th scope=\"col\">Renewal</th><th scope=\"col\">Served</th>\
         <th scope=\"col\">Issuer</th></tr></thead><tbody>",
    );
    for certificate in &status.certificates {
        let moment = |at: Option<Timestamp>| at.map_or("–".to_owned(), |at| time(at, zone));
        let served = match certificate.served {
            None => "not checked",
            Some(true) => "yes",
            Some(false) => "no",
        };
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{served}</td><td>{}</td></tr>",
            Escaped(certificate.name.as_str()),
            moment(certificate.not_before),
            moment(certificate.not_after),
            moment(certificate.renewal),
            Escaped(certificate.issuer.as_deref().unwrap_or("–"))
        )?;
    }
    out.push_str("</tbody></table></div></details>\n");
    Ok(())
}

fn write_site(site: &SiteStatus, out: &mut String) -> Result {
    let (look, mut text) = match (site.well, site.code) {
        (true, Some(code)) => (Look::Good, code.to_string()),
        (true, None) => (Look::Good, "answers".to_owned()),
        (false, Some(code)) => (Look::Bad, code.to_string()),
        (false, None) => (Look::Bad, "no result".to_owned()),
    };
    let _ = write!(text, " · {} ms", site.milliseconds);
    let scheme = if site.tls { "https" } else { "http" };
    write!(
        out,
        "<li><span><b>{}</b> <span class=\"soft\">{scheme}, site {}</span>",
        Escaped(&site.host),
        Escaped(site.site.as_str())
    )?;
    if let Some(why) = &site.why {
        write!(out, "<br>{}", Escaped(why))?;
    }
    write!(out, "</span>{}</li>", pill(look, &text))
}

fn write_service(service: &ServiceState, out: &mut String) -> Result {
    let well = service.instances.iter().filter(|instance| instance.well).count();
    let of = format!("{well} of {}", count(service.instances.len() as u64, "instance"));
    let memory: u64 = service.instances.iter().filter_map(|instance| instance.memory).sum();
    let restarts: u64 = service.instances.iter().map(|instance| instance.restarts).sum();
    write!(out, "<li><span><b>{}</b> <span class=\"soft\">", Escaped(service.service.as_str()))?;
    if memory > 0 {
        write!(out, "{}", size(memory))?;
    }
    if restarts > 0 {
        write!(out, " · {}", count(restarts, "restart"))?;
    }
    out.push_str("</span>");
    let whys = service.instances.iter().filter_map(|instance| {
        instance.why.as_ref().map(|why| format!("{}: {why}", instance.unit))
    });
    let error = service.error.iter().map(|error| error.message.clone());
    for why in error.chain(whys) {
        write!(out, "<br>{}", Escaped(&why))?;
    }
    let mark = match (&service.error, service.well) {
        (Some(_), _) => pill(Look::Warn, "unknown"),
        (None, true) => pill(Look::Good, &of),
        (None, false) => pill(Look::Bad, &of),
    };
    write!(out, "</span>{mark}</li>")
}

fn write_disk(disk: &DiskStatus, out: &mut String) -> Result {
    let total = (disk.total as f64).max(1.0);
    let part = |bytes: u64| bytes as f64 / total * 1_000.0;
    let ours = part(disk.snapshots.min(disk.total));
    let used = part(disk.total.saturating_sub(disk.free));
    let mark = match disk.full_in_days {
        Some(days) if days <= 14 => pill(Look::Bad, &format!("full in {}", count(days, "day"))),
        Some(days) => pill(Look::Warn, &format!("full in {}", count(days, "day"))),
        None => pill(Look::Good, &format!("{} free", size(disk.free))),
    };
    let label = format!(
        "{} of {} used, {} of it by snapshots",
        size(disk.total.saturating_sub(disk.free)),
        size(disk.total),
        size(disk.snapshots)
    );
    let folders: Vec<_> = disk.folders.iter().map(|f| f.display().to_string()).collect();
    write!(
        out,
        "<div class=\"card disk\"><div class=\"head\"><h3>{} disk</h3>{mark}</div>\
         <svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\">\
         <rect class=\"track\" width=\"1000\" height=\"10\"/>\
         <rect class=\"used\" width=\"{used:.0}\" height=\"10\"/>\
         <rect class=\"rest\" width=\"{ours:.0}\" height=\"10\"/></svg><p>{}",
        size(disk.total),
        Escaped(&label),
        Escaped(&label)
    )?;
    if let Some(growth) = disk.growth {
        let sign = if growth < 0 { "−" } else { "+" };
        write!(out, "; {sign}{} in 30 days", size(growth.unsigned_abs()))?;
    }
    writeln!(out, "</p><p class=\"soft\">{}</p></div>", Escaped(&folders.join(", ")))
}
