//! What a bucket does with our objects by itself: uploads that are given up, snapshots that must stay.

use seaworthy_core::{Context, Environment, ErrorKind, Findings, Result};

use super::{Flavour, LifecycleRule, S3Options, open::BucketStore, options::BucketConfig};
use crate::sinks::SinkUse;

/// What the check is called.
const NAME: &str = "lifecycle";

/// After how many days an unfinished upload may be given up: no upload takes that long.
const DAYS: u32 = 7;

/// Classes of storage that nothing can be read from before it is brought back.
const ARCHIVES: [&str; 4] = ["GLACIER", "DEEP_ARCHIVE", "ARCHIVE", "COLD_ARCHIVE"];

/// Looks at the rules of the bucket.
pub(super) async fn probe(
    config: &impl BucketConfig,
    environment: &Environment,
    findings: &mut Findings,
    cx: &Context,
) {
    // One that cannot be opened was told of already.
    let purpose = SinkUse::run().for_trial();
    let Ok(options) = config.options(&purpose, environment, cx).await else { return };
    let rules = lifecycle_rules(&options).await;
    judge(rules, config.common().append_only, &options, findings);
}

/// The lifecycle rules of the bucket that concern what a sink stores there.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where the store knows no such rules;
/// [`ErrorKind::PermissionDenied`] where the key may not see them.
async fn lifecycle_rules(options: &S3Options) -> Result<Vec<LifecycleRule>> {
    let bucket = BucketStore::new(options)?.bucket;
    bucket.lifecycle(options.prefix.as_str()).await.map_err(|failure| {
        let label = options.label();
        let message = format!("cannot see the lifecycle rules of {label}");
        failure.explain("sink.lifecycle", message, options.flavour).with("sink", label)
    })
}

/// Judges the `rules` of the bucket behind `options`.
fn judge(
    rules: Result<Vec<LifecycleRule>>,
    append_only: bool,
    options: &S3Options,
    findings: &mut Findings,
) {
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let message = format!(
                "the key may not see the bucket's rules ({}); look whether one gives up unfinished \
                 uploads, and set it where not: {}",
                error.remedy().unwrap_or("which is fine"),
                command(options)
            );
            return findings.skip(NAME, message);
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return findings.skip(NAME, "the store knows no lifecycle rules");
        }
        Err(error) => return findings.skip(NAME, error.chain()),
    };
    let before = findings.len();
    for rule in &rules {
        let id = if rule.id.is_empty() { "without a name" } else { &rule.id };
        if let Some(when) = &rule.removes {
            let message = format!("the bucket's rule {id} removes what is {when}: snapshots too");
            let remedy = "take the rule away, or give it another prefix: `keep` of the job decides \
                          what goes";
            findings.fail(NAME, message, remedy);
        }
        if let Some(class) = rule.moves_to.as_ref().filter(|class| ARCHIVES.contains(&&***class)) {
            let message = format!("the bucket's rule {id} moves objects to {class}");
            let remedy = "take the rule away, or give it another prefix: nothing can be restored \
                          from an archive";
            findings.fail(NAME, message, remedy);
        }
        if let Some(days) = rule.removes_hidden.filter(|_| append_only) {
            let message = format!(
                "what somebody hides or replaces is gone {days} days later, as the bucket's rule {id} \
                 says"
            );
            let remedy = "is that long enough to notice it? the sink is append-only so that nothing \
                          gets lost";
            findings.warn(NAME, message, remedy);
        }
    }
    match rules.iter().filter(|rule| rule.whole).find_map(|rule| rule.gives_up_uploads) {
        Some(days) if findings.len() == before => {
            findings.ok(NAME, format!("the bucket gives up unfinished uploads after {days} days"));
        }
        Some(_) => {}
        None => findings.warn(
            NAME,
            "the bucket has no rule that gives up unfinished uploads: those of a machine that is no \
             more cost money and are shown nowhere",
            command(options),
        ),
    }
}

/// What adds the rule. It takes the place of those that are there.
fn command(options: &S3Options) -> String {
    let endpoint = match &options.endpoint {
        Some(endpoint) => format!(" --endpoint-url {endpoint}"),
        None if options.flavour == Flavour::B2 => {
            format!(" --endpoint-url https://s3.{}.backblazeb2.com", options.region)
        }
        None => String::new(),
    };
    format!(
        "aws s3api put-bucket-lifecycle-configuration{endpoint} --bucket {} \
         --lifecycle-configuration '{{\"Rules\": [{{\"ID\": \"uploads\", \"Status\": \"Enabled\", \
         \"Filter\": {{\"Prefix\": \"\"}}, \"AbortIncompleteMultipartUpload\": \
         {{\"DaysAfterInitiation\": {DAYS}}}}}]}}' (with the rules that are there already: it replaces \
         them)",
        options.bucket
    )
}
