//! Lifecycle rules of a bucket: unfinished uploads must be aborted, snapshots must stay.

use seaworthy_core::{Context, Environment, ErrorKind, Findings, Result};

use super::{LifecycleRule, Provider, S3Options, open::BucketStore, options::BucketConfig};
use crate::sinks::SinkUse;

/// The name of the check.
const NAME: &str = "lifecycle";

/// After how many days an unfinished upload may be aborted: no upload takes that long.
const DAYS: u32 = 7;

/// Storage classes whose objects must be retrieved before they can be read.
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
        failure.explain("sink.lifecycle", message, options.provider).with("sink", label)
    })
}

/// Checks the `rules` of the bucket of `options`.
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
                "the key is not allowed to read the bucket's rules ({}); check whether one \
                 aborts unfinished uploads, and set it if not: {}",
                error.remedy().unwrap_or("which is fine"),
                command(options)
            );
            return findings.skip(NAME, message);
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return findings.skip(NAME, "the store does not support lifecycle rules");
        }
        Err(error) => return findings.skip(NAME, error.chain()),
    };
    let before = findings.len();
    for rule in &rules {
        let id = if rule.id.is_empty() { "without a name" } else { &rule.id };
        if let Some(when) = &rule.removes {
            let message =
                format!("the bucket's rule {id} removes objects that are {when}: also snapshots");
            let remedy = "remove the rule, or give it another prefix: `keep` of the job decides \
                     what is removed";
            findings.fail(NAME, message, remedy);
        }
        if let Some(class) = rule.moves_to.as_ref().filter(|class| ARCHIVES.contains(&&***class)) {
            let message = format!("the bucket's rule {id} moves objects to {class}");
            let remedy = "remove the rule, or give it another prefix: nothing can be restored \
                     directly from an archive class";
            findings.fail(NAME, message, remedy);
        }
        if let Some(days) = rule.removes_hidden.filter(|_| append_only) {
            let message = format!(
                "the bucket's rule {id} deletes hidden or replaced objects after {days} days"
            );
            let remedy = "is that long enough to notice an attack? the sink is append-only so that \
                     nothing gets lost";
            findings.warn(NAME, message, remedy);
        }
    }
    match rules.iter().filter(|rule| rule.whole).find_map(|rule| rule.gives_up_uploads) {
        Some(days) if findings.len() == before => {
            findings.ok(NAME, format!("the bucket aborts unfinished uploads after {days} days"));
        }
        Some(_) => {}
        None => findings.warn(
            NAME,
            "the bucket has no rule that aborts unfinished uploads: those of a machine that no \
             longer exists cost money and are not visible",
            command(options),
        ),
    }
}

/// The command that adds the rule. It replaces the existing ones.
fn command(options: &S3Options) -> String {
    let endpoint = match &options.endpoint {
        Some(endpoint) => format!(" --endpoint-url {endpoint}"),
        None if options.provider == Provider::B2 => {
            format!(" --endpoint-url https://s3.{}.backblazeb2.com", options.region)
        }
        None => String::new(),
    };
    format!(
        "aws s3api put-bucket-lifecycle-configuration{endpoint} --bucket {} \
         --lifecycle-configuration '{{\"Rules\": [{{\"ID\": \"uploads\", \"Status\": \
         \"Enabled\", \"Filter\": {{\"Prefix\": \"\"}}, \"AbortIncompleteMultipartUpload\": \
         {{\"DaysAfterInitiation\": {DAYS}}}}}]}}' (include the existing rules: this replaces \
         them)",
        options.bucket
    )
}
