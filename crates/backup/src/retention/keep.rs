//! `keep` as in the file.

use std::fmt;

use seaworthy_core::{Error, ErrorKind, Result, Span};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Period;

/// The rules of `keep`, such as `{ within = "30d", monthly = 6 }`. A snapshot is kept if any rule
/// keeps it.
///
/// ```
/// use seaworthy_backup::retention::Keep;
/// let keep: Keep = serde_json::from_str(r#"{ "within": "30d", "monthly": 6 }"#)?;
/// assert_eq!(keep, Keep::new().within("30d".parse()?).monthly(6));
/// assert_eq!(keep.to_string(), "monthly 6, within 30d");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1)))]
#[serde(remote = "Self", deny_unknown_fields)]
#[non_exhaustive]
pub struct Keep {
    /// The newest snapshots.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "std::num::NonZeroU32"))]
    pub last: Option<u32>,
    /// The newest snapshot of each of the last hours that have one.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "std::num::NonZeroU32"))]
    pub hourly: Option<u32>,
    /// The newest snapshot of each of the last days that have one.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "std::num::NonZeroU32"))]
    pub daily: Option<u32>,
    /// The newest snapshot of each of the last ISO 8601 weeks that have one.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "std::num::NonZeroU32"))]
    pub weekly: Option<u32>,
    /// The newest snapshot of each of the last months that have one.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "std::num::NonZeroU32"))]
    pub monthly: Option<u32>,
    /// The newest snapshot of each of the last years that have one.
    #[serde(default, deserialize_with = "count", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "std::num::NonZeroU32"))]
    pub yearly: Option<u32>,
    /// Every snapshot that is at most this much older than the newest, or than now if that is
    /// earlier.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Span"))]
    pub within: Option<Span>,
}

impl Keep {
    /// No rule yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the `count` newest snapshots.
    #[must_use]
    pub fn last(self, count: u32) -> Self {
        Self { last: Some(count), ..self }
    }

    /// Keeps the newest snapshot of each of the last `count` hours that have one.
    #[must_use]
    pub fn hourly(self, count: u32) -> Self {
        Self { hourly: Some(count), ..self }
    }

    /// Keeps the newest snapshot of each of the last `count` days that have one.
    #[must_use]
    pub fn daily(self, count: u32) -> Self {
        Self { daily: Some(count), ..self }
    }

    /// Keeps the newest snapshot of each of the last `count` ISO 8601 weeks that have one.
    #[must_use]
    pub fn weekly(self, count: u32) -> Self {
        Self { weekly: Some(count), ..self }
    }

    /// Keeps the newest snapshot of each of the last `count` months that have one.
    #[must_use]
    pub fn monthly(self, count: u32) -> Self {
        Self { monthly: Some(count), ..self }
    }

    /// Keeps the newest snapshot of each of the last `count` years that have one.
    #[must_use]
    pub fn yearly(self, count: u32) -> Self {
        Self { yearly: Some(count), ..self }
    }

    /// Keeps every snapshot at most `span` older than the newest, or than now if that is earlier.
    #[must_use]
    pub fn within(self, span: Span) -> Self {
        Self { within: Some(span), ..self }
    }

    /// Whether any rule counts snapshots. Anybody who can write to a sink can push others out of
    /// such a rule, so an append-only sink must not have one.
    pub fn counts(&self) -> bool {
        self.last.is_some() || self.periods().any(|(_, count)| count.is_some())
    }

    /// Refuses rules that would keep nothing: none at all, or a count of zero.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], naming the rule.
    pub fn check(&self) -> Result<()> {
        let refused =
            |message: String| Error::new(ErrorKind::InvalidInput, "retention.keep", message);
        if self.within.is_none() && !self.counts() {
            return Err(refused("`keep` has no rule and would keep nothing".into()).remedy_is(
                "set a rule, such as { within = \"30d\" }, or remove `keep` to keep everything",
            ));
        }
        for (name, count) in self.counted() {
            if count == Some(0) {
                return Err(refused(format!("`{name} = 0` would keep nothing"))
                    .remedy_is(format!("write at least 1, or remove `{name}`")));
            }
        }
        Ok(())
    }

    /// The rules that keep one snapshot of each period.
    pub(super) fn periods(&self) -> impl Iterator<Item = (Period, Option<u32>)> {
        [
            (Period::Hourly, self.hourly),
            (Period::Daily, self.daily),
            (Period::Weekly, self.weekly),
            (Period::Monthly, self.monthly),
            (Period::Yearly, self.yearly),
        ]
        .into_iter()
    }

    fn counted(&self) -> impl Iterator<Item = (&'static str, Option<u32>)> {
        let periods = self.periods().map(|(period, count)| (period.name(), count));
        std::iter::once(("last", self.last)).chain(periods)
    }
}

/// For people: `last 3, daily 7, within 30d`.
impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counted().filter_map(|(name, count)| Some(format!("{name} {}", count?)));
        let within = self.within.map(|span| format!("within {span}"));
        f.write_str(&counts.chain(within).collect::<Vec<_>>().join(", "))
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let keep = Self::deserialize(deserializer)?;
        match keep.check() {
            Ok(()) => Ok(keep),
            Err(error) => Err(de::Error::custom(match error.remedy() {
                Some(remedy) => format!("{error}; {remedy}"),
                None => error.to_string(),
            })),
        }
    }
}

/// Reads a count here, not in [`Keep::check`], so that the error points at its line.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let count = i64::deserialize(deserializer)?;
    match u32::try_from(count) {
        Ok(0) => Err(de::Error::custom(
            "a count of 0 would keep nothing; write at least 1, or remove the rule",
        )),
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(de::Error::custom(format!(
            "{count} is not a number of snapshots; write one from 1 to {}",
            u32::MAX
        ))),
    }
}

fn some<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Keep, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_back_what_it_writes() {
        let keep = read(
            r#"{"last":1,"hourly":2,"daily":3,"weekly":4,"monthly":5,"yearly":6,"within":"8w"}"#,
        )
        .unwrap();
        assert_eq!(
            keep.to_string(),
            "last 1, hourly 2, daily 3, weekly 4, monthly 5, yearly 6, within 8w"
        );
        assert_eq!(read(&serde_json::to_string(&keep).unwrap()).unwrap(), keep);
        assert_eq!(serde_json::to_string(&Keep::new().last(1)).unwrap(), r#"{"last":1}"#);
    }

    #[test]
    fn refuses_what_would_keep_nothing_and_what_it_does_not_know() {
        for (text, expected) in [
            ("{}", "`keep` has no rule and would keep nothing; set a rule"),
            (r#"{"daily":0}"#, "a count of 0 would keep nothing; write at least 1"),
            (r#"{"last":-1}"#, "-1 is not a number of snapshots"),
            (r#"{"last":4294967296}"#, "4294967296 is not a number of snapshots"),
            (r#"{"within":"0d"}"#, "\"0d\" is not a duration"),
            (r#"{"dayly":1}"#, "unknown field `dayly`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        let error = Keep::new().last(3).weekly(0).check().unwrap_err();
        assert_eq!(error.to_string(), "`weekly = 0` would keep nothing");
    }

    #[test]
    fn only_within_does_not_count() {
        assert!(!Keep::new().within(Span::days(1)).counts());
        assert!(Keep::new().within(Span::days(1)).last(1).counts());
        assert!(Keep::new().yearly(1).counts());
    }

    #[cfg(feature = "schema")]
    #[test]
    fn the_schema_wants_a_rule_and_counts_from_one() {
        let schema = schemars::schema_for!(Keep);
        let schema = schema.as_value();
        assert_eq!(schema["minProperties"], 1);
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["weekly"]["minimum"], 1);
        assert_eq!(schema["required"], serde_json::Value::Null);
    }
}
