//! JSON with placeholders: `{"text": "{{title}}"}`.

use seaworthy_core::{Error, ErrorKind, Result};

/// The placeholders of a template.
pub(super) const PLACEHOLDERS: [&str; 10] =
    ["occasion", "kind", "name", "host", "time", "title", "text", "remedy", "since", "run"];

/// Checks that `template` is JSON, and that its placeholders exist.
///
/// # Errors
/// [`ErrorKind::Config`].
pub(super) fn check(template: &str) -> Result<()> {
    // A placeholder outside of a string is found here.
    let rendered = render(template, |_| Some("\"\\\n".to_owned()))?;
    serde_json::from_str::<serde_json::Value>(&rendered).map(drop).map_err(|source| {
        Error::new(ErrorKind::Config, "config.read", "the `body` is not JSON")
            .caused_by(source)
            .remedy_is(
                "write JSON with placeholders inside its strings: '{\"text\": \"{{title}}\"}'",
            )
    })
}

/// `template` with each placeholder replaced by its value, escaped for a JSON string.
///
/// # Errors
/// [`ErrorKind::Config`] for a placeholder that is not known.
pub(super) fn render(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (name, after) = after.split_once("}}").ok_or_else(|| unknown("{{ without }}"))?;
        let name = name.trim();
        let value = value(name).filter(|_| PLACEHOLDERS.contains(&name));
        let value = value.ok_or_else(|| unknown(&format!("{{{{{name}}}}}")))?;
        let quoted = serde_json::Value::String(value).to_string();
        out.push_str(&quoted[1..quoted.len() - 1]);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn unknown(what: &str) -> Error {
    let known: Vec<_> = PLACEHOLDERS.iter().map(|name| format!("{{{{{name}}}}}")).collect();
    let message = format!("the `body` has the unknown placeholder {what}");
    Error::new(ErrorKind::Config, "config.read", message)
        .remedy_is(format!("the known ones are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_string() {
        let evil = "a\"b\\c\nd\u{1}é";
        let text = render(r#"{"t": "x {{ title }} y", "n": "{{name}}"}"#, |_| Some(evil.into()));
        let json: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        assert_eq!(json["t"], format!("x {evil} y"));
        assert_eq!(json["n"], evil);
    }

    #[test]
    fn what_is_not_known_or_no_json_is_refused() {
        assert!(check(r#"{"text": "{{title}}"}"#).is_ok());
        for (wrong, word) in [
            (r#"{"text": "{{titel}}"}"#, "{{titel}}"),
            (r#"{"text": "{{title"}"#, "without"),
            (r#"{"text": {{title}}}"#, "not JSON"),
            ("text", "not JSON"),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.remedy().is_some());
        }
    }
}
