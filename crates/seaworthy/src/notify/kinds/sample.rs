//! Notices for testing the services.

use seaworthy_core::{Name, Timestamp};
use serde_json::Value;

use crate::notify::{Notice, Occasion, Subject, SubjectKind};

/// An ordinary one.
pub(super) fn short() -> Notice {
    let subject = Subject::new(SubjectKind::Backup, Name::new("nightly").unwrap());
    let now = Timestamp::from_unix(1_790_000_000);
    let mut notice = Notice::new(Occasion::Failure, subject, "web1 <!channel>", now)
        .line("cannot write *x* \"y\" & @everyone")
        .fact("size", "12 MiB");
    notice.remedy = Some("is the disk full?".into());
    notice
}

/// One that exceeds all limits.
pub(super) fn long() -> Notice {
    let mut notice = short().line("😀_*".repeat(60_000));
    for i in 0..60 {
        notice = notice.fact(&format!("{i}{}", "n".repeat(400)), "v".repeat(3000));
        notice.warnings.push("w".repeat(4000));
    }
    notice.title = "<t>".repeat(500);
    notice
}

/// Fails unless `value` matches `shape` exactly. In a shape, a text names the type of the value:
/// `string`, `integer`, `boolean`, `time`, or one exact text after `=`; a list contains the shapes
/// that its elements may have; a member whose name ends with `?` may be missing.
#[track_caller]
pub(super) fn has_shape(value: &Value, shape: &Value) {
    if let Err(wrong) = compare(value, shape) {
        panic!("{wrong} in {value:#}");
    }
}

fn compare(value: &Value, shape: &Value) -> Result<(), String> {
    let ensure = |holds: bool| match holds {
        true => Ok(()),
        false => Err(format!("{value} is not {shape}")),
    };
    match shape {
        Value::String(kind) => match kind.as_str() {
            "string" => ensure(value.as_str().is_some_and(|text| !text.is_empty())),
            "integer" => ensure(value.is_u64()),
            "boolean" => ensure(value.is_boolean()),
            "time" => ensure(value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok())),
            exact => ensure(exact.strip_prefix('=') == value.as_str()),
        },
        Value::Array(shapes) => {
            let Some(list) = value.as_array() else { return ensure(false) };
            list.iter().try_for_each(|one| {
                let fits = shapes.iter().any(|shape| compare(one, shape).is_ok());
                if fits { Ok(()) } else { Err(format!("{one} is none of {shapes:?}")) }
            })
        }
        Value::Object(members) => {
            let Some(object) = value.as_object() else { return ensure(false) };
            let plain = |name: &str| name.trim_end_matches('?').to_owned();
            let known: Vec<_> = members.keys().map(|name| plain(name)).collect();
            if let Some(other) = object.keys().find(|name| !known.contains(name)) {
                return Err(format!("{other} is unknown"));
            }
            members.iter().try_for_each(|(name, shape)| match object.get(&plain(name)) {
                Some(value) => compare(value, shape).map_err(|wrong| format!("{name}: {wrong}")),
                None if name.ends_with('?') => Ok(()),
                None => Err(format!("{name} is missing")),
            })
        }
        _ => Err(format!("{shape} is not a shape")),
    }
}

#[test]
fn a_shape_fits_what_it_is_the_shape_of_and_nothing_else() {
    let shape = serde_json::json!({ "a": "=x", "b?": ["integer", { "c": "boolean" }] });
    for (text, fits) in [
        (r#"{"a":"x"}"#, true),
        (r#"{"a":"x","b":[1,{"c":true}]}"#, true),
        (r#"{"a":"y"}"#, false),
        (r#"{"b":[]}"#, false),
        (r#"{"a":"x","b":[{"c":1}]}"#, false),
        (r#"{"a":"x","d":1}"#, false),
    ] {
        let value = serde_json::from_str(text).unwrap();
        assert_eq!(compare(&value, &shape).is_ok(), fits, "{text}");
    }
}
