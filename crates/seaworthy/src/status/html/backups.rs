//! Jobs: the contents of each sink, and charts of the last backups.

use std::fmt::{Result, Write};

use seaworthy_core::TimeZone;

use super::{
    chart::Chart,
    words::{Escaped, Look, count, length, number, pill, size, time},
};
use crate::status::{JobStatus, SinkStatus, Status, ago};

pub(super) fn write(status: &Status, zone: &TimeZone, out: &mut String) -> Result {
    if status.jobs.is_empty() {
        return Ok(());
    }
    out.push_str("<section aria-labelledby=\"backups\">\n<h2 id=\"backups\">Backups</h2>\n");
    for job in &status.jobs {
        write_job(job, zone, out)?;
    }
    out.push_str("</section>\n");
    Ok(())
}

fn write_job(job: &JobStatus, zone: &TimeZone, out: &mut String) -> Result {
    write!(
        out,
        "<article class=\"card\"><div class=\"head\"><h3>{}{}</h3><span class=\"soft\">",
        Escaped(job.job.as_str()),
        Escaped(&whose(job))
    )?;
    match (&job.schedule, job.next) {
        (Some(schedule), Some(next)) => {
            write!(out, "<code>{}</code>, next {}", Escaped(schedule), time(next, zone))?;
        }
        (Some(schedule), None) => write!(out, "<code>{}</code>", Escaped(schedule))?,
        (None, _) if job.ours => out.push_str("no schedule"),
        (None, _) => {}
    }
    out.push_str("</span></div>\n");
    for sink in &job.sinks {
        write_sink(job, sink, zone, out)?;
    }
    out.push_str("</article>\n");
    Ok(())
}

/// The machine of the job, if it is not ours.
fn whose(job: &JobStatus) -> String {
    match &job.host_name {
        _ if job.ours => String::new(),
        Some(host) => format!(" of {host}"),
        None => format!(" of {}", job.host),
    }
}

fn write_sink(job: &JobStatus, sink: &SinkStatus, zone: &TimeZone, out: &mut String) -> Result {
    let role = if sink.replica { "copy" } else { "first sink" };
    writeln!(
        out,
        "<div class=\"sink\"><div class=\"head\"><div><h4>{}</h4><span class=\"soft\">{role} · {}</span></div>{}</div>",
        Escaped(sink.sink.as_str()),
        Escaped(&sink.place),
        state(sink)
    )?;
    if let Some(error) = &sink.error {
        return writeln!(out, "<p>{}</p></div>", Escaped(&error.message));
    }
    out.push_str("<dl class=\"facts\">");
    let mut fact =
        |name: &str, value: String| write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    if let (Some(good), Some(age)) = (&sink.last_good, sink.age) {
        fact("Last good backup", format!("{} ago", ago(age)))?;
        fact("Data", size(good.plain))?;
        fact("Stored", size(good.stored))?;
        match good.rows {
            Some(rows) => fact("Rows", number(rows))?,
            None => fact("Items", number(good.files))?,
        }
    }
    fact("Good backups", format!("{} of {}", sink.good, sink.snapshots))?;
    fact("All together", size(sink.stored))?;
    let check = |check: &Option<crate::status::CheckStatus>| match check {
        Some(check) => format!("{}, {} ago", Escaped(&check.outcome), ago(check.age)),
        None => "never".to_owned(),
    };
    fact("Last drill", check(&sink.last_drill))?;
    if sink.last_verify.is_some() {
        fact("Last verified", check(&sink.last_verify))?;
    }
    if !sink.lacks.is_empty() {
        fact("Lacks", count(sink.lacks.len() as u64, "snapshot"))?;
    }
    let prune = match sink.prune.len() as u64 {
        0 => "nothing".to_owned(),
        n => format!("{}, {}", count(n, "snapshot"), size(sink.prune_frees)),
    };
    fact("Prune removes", prune)?;
    out.push_str("</dl>\n");
    write_charts(sink, zone, out)?;
    write_table(job, sink, zone, out)?;
    out.push_str("</div>\n");
    Ok(())
}

fn state(sink: &SinkStatus) -> String {
    let newest_bad = sink.newest_bad.as_ref();
    match (&sink.error, newest_bad, sink.last_good.is_some()) {
        (Some(_), ..) => pill(Look::Bad, "cannot be asked"),
        (_, _, false) => pill(Look::Bad, "no good backup"),
        _ if sink.replica && !sink.lacks.is_empty() => pill(Look::Warn, "behind"),
        _ if sink.overdue => pill(Look::Bad, "overdue"),
        (_, Some(bad), _) if bad.state == "suspect" => pill(Look::Warn, "newest is suspect"),
        (_, Some(bad), _) => pill(Look::Bad, &format!("newest is {}", bad.state)),
        _ => pill(Look::Good, "good"),
    }
}

fn write_charts(sink: &SinkStatus, zone: &TimeZone, out: &mut String) -> Result {
    if sink.history.len() < 2 {
        return Ok(());
    }
    let words = |bytes: f64| size(bytes as u64);
    let stored =
        Chart { title: "Stored", class: "b1", value: |point| Some(point.stored as f64), words };
    let duration =
        Chart { title: "Duration", class: "b2", value: |point| Some(point.seconds), words: length };
    let rows = Chart {
        title: "Rows",
        class: "b3",
        value: |point| point.rows.map(|rows| rows as f64),
        words: |rows| number(rows as u64),
    };
    out.push_str("<div class=\"charts\">");
    stored.write(&sink.history, zone, out)?;
    // A copy has the duration and the rows of its original.
    if !sink.replica {
        duration.write(&sink.history, zone, out)?;
        if sink.history.iter().any(|point| point.rows.is_some()) {
            rows.write(&sink.history, zone, out)?;
        }
    }
    out.push_str("</div>\n");
    Ok(())
}

/// The figures of the charts.
fn write_table(job: &JobStatus, sink: &SinkStatus, zone: &TimeZone, out: &mut String) -> Result {
    if sink.history.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "<details><summary>The last {} as figures</summary>\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Backups of {}{} in {}\"><table>\
         <thead><tr><th scope=\"col\">Began</th><th scope=\"col\">State</th>\
         <th scope=\"col\" class=\"n\">Data</th><th scope=\"col\" class=\"n\">Stored</th>\
         <th scope=\"col\" class=\"n\">Items</th><th scope=\"col\" class=\"n\">Rows</th>\
         <th scope=\"col\" class=\"n\">Took</th></tr></thead><tbody>",
        count(sink.history.len() as u64, "backup"),
        Escaped(job.job.as_str()),
        Escaped(&whose(job)),
        Escaped(sink.sink.as_str())
    )?;
    for point in sink.history.iter().rev() {
        let pinned = if point.pinned { ", pinned" } else { "" };
        write!(
            out,
            "<tr><td>{}</td><td>{}{pinned}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            time(point.time, zone),
            Escaped(&point.state),
            size(point.plain),
            size(point.stored),
            number(point.files),
            point.rows.map_or("–".to_owned(), number),
            length(point.seconds)
        )?;
    }
    out.push_str("</tbody></table></div></details>\n");
    Ok(())
}
