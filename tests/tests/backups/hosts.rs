//! Two machines that store in one place.

use std::{fs, process::Command};

use seaworthy_tests::{Lab, Run};

/// Runs the program as if this machine were another one, called `db2`.
fn on_db2(lab: &Lab, arguments: &[&str]) -> Run {
    let id = lab.write("machine-id", "0123456789abcdef0123456789abcdef\n");
    let program = lab.command(arguments);
    let mut unshare = Command::new("unshare");
    let script = "mount --bind \"$0\" /etc/machine-id && hostname db2 && exec \"$@\"";
    unshare.args(["--mount", "--uts", "bash", "-c", script]).arg(id);
    unshare.arg(program.get_program()).args(program.get_args()).current_dir(lab.path("."));
    Run::of(unshare.output().unwrap(), arguments).expect_code(0)
}

fn listed(lab: &Lab, more: &[&str]) -> Vec<String> {
    let run = lab.ok(&[&["snapshots", "--json"], more].concat()).json();
    let snapshots = run["result"]["listings"][0]["snapshots"].as_array().unwrap().clone();
    snapshots.iter().map(|snapshot| snapshot["host"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn another_machine_is_meant_where_it_is_named() {
    let lab = Lab::new().with_line("keep = { last = 1 }");
    lab.write("data/a", "ours");
    lab.ok(&["backup"]);
    lab.write("data/a", "former");
    on_db2(&lab, &["backup"]);
    lab.write("data/a", "theirs");
    on_db2(&lab, &["backup"]);
    let both = listed(&lab, &[]);
    assert_eq!(both.len(), 2, "each prunes its own: {both:?}");
    let theirs = listed(&lab, &["--host", "DB2"]).remove(0);
    assert_eq!(both.iter().filter(|host| **host == theirs).count(), 1);
    assert_eq!(listed(&lab, &["--host", &theirs[..6]]), [theirs.as_str()]);

    let restored = |to: &str, more: &[&str]| {
        lab.ok(&[&["restore", "nightly", "--to", to], more].concat());
        let file = lab.path("data/a");
        fs::read_to_string(lab.path(to).join(file.strip_prefix("/").unwrap())).unwrap()
    };
    assert_eq!(restored("ours", &[]), "ours");
    assert_eq!(restored("theirs", &["--host", "db2"]), "theirs");
    let shown = lab.ok(&["show", "nightly", "--host", "db2", "--json"]).json();
    assert_eq!(shown["result"]["manifest"]["host_name"], "db2");
    let verified = lab.ok(&["verify", "--host", "db2", "--json"]).json();
    assert_eq!(verified["result"]["verified"][0]["id"], shown["result"]["manifest"]["id"]);
    lab.ok(&["drill", "nightly", "--host", "db2"]);

    // Their data in our place: what is made safe before is ours.
    lab.write("data/a", "precious");
    lab.ok(&["restore", "nightly", "--host", "db2", "--in-place", "--yes"]);
    assert_eq!(fs::read_to_string(lab.path("data/a")).unwrap(), "theirs");
    assert_eq!(listed(&lab, &[]).len(), 3);
    assert_eq!(listed(&lab, &["--host", "db2"]).len(), 1);

    let run = lab.run(&["snapshots", "--host", "db3"]).expect_code(1);
    run.says(&["there is no snapshot of a machine called \"db3\"", "db2 ("]);
}

#[test]
fn the_snapshots_of_a_named_machine_are_pruned_by_their_own_rules() {
    let lab = Lab::new();
    lab.write("data/a", "a");
    for _ in 0..3 {
        on_db2(&lab, &["backup"]);
    }
    lab.ok(&["backup"]);
    let lab = lab.with_line("keep = { last = 1 }");
    lab.ok(&["prune"]);
    assert_eq!(listed(&lab, &[]).len(), 4, "those of others stay");
    lab.ok(&["prune", "--host", "db2", "--dry-run"]);
    assert_eq!(listed(&lab, &[]).len(), 4);
    lab.ok(&["prune", "--host", "db2"]);
    assert_eq!(listed(&lab, &[]).len(), 2);
    assert_eq!(listed(&lab, &["--host", "db2"]).len(), 1);
}
