//! The report as a self-contained page.

use std::fmt::Write;

use crate::report::{CURVE, Figures, Report, SecondReport, Times, Verdict, curve_part};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--response:#c2410c;--service:#2563eb;--good:#15803d;--bad:#b91c1c;--warn:#b45309}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}svg{width:100%;height:auto}text{font-size:11px;fill:currentColor}
.PASS{color:var(--good)}.WARNING{color:var(--warn)}.FAIL{color:var(--bad)}
.grid{stroke:var(--line)}.response{stroke:var(--response)}.service{stroke:var(--service)}.curve{fill:none;stroke-width:2}
.ok{fill:var(--good)}.no{fill:var(--bad)}";

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 30.0;
const TOP: f64 = 10.0;

impl Report {
    /// The report as one HTML page with its charts: it loads nothing and runs no script. `title`
    /// says what was tested.
    pub fn html(&self, title: &str) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_html(&escape(title), &mut page);
        page
    }

    fn write_html(&self, title: &str, out: &mut String) -> std::fmt::Result {
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>Load test: {title}</title>\n<style>{STYLE}</style>\n\
             <h1>Load test: {title}</h1>\n<p><strong class=\"{0}\">{0}</strong>",
            self.verdict
        )?;
        for reason in &self.reasons {
            write!(out, "<br>{}", escape(reason))?;
        }
        out.push_str("</p>\n");
        let head = [
            "",
            "requests",
            "good %",
            "per second",
            "average",
            "min",
            "p50",
            "p90",
            "p95",
            "p99",
            "p99.9",
            "max",
        ];
        out.push_str("<table><tr>");
        for word in head {
            write!(out, "<th>{word}</th>")?;
        }
        out.push_str("</tr>\n");
        for one in &self.endpoints {
            write_row(&one.name, one.verdict, &one.figures, out)?;
        }
        write_row("all", self.verdict, &self.total, out)?;
        out.push_str(
            "</table>\n<p>Times are milliseconds from when a request was due to the end of \
                 its response.</p>\n",
        );
        out.push_str("<h2>Latency by percentile</h2>\n");
        write_curves(&self.total, out)?;
        if !self.total.errors.is_empty() {
            out.push_str("<h2>Errors</h2>\n<table>");
            for (kind, count) in &self.total.errors {
                write!(out, "<tr><td>{}</td><td>{count}</td></tr>", escape(kind))?;
            }
            out.push_str("</table>\n");
        }
        out.push_str("<h2>Requests in each second</h2>\n");
        write_seconds(&self.seconds, out)?;
        out.push_str("</html>\n");
        Ok(())
    }
}

fn write_row(
    name: &str,
    verdict: Verdict,
    figures: &Figures,
    out: &mut String,
) -> std::fmt::Result {
    let Times { average, min, p50, p90, p95, p99, p999, max, .. } = figures.response;
    write!(
        out,
        "<tr><td>{}</td><td>{}</td><td class=\"{verdict}\">{:.2}</td><td>{:.1}</td>",
        escape(name),
        figures.requests,
        figures.success_percent,
        figures.rate
    )?;
    for time in [average, min, p50, p90, p95, p99, p999, max] {
        write!(out, "<td>{time:.2}</td>")?;
    }
    out.push_str("</tr>\n");
    Ok(())
}

/// Both curves, over percentiles that come ever closer to 100 %.
fn write_curves(figures: &Figures, out: &mut String) -> std::fmt::Result {
    let highest = figures.response.curve[CURVE - 1].max(figures.service.curve[CURVE - 1]);
    let scale = Scale::new(highest);
    open_chart("Response and service time by percentile", out)?;
    scale.write_lines("ms", out)?;
    for (number, label) in ["0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"].iter().enumerate()
    {
        let x = LEFT + (WIDTH - LEFT) * number as f64 / 5.0;
        let anchor = if number == 5 { "end" } else { "middle" };
        write!(
            out,
            "<text x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{label}</text>",
            HEIGHT - 10.0
        )?;
    }
    for (class, times) in [("response", &figures.response), ("service", &figures.service)] {
        write!(out, "<polyline class=\"curve {class}\" points=\"")?;
        for (number, time) in times.curve.iter().enumerate() {
            let x = LEFT + (WIDTH - LEFT) * number as f64 / (CURVE - 1) as f64;
            write!(out, "{x:.1},{:.1} ", scale.y(*time))?;
        }
        let part = curve_part(CURVE / 2) * 100.0;
        write!(
            out,
            "\"><title>{class} time: {:.2} ms at {part:.2} %</title></polyline>",
            times.curve[CURVE / 2]
        )?;
    }
    out.push_str(
        "<text x=\"80\" y=\"28\">response (from when it was due): red-brown; service (from when it was sent): blue</text></svg>\n",
    );
    Ok(())
}

fn write_seconds(seconds: &[SecondReport], out: &mut String) -> std::fmt::Result {
    // At most as many bars as can be distinguished.
    let step = seconds.len().div_ceil(300).max(1);
    let bars: Vec<_> = seconds
        .chunks(step)
        .map(|bar| {
            let sum = |of: fn(&SecondReport) -> u64| bar.iter().map(of).sum::<u64>() as f64;
            (sum(|one| one.requests) / bar.len() as f64, sum(|one| one.bad) / bar.len() as f64)
        })
        .collect();
    let highest = bars.iter().map(|(all, _)| *all).fold(0.0, f64::max);
    let scale = Scale::new(highest);
    open_chart("Requests that ended in each second", out)?;
    scale.write_lines("/s", out)?;
    let width = (WIDTH - LEFT) / bars.len().max(1) as f64;
    for (number, (all, bad)) in bars.iter().enumerate() {
        let x = LEFT + width * number as f64;
        for (class, value) in [("ok", *all), ("no", *bad)] {
            let y = scale.y(value);
            if value > 0.0 {
                write!(
                    out,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}s: {all:.0} requests, {bad:.0} bad</title></rect>",
                    (width - 1.0).max(0.5),
                    HEIGHT - BOTTOM - y,
                    number * step
                )?;
            }
        }
    }
    out.push_str("</svg>\n");
    Ok(())
}

fn open_chart(label: &str, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "<svg viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\" role=\"img\" aria-label=\"{label}\">"
    )
}

/// From values to heights.
struct Scale {
    /// The value at the upper edge.
    most: f64,
}

impl Scale {
    fn new(highest: f64) -> Self {
        let highest = highest.max(1e-3);
        let power = 10f64.powf(highest.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
        let most = steps.iter().map(|step| step * power).find(|most| *most >= highest);
        Self { most: most.unwrap_or(highest) }
    }

    fn y(&self, value: f64) -> f64 {
        let part = (value / self.most).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP)
    }

    fn write_lines(&self, unit: &str, out: &mut String) -> std::fmt::Result {
        for quarter in 0..=4 {
            let value = self.most * f64::from(quarter) / 4.0;
            let y = self.y(value);
            let decimals = if self.most >= 8.0 { 0 } else { 2 };
            write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value:.decimals$} {unit}</text>",
                LEFT - 6.0,
                y + 4.0
            )?;
        }
        Ok(())
    }
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(c),
        }
    }
    safe
}
