//! `--events`: each line is what the published schema says, and the guide lists them all.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use seaworthy_tests::{Lab, noise, python::environment};
use serde_json::Value;

/// A validator of JSON Schema by other people.
const JSONSCHEMA: &str = "jsonschema==4.26.0";

/// What the validator says of `lines` of JSON: nothing where all are right.
fn validate(schema: &str, lines: &str, folder: &Path) -> String {
    let (schema_file, lines_file) = (folder.join("schema.json"), folder.join("lines.jsonl"));
    fs::write(&schema_file, schema).unwrap();
    fs::write(&lines_file, lines).unwrap();
    let script = "import json, sys\nfrom jsonschema import Draft202012Validator as V\n\
                  schema = json.load(open(sys.argv[1]))\nV.check_schema(schema)\n\
                  for line in open(sys.argv[2]):\n\
                  \x20   for error in V(schema).iter_errors(json.loads(line)):\n\
                  \x20       print(line, error.message)\n";
    let python = environment(JSONSCHEMA).join("bin/python");
    let output = Command::new(python)
        .args(["-c", script])
        .arg(schema_file)
        .arg(lines_file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn names(lines: &str) -> BTreeSet<String> {
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["schema"], 1);
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        event["event"].as_str().unwrap().to_owned()
    };
    lines.lines().map(event).collect()
}

/// The events that the schema lists.
fn listed(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(name) = map.get("event").and_then(|event| event["const"].as_str()) {
                found.insert(name.to_owned());
            }
            map.values().for_each(|value| listed(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| listed(value, found)),
        _ => {}
    }
}

#[test]
fn each_event_is_in_the_schema_and_in_the_guide() {
    let lab = Lab::new().with_job(
        "sources.data = { type = \"files\", paths = [\"data\"] }\n\
         [notify.ops]\ntype = \"command\"\ncommand = [\"false\"]\non = [\"success\", \"failure\"]\n",
    );
    lab.write("data/large", noise(20 << 20, 1));
    let events = lab.path("events.jsonl");
    let target = events.to_str().unwrap();
    lab.ok(&["--events", target, "backup"]);
    lab.ok(&["--events", target, "verify"]);
    lab.ok(&["--events", target, "drill"]);
    lab.ok(&["--events", target, "prune"]);
    fs::remove_dir_all(lab.path("data")).unwrap();
    lab.run(&["--events", target, "backup"]).expect_code(1);
    let lines = fs::read_to_string(&events).unwrap();
    let schema = lab.ok(&["config", "schema", "--of-events"]).stdout;
    assert_eq!(validate(&schema, &lines, &lab.path(".")), "");

    // The validator does find what is wrong.
    let wrong =
        "{\"schema\":1,\"time\":\"x\",\"event\":\"advanced\",\"bytes\":\"many\",\"items\":1}\n";
    assert_ne!(validate(&schema, wrong, &lab.path(".")), "");

    let mut known = BTreeSet::new();
    listed(&serde_json::from_str(&schema).unwrap(), &mut known);
    assert_eq!(names(&lines), known, "each was seen");
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/events.md");
    let guide = fs::read_to_string(guide).unwrap();
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), known);

    let advanced: u64 = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .take_while(|event| event["event"] != "operation_ended")
        .filter(|event| event["event"] == "advanced")
        .map(|event| event["bytes"].as_u64().unwrap())
        .sum();
    assert!(advanced >= 20 << 20, "nothing that was added up is lost: {advanced}");
}

#[test]
fn on_standard_error_nothing_else_comes_between() {
    let lab = Lab::new();
    lab.write("data/a", "x");
    fs::create_dir(lab.path("sink")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(lab.path("sink"), fs::Permissions::from_mode(0o755)).unwrap();
    let run = lab.ok(&["--events", "-", "backup"]);
    assert!(names(&run.stderr).contains("warning"), "{}", run.stderr);
    assert!(run.stdout.contains("nightly@"), "the result stays where it was");
    lab.run(&["--events", "no/such/folder/x", "backup"]).expect_code(1).says(&["no/such/folder/x"]);
}
