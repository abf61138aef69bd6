//! Buckets: what a key may, what a bucket does by itself, and that nothing is left there.

use std::fs;

use seaworthy_tests::{
    Lab,
    s3::{B2, B2Key, FilesServer, KEY_ID, Moto, SECRET},
    tree,
};
use serde_json::Value;

use super::{JOB, check, states};

#[test]
fn a_bucket_is_tried_in_parts_and_emptied_again() {
    let server = FilesServer::start();
    let lab = Lab::new();
    lab.write("id", KEY_ID);
    lab.write("secret", SECRET);
    let lab = lab.with_config(&format!(
        "state = \"state\"\n[sink.off]\ntype = \"s3\"\nbucket = \"backups\"\nprefix = \"prod\"\n\
         endpoint = {:?}\nallow_http = true\naccess_key_id = {{ file = \"id\" }}\n\
         secret_access_key = {{ file = \"secret\" }}\n{JOB}",
        server.url()
    ));
    let run = lab.ok(&["--json", "doctor"]);
    let parts = check(&run, "sink off", "write in parts");
    assert_eq!(
        (&parts["state"], &check(&run, "sink off", "delete")["state"]),
        (&"ok".into(), &"ok".into())
    );
    // The folder is this server's: a bucket has none.
    let files = |line: &String| line.contains("/probe ") || line.contains("/parts ");
    let left: Vec<_> = tree(&server.bucket()).into_iter().filter(files).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(server.unfinished(), 0);
    lab.write("secret", "wrong");
    let run = lab.run(&["--json", "doctor"]).expect_code(1);
    let list = check(&run, "sink off", "list");
    assert!(list["remedy"].as_str().unwrap().contains("the secret does not match"), "{list}");
}

fn b2_lab(server: &B2, who: &str, more: &str) -> Lab {
    let lab = server.lab(who, &format!("{more}\n{JOB}"));
    lab.write("prune", "prunes");
    lab
}

#[test]
fn each_capability_that_a_backblaze_key_lacks_is_named() {
    for (lacking, name) in [
        ("listFiles", "list"),
        ("readFiles", "read"),
        ("writeFiles", "write"),
        ("deleteFiles", "delete"),
    ] {
        let has: Vec<_> = B2Key::ALL.iter().copied().filter(|right| *right != lacking).collect();
        let server = B2::start(vec![B2Key::new("k", &has).below("prod/")]);
        let lab = b2_lab(&server, "k", "");
        let run = lab.run(&["--json", "doctor"]).expect_code(1);
        let failed = check(&run, "sink off", name);
        assert_eq!(failed["state"], "failed", "{lacking}");
        let remedy = failed["remedy"].as_str().unwrap();
        assert!(remedy.contains(lacking), "{lacking}: {remedy}");
        let left = server.versions("prod/");
        if ["deleteFiles", "listFiles"].contains(&lacking) {
            // What cannot be removed is named.
            assert!(left > 0);
            let delete = check(&run, "sink off", "delete");
            assert!(delete["message"].as_str().unwrap().contains("is left behind"), "{delete}");
        } else {
            assert_eq!(left, 0, "{lacking}");
        }
        assert_eq!(server.unfinished(), 0);
    }
}

#[test]
fn a_key_that_only_adds_is_tried_without_leaving_anything() {
    let keys = || {
        vec![B2Key::new("adds", &B2Key::ALL[..3]).below("prod/"), B2Key::new("prunes", B2Key::ALL)]
    };
    let server = B2::start(keys());
    let run = b2_lab(&server, "adds", "append_only = true").ok(&["--json", "doctor"]);
    assert_eq!(
        states(&run, "sink off"),
        [
            "open ok",
            "list ok",
            "write ok",
            "read skipped",
            "versions skipped",
            "delete skipped",
            "lifecycle skipped"
        ]
    );
    assert_eq!((server.versions("prod/"), server.unfinished()), (0, 0));
    let with_prune = "append_only = true\nprune = { key_id = { file = \"prune\" }, \
                      application_key = { file = \"secret\" } }";
    let run = b2_lab(&server, "adds", with_prune).ok(&["--json", "doctor"]);
    assert_eq!(check(&run, "sink off", "delete")["state"], "ok");
    assert_eq!((server.versions("prod/"), server.unfinished()), (0, 0));
}

/// A rule that gives up unfinished uploads, as stores write it.
const UPLOADS: &str = "<Rule><ID>uploads</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
    <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
    </AbortIncompleteMultipartUpload></Rule>";

/// A rule that does `what` to all that is below `prefix`.
fn rule(prefix: &str, what: &str) -> String {
    format!(
        "<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>{prefix}</Prefix></Filter>{what}</Rule>"
    )
}

#[test]
fn the_bucket_s_own_rules_are_read_where_the_key_may_and_the_missing_one_is_named() {
    let all = ["listFiles", "readFiles", "writeFiles", "deleteFiles", "listBuckets"];
    let server = B2::start(vec![
        B2Key::new("sees", &all).below("prod/"),
        B2Key::new("k", B2Key::ALL).below("prod/"),
        B2Key::new("prunes", &all),
    ]);
    let lab = b2_lab(&server, "sees", "");
    let seen = |lab: &Lab, code| {
        check(&lab.run(&["--json", "doctor"]).expect_code(code), "sink off", "lifecycle")
    };
    let missing = seen(&lab, 0);
    assert_eq!(missing["state"], "warning", "{missing}");
    let remedy = missing["remedy"].as_str().unwrap();
    for words in [
        "put-bucket-lifecycle-configuration --endpoint-url",
        "--bucket backups",
        "\"DaysAfterInitiation\": 7",
    ] {
        assert!(remedy.contains(words), "no {words} in {remedy}");
    }
    // The rule of the remedy is JSON that a shell passes on as it is.
    let json = remedy.split('\'').nth(1).unwrap();
    assert_eq!(serde_json::from_str::<Value>(json).unwrap()["Rules"][0]["Status"], "Enabled");
    server.set_lifecycle(UPLOADS);
    assert_eq!(seen(&lab, 0)["state"], "ok");
    // Rules that eat snapshots; another prefix is no matter of ours.
    let days = "<Expiration><Days>30</Days></Expiration>";
    server.set_lifecycle(&format!("{UPLOADS}{}", rule("other/", days)));
    assert_eq!(seen(&lab, 0)["state"], "ok");
    let archive = "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>";
    for (what, words) in [(days, "30 days old"), (archive, "to GLACIER")] {
        server.set_lifecycle(&format!("{UPLOADS}{}", rule("prod/nightly/", what)));
        let eats = seen(&lab, 1);
        assert_eq!(eats["state"], "failed");
        assert!(eats["message"].as_str().unwrap().contains(words), "{eats}");
    }
    // What was hidden is deleted: no matter where runs delete, but it is where they must not.
    let hidden = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    server.set_lifecycle(&format!("{UPLOADS}{}", rule("", hidden)));
    assert_eq!(seen(&lab, 0)["state"], "ok");
    let append_only = b2_lab(&server, "sees", "append_only = true");
    let warned = seen(&append_only, 0);
    assert!(warned["message"].as_str().unwrap().contains("after 1 days"), "{warned}");
    // A key that may not see them.
    let unseen = seen(&b2_lab(&server, "k", ""), 0);
    assert_eq!(unseen["state"], "skipped");
    let message = unseen["message"].as_str().unwrap();
    assert!(
        message.contains("listBuckets") && message.contains("put-bucket-lifecycle"),
        "{message}"
    );
}

#[test]
fn locks_are_looked_at_on_a_snapshot_and_nothing_that_is_tried_is_locked() {
    let server = Moto::start();
    server.make_bucket("locked", true);
    server.make_bucket("open", false);
    let lab = |bucket: &str, lock: &str| {
        let lab = Lab::new();
        lab.write("data/a", "x");
        lab.write("id", KEY_ID);
        lab.write("secret", SECRET);
        lab.with_config(&format!(
            "state = \"state\"\n[sink.off]\ntype = \"s3\"\nbucket = {bucket:?}\nendpoint = {:?}\n\
             allow_http = true\naccess_key_id = {{ file = \"id\" }}\n\
             secret_access_key = {{ file = \"secret\" }}\n{lock}\n{JOB}",
            server.url()
        ))
    };
    let wanted = "object_lock = { mode = \"governance\", retain = \"1d\" }";
    let locked = lab("locked", wanted);
    let run = locked.ok(&["--json", "doctor"]);
    assert_eq!(check(&run, "sink off", "object lock")["state"], "skipped");
    locked.ok(&["backup"]);
    let run = locked.ok(&["--json", "doctor"]);
    assert_eq!(check(&run, "sink off", "object lock")["state"], "ok");
    assert_eq!(check(&run, "sink off", "delete")["state"], "ok");
    // A snapshot from before the lock was asked for.
    let open = lab("open", "");
    open.ok(&["backup"]);
    let text = fs::read_to_string(open.path("seaworthy.toml")).unwrap();
    let open = open.with_config(&text.replace("allow_http", &format!("{wanted}\nallow_http")));
    let run = open.run(&["--json", "doctor"]).expect_code(1);
    assert_eq!(check(&run, "sink off", "object lock")["state"], "failed");
}
