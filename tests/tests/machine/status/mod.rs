//! `status` as administrators and their programs read it.

mod backups;
mod metrics;
mod page;
mod web;

use seaworthy_tests::{Lab, Run};
use serde_json::Value;

/// The document of `status`, which ends with `code`.
#[track_caller]
fn status(lab: &Lab, code: i32) -> Value {
    document(lab.run(&["status", "--json"]), code)
}

#[track_caller]
fn document(run: Run, code: i32) -> Value {
    let found = run.expect_code(code).json();
    assert_eq!(found["exit_code"], code);
    found["result"].clone()
}

/// The rules of the findings that are worse than notices.
fn rules(status: &Value) -> Vec<String> {
    let findings = status["findings"].as_array().unwrap().iter();
    let worse = findings.filter(|finding| finding["severity"] != "notice");
    worse.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

/// The machine that this is, as its snapshots name it.
fn host(lab: &Lab) -> String {
    lab.run(&["status", "--json"]).json()["result"]["host"].as_str().unwrap().to_owned()
}

#[test]
fn the_document_is_as_its_schema_says() {
    let lab = Lab::new();
    lab.write("data/a", "x");
    lab.ok(&["backup"]);
    let schema = lab.ok(&["config", "schema", "--of-status"]).json();
    let found = status(&lab, 0);
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&schema["properties"]), names(&found));
    let sink = &found["jobs"][0]["sinks"][0];
    assert_eq!(names(&schema["$defs"]["SinkStatus"]["properties"]), names(sink));
    assert_eq!(names(&schema["$defs"]["Point"]["properties"]), names(&sink["last_good"]));
}
