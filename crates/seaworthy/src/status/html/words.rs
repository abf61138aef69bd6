//! Pieces of text and marks of state.

use std::fmt::{self, Write};

use seaworthy_core::{ByteSize, TimeZone, Timestamp};

/// Text escaped for every place in a page.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // The displayed order must be the written one.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    f.write_char('\u{fffd}')?;
                }
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The look of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Good,
    Warn,
    Bad,
    Note,
}

/// A mark with a sign, so that colour is never the only difference.
pub(super) fn pill(look: Look, text: &str) -> String {
    let (class, sign) = match look {
        Look::Good => ("good", "M3 8.5 6.5 12 13 4.5"),
        Look::Warn => ("warn", "M8 3v6M8 12.2v.6"),
        Look::Bad => ("bad", "M4 4l8 8M12 4l-8 8"),
        Look::Note => ("note", "M8 7v6M8 3.2v.6"),
    };
    format!(
        "<span class=\"pill {class}\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"2.4\" stroke-linecap=\"round\" \
         stroke-linejoin=\"round\"><path d=\"{sign}\"/></svg>{}</span>",
        Escaped(text)
    )
}

/// A time that programs can read as well.
pub(super) fn time(time: Timestamp, zone: &TimeZone) -> String {
    let text = time.in_zone(zone);
    // Seconds do not matter here.
    let text = text.get(..16).unwrap_or(&text);
    format!("<time datetime=\"{time}\">{text}</time>")
}

/// The day of a time.
pub(super) fn day(time: Timestamp, zone: &TimeZone) -> String {
    time.in_zone(zone).chars().take(10).collect()
}

pub(super) fn size(bytes: u64) -> String {
    ByteSize::new(bytes).to_string()
}

/// `1 day`, `2 days`.
pub(super) fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// `12 345`: with thin spaces between groups of digits.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// How long a run took.
pub(super) fn length(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

/// Formats text between backticks as code.
pub(super) fn with_code(text: &str) -> String {
    let mut page = String::new();
    for (i, part) in text.split('`').enumerate() {
        let _ = match i % 2 {
            0 => write!(page, "{}", Escaped(part)),
            _ => write!(page, "<code>{}</code>", Escaped(part)),
        };
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_text() {
        let text = Escaped("<b a=\"'\">&\u{202e}").to_string();
        assert_eq!(text, "&lt;b a=&quot;&#39;&quot;&gt;&amp;\u{fffd}");
        assert_eq!(with_code("do `a <b>` now"), "do <code>a &lt;b&gt;</code> now");
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(999), "999");
        assert_eq!([0.25, 42.4, 600.0].map(length), ["0.2 s", "42 s", "10 min"]);
        assert_eq!((count(1, "day"), count(0, "day")), ("1 day".into(), "0 days".into()));
    }
}
