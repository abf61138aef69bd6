//! What a bucket does with our objects by itself: uploads that are given up, snapshots that must stay.

use seaworthy_backup::{
    config::SinkConfig,
    sinks::s3::{LifecycleRule, S3Options},
};
use seaworthy_core::{ErrorKind, Findings, Result};

/// What the check is called.
const NAME: &str = "lifecycle";

/// After how many days an unfinished upload may be given up: no upload takes that long.
const DAYS: u32 = 7;

/// Classes of storage that nothing can be read from before it is brought back.
const ARCHIVES: [&str; 4] = ["GLACIER", "DEEP_ARCHIVE", "ARCHIVE", "COLD_ARCHIVE"];

/// Judges the `rules` of the bucket behind `options`.
pub(super) fn judge(
    rules: Result<Vec<LifecycleRule>>,
    config: &SinkConfig,
    options: &S3Options,
    checks: &mut Findings,
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
            return checks.skip(NAME, message);
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return checks.skip(NAME, "the store knows no lifecycle rules");
        }
        Err(error) => return checks.skip(NAME, error.chain()),
    };
    let before = checks.len();
    for rule in &rules {
        let id = if rule.id.is_empty() { "without a name" } else { &rule.id };
        if let Some(when) = &rule.removes {
            let message = format!("the bucket's rule {id} removes what is {when}: snapshots too");
            let remedy = "take the rule away, or give it another prefix: `keep` of the job decides \
                          what goes";
            checks.fail(NAME, message, remedy);
        }
        if let Some(class) = rule.moves_to.as_ref().filter(|class| ARCHIVES.contains(&&***class)) {
            let message = format!("the bucket's rule {id} moves objects to {class}");
            let remedy = "take the rule away, or give it another prefix: nothing can be restored \
                          from an archive";
            checks.fail(NAME, message, remedy);
        }
        if let Some(days) = rule.removes_hidden.filter(|_| config.append_only()) {
            let message = format!(
                "what somebody hides or replaces is gone {days} days later, as the bucket's rule {id} \
                 says"
            );
            let remedy = "is that long enough to notice it? the sink is append-only so that nothing \
                          gets lost";
            checks.warn(NAME, message, remedy);
        }
    }
    match rules.iter().filter(|rule| rule.whole).find_map(|rule| rule.gives_up_uploads) {
        Some(days) if checks.len() == before => {
            checks.ok(NAME, format!("the bucket gives up unfinished uploads after {days} days"));
        }
        Some(_) => {}
        None => checks.warn(
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
        None if options.flavour == seaworthy_backup::sinks::s3::Flavour::B2 => {
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
