//! The program as users type it: exit codes, messages, documents.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("data/b")).unwrap();
        fs::write(folder.path().join("data/a"), "first").unwrap();
        fs::write(folder.path().join("data/b/c\x1b[2J"), "second").unwrap();
        let lab = Self(folder);
        lab.config("keep = { last = 2 }");
        lab
    }

    fn config(&self, line: &str) {
        let text = format!(
            "state = \"state\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n\
             [backup.nightly]\nsinks = [\"local\"]\n{line}\n\
             [backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n"
        );
        fs::write(self.path().join("seaworthy.toml"), text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, words: &str) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("SEAWORTHY_CONFIG").env_remove("STATE_DIRECTORY");
        Run(words.to_owned(), command.output().unwrap())
    }
}

struct Run(String, Output);

impl Run {
    #[track_caller]
    fn code(self, code: i32) -> Self {
        let said = (self.stdout(), self.stderr());
        assert_eq!(self.1.status.code(), Some(code), "{}: {said:?}", self.0);
        self
    }

    #[track_caller]
    fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr().contains(word), "no {word:?} in {}", self.stderr());
        }
        self
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.1.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.1.stderr.clone()).unwrap()
    }

    #[track_caller]
    fn json(&self) -> Value {
        let json: Value = serde_json::from_str(&self.stdout()).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys.len(), 6, "{keys:?}");
        for key in ["schema", "command", "outcome", "exit_code", "error", "result"] {
            assert!(keys.contains(&key), "{key}");
        }
        assert_eq!(json["schema"], 1);
        assert_eq!(json["exit_code"], self.1.status.code().unwrap());
        json
    }
}

#[test]
fn a_snapshot_is_made_listed_shown_verified_pruned_and_restored() {
    let lab = Lab::new();
    let run = lab.run("backup").code(0);
    for word in ["nightly@20", "stored", "MiB/s", "sink/nightly/", "verified", "newest good"] {
        assert!(run.stdout().contains(word), "no {word:?} in {}", run.stdout());
    }
    lab.run("backup nightly").code(0);
    let json = lab.run("backup --json").code(0).json();
    let report = &json["result"]["jobs"][0]["report"];
    assert_eq!(report["prune"]["removed"].as_array().unwrap().len(), 1, "{json:#}");
    let id = report["id"].as_str().unwrap().to_owned();

    let listing = lab.run("snapshots --json").code(0).json();
    assert_eq!(listing["result"]["listings"][0]["snapshots"].as_array().unwrap().len(), 2);
    let shown = lab.run("show nightly --files").code(0).stdout();
    assert!(shown.contains("data/b/c\\u{1b}[2J"), "{shown}");
    let shown = lab.run(&format!("--json show nightly@{id} --files")).code(0).json();
    assert_eq!(shown["result"]["manifest"]["id"], id.as_str());
    assert_eq!(shown["result"]["entries"].as_array().unwrap().len(), 4);

    lab.run("verify nightly").code(0);
    lab.run("verify --sample 50%").code(0);
    // An intact index has more facts than a rebuilt one; a lost one is rebuilt.
    lab.run("verify --rebuild-index").code(2);
    fs::remove_file(lab.path().join("sink/nightly").join(&id).join("index.jsonl.zst")).unwrap();
    lab.run(&format!("verify nightly@{id}")).code(1);
    lab.run(&format!("verify nightly@{id} --rebuild-index")).code(0);
    lab.run("verify").code(0);
    lab.run(&format!("pin nightly@{id}")).code(0);
    assert!(lab.run("prune --dry-run").code(0).stdout().contains("pinned"));
    lab.run(&format!("unpin nightly@{id}")).code(0);
    assert!(!lab.run("prune").code(0).stdout().contains("pinned"));

    lab.run("restore nightly --to out").code(0);
    let data = lab.path().join("data");
    let out = lab.path().join("out").join(data.strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "first");
    let only = format!("restore nightly --to one --only {}", data.join("a").display());
    lab.run(&only).code(0);
    let one = lab.path().join("one").join(data.strip_prefix("/").unwrap());
    assert!(one.join("a").exists() && !one.join("b").exists());
}

#[test]
fn a_restore_in_place_asks_keeps_the_old_data_and_runs_its_commands() {
    let lab = Lab::new();
    lab.config(
        "restore = { before = [[\"touch\", \"before\"]], after = [[\"touch\", \"after\"]] }",
    );
    lab.run("backup").code(0);
    fs::write(lab.path().join("data/a"), "changed").unwrap();
    lab.run("restore nightly --in-place").code(2).says(&["--yes"]);
    assert!(!lab.path().join("before").exists());
    let json = lab.run("restore nightly --in-place --yes --json").code(0).json();
    assert_eq!(json["result"]["safety"].as_array().unwrap().len(), 1);
    assert_eq!(fs::read_to_string(lab.path().join("data/a")).unwrap(), "first");
    let aside = json["result"]["restored"][0]["moved_aside"][0].as_str().unwrap();
    assert_eq!(fs::read_to_string(Path::new(aside).join("a")).unwrap(), "changed");
    assert!(lab.path().join("before").exists() && lab.path().join("after").exists());

    // `after` runs also when the restore fails, and a failing `before` stops it.
    fs::remove_file(lab.path().join("after")).unwrap();
    lab.config("restore = { before = [[\"false\"]], after = [[\"touch\", \"after\"]] }");
    fs::write(lab.path().join("data/a"), "again").unwrap();
    lab.run("restore nightly --in-place --yes").code(1).says(&["false failed"]);
    assert!(lab.path().join("after").exists());
    assert_eq!(fs::read_to_string(lab.path().join("data/a")).unwrap(), "again");
}

#[test]
fn lost_data_is_restored_in_place_without_a_safety_snapshot() {
    let lab = Lab::new();
    lab.run("backup").code(0);
    fs::remove_dir_all(lab.path().join("data")).unwrap();
    lab.run("restore nightly --in-place --yes").code(0).says(&["warning: no safety snapshot"]);
    assert_eq!(fs::read_to_string(lab.path().join("data/a")).unwrap(), "first");
}

#[test]
fn what_is_asked_for_wrongly_ends_with_2_and_says_what_to_do() {
    let lab = Lab::new();
    lab.run("backup").code(0);
    let full = format!("restore nightly --to {}", lab.path().join("data").display());
    for (words, said) in [
        ("bogus", "unrecognized subcommand"),
        ("restore nightly", "--to <TARGET>|--in-place"),
        ("verify --sample 0%", "more than 0%"),
        ("backup nightl", "did you mean \"nightly\"?"),
        ("show nightly@1999", "seaworthy snapshots nightly"),
        ("show nightly@2", ""),
        ("verify nightly --sink b2", "does not use the sink"),
        ("restore nightly --to x --source db", "it holds data"),
        ("restore nightly --to x --only /nothing", "show nightly@"),
        ("--config none.toml backup", "none.toml"),
        (full.as_str(), "is not empty"),
    ] {
        let code = if words == "show nightly@2" { 0 } else { 2 };
        lab.run(words).code(code).says(&[said]);
    }
    lab.run("backup").code(0);
    lab.run("show nightly@2").code(2).says(&["could mean nightly@"]);
    assert!(!lab.path().join("x").exists());
}

#[test]
fn a_wrong_file_is_named_with_line_and_column_and_nothing_is_touched() {
    let lab = Lab::new();
    lab.config("keeep = { last = 2 }");
    for words in ["config check", "backup", "snapshots"] {
        lab.run(words).code(2).says(&["seaworthy.toml:7:1: ", "did you mean \"keep\"?"]);
    }
    assert!(!lab.path().join("sink").exists() && !lab.path().join("state").exists());
    let json = lab.run("config check --json").code(2).json();
    assert_eq!(json["command"], "config check");
    assert_eq!(json["error"]["kind"], "config");
    assert_eq!(json["error"]["context"]["line"], "7");
    lab.config("");
    assert!(lab.run("config check").code(0).stdout().contains("1 job, 1 sink"));
}

#[test]
fn a_document_is_printed_also_when_the_command_line_is_wrong() {
    let lab = Lab::new();
    for words in ["--json bogus", "backup --json --what", "restore --json nightly"] {
        let json = lab.run(words).code(2).json();
        assert_eq!(json["outcome"], "wrong");
        assert_eq!(json["error"]["kind"], "invalid_input");
    }
}

#[test]
fn global_options_stand_before_or_after_the_command() {
    let lab = Lab::new();
    fs::rename(lab.path().join("seaworthy.toml"), lab.path().join("x.toml")).unwrap();
    lab.run("--config x.toml --json config check").code(0).json();
    lab.run("config check --json --config x.toml").code(0).json();
    lab.run("config --config x.toml check --json -q").code(0).json();
    lab.run("config check").code(2).says(&["--config FILE"]);
}

#[test]
fn a_dry_run_stores_and_removes_nothing() {
    let lab = Lab::new();
    let run = lab.run("backup --dry-run").code(0);
    assert!(run.stdout().contains("would be stored"), "{}", run.stdout());
    assert!(!lab.path().join("sink/nightly").exists());
    fs::remove_dir_all(lab.path().join("data")).unwrap();
    lab.run("backup --dry-run").code(1).says(&["data"]);
}

#[test]
fn an_empty_source_is_done_with_losses_until_accepted() {
    let lab = Lab::new();
    lab.run("backup").code(0);
    fs::remove_dir_all(lab.path().join("data")).unwrap();
    fs::create_dir(lab.path().join("data")).unwrap();
    let run = lab.run("backup").code(3);
    assert!(run.stdout().contains("is empty") && run.stdout().contains("--accept"));
    lab.run("backup --accept").code(0);
}

#[test]
fn schema_completions_and_manual_are_printed_without_a_file() {
    let lab = Lab::new();
    fs::remove_file(lab.path().join("seaworthy.toml")).unwrap();
    for words in ["config schema", "config schema --output"] {
        let text = lab.run(words).code(0).stdout();
        assert!(serde_json::from_str::<Value>(&text).unwrap()["$schema"].is_string());
    }
    assert!(lab.run("completions bash").code(0).stdout().contains("_seaworthy"));
    let manual = lab.run("man").code(0).stdout();
    assert!(manual.contains(".TH") && manual.contains("in\\-place"), "{manual}");
}
