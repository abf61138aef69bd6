//! Lifecycle rules of a bucket.

use seaworthy_core::ErrorKind;
use serde::Deserialize;

use super::{bucket::Bucket, failure::Failure};

/// An enabled lifecycle rule of a bucket that applies to a sink's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LifecycleRule {
    /// Its name, which may be empty.
    pub id: String,
    /// Whether it applies to everything that the sink stores, not only to a part.
    pub whole: bool,
    /// It aborts uploads that are unfinished after this many days.
    pub gives_up_uploads: Option<u32>,
    /// It deletes or hides objects: when, such as `30 days old`.
    pub removes: Option<String>,
    /// It deletes versions that were hidden or replaced this many days ago.
    pub removes_hidden: Option<u32>,
    /// It moves objects to this class of storage.
    pub moves_to: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Configuration {
    rule: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Rule {
    #[serde(rename = "ID")]
    id: String,
    status: String,
    /// The prefix in the format of older rules, before `Filter`.
    prefix: Option<String>,
    filter: Option<Filter>,
    expiration: Option<Expiration>,
    noncurrent_version_expiration: Option<Noncurrent>,
    abort_incomplete_multipart_upload: Option<Unfinished>,
    transition: Vec<Transition>,
}

/// A rule applies to an object if all conditions match.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Filter {
    prefix: Option<String>,
    tag: Vec<Tag>,
    object_size_greater_than: Option<u64>,
    object_size_less_than: Option<u64>,
    and: Option<Box<Filter>>,
}

/// Required tags: our objects have none.
#[derive(Debug, Deserialize)]
struct Tag {}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Expiration {
    days: Option<u32>,
    date: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Noncurrent {
    noncurrent_days: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Unfinished {
    days_after_initiation: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Transition {
    storage_class: String,
}

impl Bucket {
    /// The rules that apply to objects below `prefix`.
    pub(in crate::sinks) async fn lifecycle(
        &self,
        prefix: &str,
    ) -> Result<Vec<LifecycleRule>, Failure> {
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let found: Configuration = match self.ask(&[("lifecycle", "")]).await {
            // There are none.
            Err(failure) if failure.kind() == ErrorKind::NotFound => Configuration::default(),
            found => found?,
        };
        let enabled = found.rule.into_iter().filter(|rule| rule.status == "Enabled");
        Ok(enabled.filter_map(|rule| rule.about(&below)).collect())
    }
}

impl Rule {
    /// What this rule does with objects whose names begin with `below`, if anything.
    fn about(self, below: &str) -> Option<LifecycleRule> {
        let Filter { prefix, tag, object_size_greater_than, object_size_less_than, and } =
            self.filter.unwrap_or_default();
        let and = and.map(|and| *and).unwrap_or_default();
        let prefix = prefix.or(and.prefix).or(self.prefix).unwrap_or_default();
        let tagged = !tag.is_empty() || !and.tag.is_empty();
        if tagged || !(prefix.starts_with(below) || below.starts_with(&prefix)) {
            return None;
        }
        let sizes = [object_size_greater_than, object_size_less_than];
        let sizes = sizes.into_iter().chain([and.object_size_greater_than]);
        let mut sizes = sizes.chain([and.object_size_less_than]);
        let removes = self.expiration.and_then(|expiration| match expiration {
            Expiration { days: Some(days), .. } => Some(format!("{days} days old")),
            Expiration { date: Some(date), .. } => Some(format!("there on {date}")),
            // Only delete markers without versions.
            Expiration { .. } => None,
        });
        Some(LifecycleRule {
            id: self.id,
            whole: below.starts_with(&prefix) && sizes.all(|size| size.is_none()),
            gives_up_uploads: self
                .abort_incomplete_multipart_upload
                .and_then(|unfinished| unfinished.days_after_initiation),
            removes,
            removes_hidden: self
                .noncurrent_version_expiration
                .and_then(|noncurrent| noncurrent.noncurrent_days),
            moves_to: self.transition.into_iter().next().map(|one| one.storage_class),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str, below: &str) -> Vec<LifecycleRule> {
        let text = format!("<LifecycleConfiguration>{text}</LifecycleConfiguration>");
        let found: Configuration = quick_xml::de::from_str(&text).unwrap();
        found.rule.into_iter().filter_map(|rule| rule.about(below)).collect()
    }

    #[test]
    fn rules_of_each_form_are_read() {
        let found = rules(
            "<Rule><ID>a</ID><Status>Enabled</Status><Filter/>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
             </AbortIncompleteMultipartUpload></Rule>\
             <Rule><ID>b</ID><Prefix>prod</Prefix><Expiration><Days>30</Days></Expiration></Rule>\
             <Rule><ID>c</ID><Filter><And><Prefix>prod/nightly/</Prefix><ObjectSizeGreaterThan>9\
             </ObjectSizeGreaterThan></And></Filter><Transition><Days>1</Days>\
             <StorageClass>GLACIER</StorageClass></Transition></Rule>\
             <Rule><ID>d</ID><Filter><Prefix></Prefix></Filter><NoncurrentVersionExpiration>\
             <NoncurrentDays>2</NoncurrentDays></NoncurrentVersionExpiration><Expiration>\
             <ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>\
             <Rule><ID>e</ID><Prefix>other/</Prefix><Expiration><Days>1</Days></Expiration></Rule>\
             <Rule><ID>f</ID><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>\
             <Expiration><Days>1</Days></Expiration></Rule>",
            "prod/",
        );
        let base = |id: &str, whole| LifecycleRule { id: id.into(), whole, ..Default::default() };
        let expected = [
            LifecycleRule { gives_up_uploads: Some(7), ..base("a", true) },
            LifecycleRule { removes: Some("30 days old".into()), ..base("b", true) },
            LifecycleRule { moves_to: Some("GLACIER".into()), ..base("c", false) },
            LifecycleRule { removes_hidden: Some(2), ..base("d", true) },
        ];
        assert_eq!(found, expected);
        assert!(rules("", "").is_empty());
    }

    #[test]
    fn a_rule_for_a_part_is_not_one_for_all() {
        let rule = "<Rule><Prefix>prod/</Prefix><Expiration><Days>3</Days></Expiration></Rule>";
        assert!(!rules(rule, "")[0].whole);
        assert!(rules(rule, "prod/a/")[0].whole);
    }
}
