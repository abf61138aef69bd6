//! Sinks that a program which embeds Seaworthy brings along, and planning without any.

use std::sync::Arc;

use seaworthy::{
    Config, Outcome, Seaworthy,
    backup::MemorySink,
    command::{PlanRequest, plan_retention},
    core::{Context, ErrorKind, Name},
};

const FILE: &str = r#"
state = "state"
[sink.ours]
type = "custom"
[sink.local]
type = "local"
path = "sink"
[backup.nightly]
sinks = ["ours"]
sources.data = { type = "files", paths = ["data"] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_sink_is_filled_by_the_program_or_said_to_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/a"), "hello").unwrap();
    let config = Config::from_text(FILE, &folder.path().join("seaworthy.toml")).unwrap();
    let mut seaworthy = Seaworthy::open(config, Default::default()).unwrap();
    let cx = Context::new();

    let error = seaworthy.snapshots(&Default::default(), &cx).await.error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.remedy().unwrap().contains("embeds"), "{error:?}");

    for wrong in ["local", "none"] {
        let name = Name::new(wrong).unwrap();
        let error = seaworthy.add_sink(&name, Arc::new(MemorySink::new())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let name = Name::new("ours").unwrap();
    seaworthy.add_sink(&name, Arc::new(MemorySink::new())).unwrap();
    let reply = seaworthy.backup(&Default::default(), &cx).await;
    assert_eq!(reply.outcome, Outcome::Done, "{:?}", reply.error);
    let listed = seaworthy.snapshots(&Default::default(), &cx).await.result.unwrap();
    assert_eq!(listed.listings[0].snapshots.len(), 1);
}

#[test]
fn a_plan_needs_no_sink() {
    let request = |keep: &str| {
        let text = format!(
            r#"{{"keep":{keep},"now":"2026-11-22T12:00:00Z","snapshots":[
                {{"id":"20261121T020000Z-aaaaaa"}},
                {{"id":"20261120T020000Z-bbbbbb","pinned":true}},
                {{"id":"20261119T020000Z-cccccc","state":{{"state":"damaged","why":"flipped"}}}},
                {{"id":"20261118T020000Z-dddddd"}}]}}"#
        );
        serde_json::from_str::<PlanRequest>(&text)
    };
    let planned = plan_retention(request(r#"{"last":1}"#).unwrap()).result.unwrap().decisions;
    let kept: Vec<_> = planned.iter().map(|planned| planned.decision.keep).collect();
    assert_eq!(kept, [true, true, true, false]);
    assert_eq!(planned[3].text, "remove  no rule keeps it");
    let nothing = request("{}").unwrap_err().to_string();
    assert!(nothing.contains("would keep nothing"), "{nothing}");
}
