//! Bar charts of the last backups, with a table of the same figures for people who cannot see them.

use std::fmt::{Result, Write};

use seaworthy_core::TimeZone;

use super::words::{Escaped, day};
use crate::status::Point;

/// One chart.
pub(super) struct Chart<'a> {
    /// The title.
    pub(super) title: &'a str,
    /// The class of its bars.
    pub(super) class: &'a str,
    /// The value of a backup; `None` leaves a gap.
    pub(super) value: fn(&Point) -> Option<f64>,
    /// A value as text.
    pub(super) words: fn(f64) -> String,
}

/// The height of the drawing, in its own units; its width is one for each bar.
const HEIGHT: f64 = 100.0;

impl Chart<'_> {
    /// Draws it over `history`, oldest first. It is stretched to the available width, so text is
    /// outside of it.
    pub(super) fn write(&self, history: &[Point], zone: &TimeZone, out: &mut String) -> Result {
        let (Some(first), Some(last)) = (history.first(), history.last()) else { return Ok(()) };
        let values: Vec<_> = history.iter().map(|point| (point, (self.value)(point))).collect();
        let most = values.iter().filter_map(|(_, value)| *value).fold(0.0, f64::max);
        let now = values.iter().rev().find_map(|(_, value)| *value);
        let now = now.map(self.words).unwrap_or_default();
        let label = format!(
            "{} of {} backups from {} to {}: at most {}, last {now}",
            self.title,
            history.len(),
            day(first.time, zone),
            day(last.time, zone),
            (self.words)(most),
        );
        // A few bars should not be as wide as the page.
        let width = history.len().max(12);
        write!(
            out,
            "<figure><figcaption><b>{}</b><span>last {}, most {}</span></figcaption>\
             <svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {HEIGHT}\" \
             preserveAspectRatio=\"none\">",
            Escaped(self.title),
            Escaped(&now),
            Escaped(&(self.words)(most)),
            Escaped(&label)
        )?;
        let from = width - history.len();
        for (i, (point, value)) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let part = if most > 0.0 { value / most } else { 0.0 };
            // The smallest can still be seen.
            let height = (part * HEIGHT).max(1.5);
            let class = match point.state.as_str() {
                "good" => self.class,
                "suspect" => "b-warn",
                _ => "b-bad",
            };
            write!(
                out,
                "<rect class=\"{class}\" x=\"{:.2}\" y=\"{:.1}\" width=\".76\" height=\"{height:.1}\">\
                 <title>{}: {} ({})</title></rect>",
                (from + i) as f64 + 0.12,
                HEIGHT - height,
                Escaped(&point.id),
                Escaped(&(self.words)(*value)),
                Escaped(&point.state)
            )?;
        }
        let begin = if from == 0 { day(first.time, zone) } else { String::new() };
        writeln!(
            out,
            "</svg><div class=\"ends\" aria-hidden=\"true\"><span>{begin}</span><span>{}</span></div>\
             </figure>",
            day(last.time, zone)
        )
    }
}
