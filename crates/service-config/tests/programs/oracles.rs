//! Independent readers: systemd's own tools, PyYAML, GitHub's schema, a crontab parser and node
//! take what is rendered for what was meant.

use std::process::Command;

use seaworthy_core::{FileSet, TimeZone};
use seaworthy_service_config::{
    CronRenderer, Pm2Renderer, Services, SystemdRenderer, WorkflowRenderer,
};

use crate::support::{example, output, python, render, run, said, services, text, written};

/// The examples with programs and folders that every machine has.
fn model(name: &str) -> Services {
    let text = example(name)
        .replace("/opt/flotteq/api", "/opt")
        .replace("[\".venv/bin/uvicorn\"", "[\"/usr/bin/python3\"")
        .replace("[\"node\"", "[\"/usr/bin/env\", \"node\"");
    let mut model = services(&text);
    // The program itself is not installed where the tests run.
    model.program = seaworthy_core::CommandLine::new(["/bin/true", "--config", "x"]).unwrap();
    model
}

fn units(name: &str) -> FileSet {
    render(&SystemdRenderer, &model(name))
}

#[test]
fn systemd_says_nothing_about_the_units() {
    for name in ["flotteq", "gw2"] {
        let files = units(name);
        let folder = written(&files);
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no"]).current_dir(folder.path());
        for (path, _) in files.iter() {
            command.arg(format!("./{}", path.replace("@.", "@3000.")));
        }
        let verified = output(&mut command);
        assert!(verified.status.success() && said(&verified).is_empty(), "{}", said(&verified));
    }
}

/// systemd's exposure of a unit, from 0 to 10.
fn exposure(files: &FileSet, unit: &str) -> f64 {
    let folder = written(files);
    let path = folder.path().join(unit);
    let checked = run("systemd-analyze", &["security", "--offline=true", path.to_str().unwrap()]);
    let text = said(&checked);
    let (_, rest) =
        text.split_once("Overall exposure level for ").unwrap_or_else(|| panic!("{text}"));
    rest.split_whitespace().nth(1).unwrap().parse().unwrap_or_else(|_| panic!("{rest}"))
}

#[test]
fn services_are_hardened_by_default() {
    let node = exposure(&units("flotteq"), "seaworthy-api@.service");
    let python = exposure(&units("gw2"), "seaworthy-gw2.service");
    let bare = services("[service.a]\ncommand = [\"/bin/true\"]\n");
    let made_up = exposure(&render(&SystemdRenderer, &bare), "seaworthy-a.service");
    let runner = exposure(&units("flotteq"), "seaworthy.service");
    let restart = exposure(&units("flotteq"), "seaworthy-api-restart.service");
    println!("node {node}, python {python}, no user {made_up}, run {runner}, restart {restart}");
    for exposed in [node, python, made_up] {
        assert!(exposed <= 1.5, "{node} {python} {made_up}");
    }
    let mut listening = services("");
    listening.runner.as_mut().unwrap().low_ports = true;
    let listening = exposure(&render(&SystemdRenderer, &listening), "seaworthy.service");
    assert!(runner <= 3.0 && restart <= 3.0 && listening <= 3.0, "{runner} {restart} {listening}");
}

#[test]
fn each_step_down_of_our_own_job_has_its_reason() {
    let unit = text(&units("flotteq"), "seaworthy.service");
    let lines: Vec<_> = unit.lines().collect();
    for weak in [
        "CapabilityBoundingSet=CAP",
        "ProtectHome=read-only",
        "RestrictAddressFamilies=AF_UNIX",
        "SystemCallFilter=~@resources",
    ] {
        let at = lines.iter().position(|line| line.starts_with(weak)).unwrap();
        assert!(lines[at - 1].starts_with("# "), "{weak}");
    }
}

const READ_YAML: &str = "import json, sys, yaml\n\
                         print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";

#[test]
fn github_takes_the_workflows() {
    for name in ["flotteq", "gw2"] {
        let files = render(&WorkflowRenderer, &model(name));
        let folder = written(&files);
        for (path, _) in files.iter() {
            let path = folder.path().join(path);
            let schema = crate::support::python_programs().join("check-jsonschema");
            let checked = run(
                schema.to_str().unwrap(),
                &["--builtin-schema", "vendor.github-workflows", path.to_str().unwrap()],
            );
            assert!(checked.status.success(), "{}", said(&checked));
            let read = python(READ_YAML, &[path.to_str().unwrap()]);
            let read: serde_json::Value = serde_json::from_str(&read).unwrap();
            let jobs = read["jobs"].as_object().unwrap();
            let deploy = &jobs["deploy"];
            for (name, job) in jobs {
                let needed = deploy["needs"].as_array().unwrap().iter().any(|n| n == name);
                assert!(needed || name == "deploy", "deploy does not wait for {name}");
                for step in job["steps"].as_array().unwrap() {
                    let run = step["run"].as_str().unwrap_or_default();
                    assert!(!run.contains("${{"), "{run}");
                    let Some(action) = step["uses"].as_str() else { continue };
                    let (_, pin) = action.split_once('@').unwrap();
                    assert!(pin.len() == 40 && pin.bytes().all(|c| c.is_ascii_hexdigit()));
                }
            }
            assert_eq!(deploy["environment"]["name"], "production");
        }
    }
}

#[test]
fn texts_of_any_kind_come_back_from_yaml() {
    for sharp in
        ["yes", "1e3", "# x", "a: b", "'", "\"", "\\n", "é ü €", "😀", "*a", "!!x", "| x", "%"]
    {
        let run = serde_json::to_string(&["printf", "%s", sharp]).unwrap();
        let model = services(&format!(
            "[service.a]\ncommand = [\"a\"]\n[service.a.ci.test.t]\nrun = [{run}]\n"
        ));
        let folder = written(&render(&WorkflowRenderer, &model));
        let path = folder.path().join("workflows/a.yml");
        let read = python(READ_YAML, &[path.to_str().unwrap()]);
        let read: serde_json::Value = serde_json::from_str(&read).unwrap();
        let line = read["jobs"]["test-t"]["steps"][1]["run"].as_str().unwrap();
        let printed = Command::new("sh").args(["-c", line]).output().unwrap();
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), sharp);
    }
}

const READ_CRONTAB: &str = "import json, sys\nfrom crontab import CronTab\n\
    tab = CronTab(tabfile=sys.argv[1], user=False)\n\
    print(json.dumps([[str(j.slices), j.user, j.command] for j in tab if j.is_valid()]))";

#[test]
fn another_reader_takes_the_crontab_for_the_same_jobs() {
    let mut model = model("flotteq");
    let sharp = ["/bin/echo", "50% off", "it's", "a\\b", "$HOME", "*"];
    model.program = seaworthy_core::CommandLine::new(sharp).unwrap();
    let files = render(&CronRenderer::new(TimeZone::named("Europe/Paris").unwrap()), &model);
    let folder = written(&files);
    let path = folder.path().join("seaworthy");
    let read: Vec<[String; 3]> =
        serde_json::from_str(&python(READ_CRONTAB, &[path.to_str().unwrap()])).unwrap();
    assert_eq!(read.len(), 2, "{read:?}");
    assert_eq!(read[0][0], "0 4 * * *");
    assert_eq!(read[1][0].split(' ').count(), 5);
    assert!(read.iter().all(|[_, user, _]| user == "root"));
    // cron turns an escaped percent sign into a bare one, and hands the rest to sh.
    let line = read[1][2].replace("\\%", "%");
    let printed = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(
        String::from_utf8(printed.stdout).unwrap(),
        "50% off it's a\\b $HOME * run --quiet\n"
    );
    let other = CronRenderer::new(TimeZone::utc());
    let error = seaworthy_core::ConfigRenderer::render(&other, &model).unwrap_err();
    assert!(error.to_string().contains("Europe/Paris"), "{error}");
}

#[test]
fn node_reads_the_ecosystem_file() {
    let text = "[service.a]\ncommand = [\"node\", \"a b.js\", \"it's \\\"q\\\" \\\\ ${x} `y`\"]\n\
                environment = { A = \"</script> \\\\u0041 'x' ${y}\" }\nport = 3000\n";
    let folder = written(&render(&Pm2Renderer, &services(text)));
    let path = folder.path().join("ecosystem.config.cjs");
    let script = "console.log(JSON.stringify(require(process.argv[1])))";
    let read = run("node", &["-e", script, path.to_str().unwrap()]);
    let read: serde_json::Value =
        serde_json::from_slice(&read.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&read)));
    let app = &read["apps"][0];
    assert_eq!(app["script"], "a b.js");
    assert_eq!(app["args"][0], "it's \"q\" \\ ${x} `y`");
    assert_eq!(app["env"]["A"], "</script> \\u0041 'x' ${y}");
    assert_eq!(app["env"]["PORT"], 3000);
}
