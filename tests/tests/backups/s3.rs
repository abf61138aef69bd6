//! The program with its snapshots in buckets.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::small_disk::SmallDisk;
use seaworthy_tests::{
    Lab, Run, noise,
    s3::{
        B2, B2Key, FaultProxy, FilesServer, InstanceMetadata, KEY_ID, SECRET, Trouble, TunnelProxy,
        When,
    },
    tree,
};

/// A lab whose job stores in the bucket behind `url`; `more` are lines of the sink.
fn lab(url: &str, more: &str) -> Lab {
    let keys = "access_key_id = { file = \"id\" }\nsecret_access_key = { file = \"secret\" }\n";
    lab_without_keys(url, &format!("{keys}{more}"))
}

fn lab_without_keys(url: &str, more: &str) -> Lab {
    let lab = Lab::new();
    lab.write("id", format!("{KEY_ID}\n"));
    lab.write("secret", SECRET);
    lab.with_config(&format!(
        "state = \"state\"\n[sink.off]\ntype = \"s3\"\nbucket = \"backups\"\nprefix = \"prod\"\n\
         endpoint = {url:?}\nallow_http = true\nretries = 3\ntimeout = \"20s\"\n{more}\n{JOB}"
    ))
}

const JOB: &str = "[backup.nightly]\nsinks = [\"off\"]\nkeep = { last = 2 }\n\
                   limit = { temp = \".\", workers = 1 }\n\
                   [backup.nightly.sources.data]\ntype = \"files\"\npaths = [\"data\"]\n";

fn ids(lab: &Lab) -> Vec<String> {
    let listed = lab.ok(&["--json", "snapshots"]).json();
    let text = listed.to_string();
    let ids =
        text.split("\"id\":\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    ids.collect()
}

fn fill(lab: &Lab) {
    lab.write("data/a", noise(5000, 1));
    lab.write("data/b/c", "text ".repeat(500));
    lab.write("data/large", noise(18 << 20, 2));
}

fn restored(lab: &Lab) -> Vec<String> {
    let data = lab.path("data");
    tree(&lab.path("out").join(data.strip_prefix("/").unwrap()))
}

#[test]
fn a_snapshot_lives_its_whole_life_in_a_bucket() {
    let server = FilesServer::start();
    let lab = lab(&server.url(), "");
    fill(&lab);
    for _ in 0..3 {
        lab.ok(&["backup"]);
    }
    assert_eq!(ids(&lab).len(), 2, "retention was applied");
    lab.ok(&["verify", "nightly"]);
    lab.ok(&["restore", "nightly", "--to", "out"]);
    assert_eq!(restored(&lab), tree(&lab.path("data")));
    lab.ok(&["pin", "nightly"]);
    lab.ok(&["unpin", "nightly"]);
    lab.ok(&["prune", "--dry-run"]);
    lab.ok(&["show", "nightly", "--files"]);
    assert_eq!(server.unfinished(), 0);
}

#[test]
fn a_flipped_byte_is_found_and_never_restored_in_silence() {
    let server = FilesServer::start();
    let lab = lab(&server.url(), "");
    fill(&lab);
    lab.ok(&["backup"]);
    let folder = server.bucket().join("prod/nightly").join(&ids(&lab)[0]);
    let file = folder.join("data.tar.zst");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&file, bytes).unwrap();
    let run = lab.run(&["verify", "nightly"]).expect_code(1);
    assert!(format!("{}{}", run.stdout, run.stderr).contains("data.tar.zst"), "{run:?}");
    let name = format!("nightly@{}", ids(&lab)[0]);
    lab.run(&["restore", &name, "--to", "out"]).expect_code(1);
    assert!(!lab.path("out").exists());
}

#[test]
fn storms_and_lost_answers_pass_and_the_snapshot_is_whole() {
    let server = FilesServer::start();
    let proxy = FaultProxy::start(&server.url());
    let lab = lab(&proxy.url(), "");
    fill(&lab);
    proxy.plan(When::Always, 3, 3, Trouble::Status(503));
    proxy.plan(When::Part, 1, 1, Trouble::CutRequest(1 << 20));
    proxy.plan(When::Complete, 0, 1, Trouble::LoseAnswer);
    proxy.plan(When::Manifest, 0, 1, Trouble::LoseAnswer);
    lab.ok(&["backup"]);
    assert!(proxy.heal() >= 6);
    lab.ok(&["verify", "nightly"]);
    lab.ok(&["restore", "nightly", "--to", "out"]);
    assert_eq!(restored(&lab), tree(&lab.path("data")));
}

#[test]
fn a_refusal_in_the_middle_fails_clearly_and_shows_no_secret() {
    let server = FilesServer::start();
    let proxy = FaultProxy::start(&server.url());
    let lab = lab(&proxy.url(), "");
    fill(&lab);
    proxy.plan(When::Part, 1, usize::MAX, Trouble::Status(403));
    let run = lab.run(&["-vv", "backup"]).expect_code(1);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains(SECRET));
    run.says(&["403 AccessDenied", "s3:PutObject", "help:"]);
    proxy.heal();
    assert!(ids(&lab).is_empty());
    assert_eq!(server.unfinished(), 0);
}

#[test]
fn a_full_disk_at_the_store_fails_clearly_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&folder.path().join("disk"), "12m");
    let server = FilesServer::start_in(disk.path());
    let lab = lab(&server.url(), "");
    fill(&lab);
    let run = lab.run(&["backup"]).expect_code(1);
    run.says(&["data.tar.zst", "s3://backups/prod", "help:"]);
    assert!(ids(&lab).is_empty());
    assert_eq!(server.unfinished(), 0);
    fs::remove_file(lab.path("data/large")).unwrap();
    lab.ok(&["backup"]);
    drop(server);
}

#[test]
fn keys_come_from_the_environment_a_profile_or_the_machine() {
    let server = FilesServer::start();
    let url = server.url().replace("127.0.0.1", "localhost");
    let fresh = || {
        let lab = lab_without_keys(&url, "");
        lab.write("data/a", "x");
        lab
    };
    let run = |lab: &Lab, variables: &[(&str, &str)]| {
        let mut command = lab.command(&["backup"]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"] {
            command.env_remove(name);
        }
        command.env("HOME", lab.path("home")).envs(variables.iter().copied());
        command.output().unwrap()
    };
    let backup = |lab: &Lab, variables: &[(&str, &str)]| {
        let output = run(lab, variables);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    backup(&fresh(), &[("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
    let with_profile = fresh();
    let profile =
        format!("[mine]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n");
    with_profile.write("home/.aws/credentials", profile);
    backup(&with_profile, &[("AWS_PROFILE", "mine")]);
    let metadata = InstanceMetadata::start();
    // No proxy knows what this machine is told about itself, whatever the environment says.
    let proxy = ("HTTP_PROXY", "http://127.0.0.1:1");
    let past = ("NO_PROXY", "localhost");
    backup(&fresh(), &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.url()), proxy, past]);
    let in_container = fresh();
    let token = in_container.write("token", "container-token");
    backup(
        &in_container,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container", metadata.url())),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
            proxy,
            past,
        ],
    );
    let with_token = fresh();
    let token = with_token.write("token", "web-token");
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap());
    let sts = format!("{}/sts", metadata.url());
    let role = [
        token,
        ("AWS_ROLE_ARN", "backup"),
        ("AWS_ROLE_SESSION_NAME", "nightly"),
        ("AWS_ENDPOINT_URL_STS", &sts),
    ];
    backup(&with_token, &role);
    let output = run(&with_token, &[token]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("AWS_ROLE_ARN"), "{output:?}");
}

/// A lab that stores in the stand-in for B2, as its key `who`.
fn b2_lab(server: &B2, who: &str, more: &str) -> Lab {
    server.lab(who, &format!("{more}\n{JOB}"))
}

#[test]
fn a_killed_run_leaves_nothing_listable_and_the_next_one_gives_up_its_upload() {
    let server = B2::start(vec![B2Key::new("k", B2Key::ALL).below("prod/")]);
    let lab = b2_lab(&server, "k", "limit = { upload = \"2MiB/s\" }");
    lab.write("data/large", noise(30 << 20, 1));
    let mut command = lab.command(&["backup"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.unfinished() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it was killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(server.unfinished(), 1);
    assert!(ids(&lab).is_empty());
    fs::remove_file(lab.path("data/large")).unwrap();
    lab.write("data/small", "x");
    lab.ok(&["backup"]);
    assert_eq!(server.unfinished(), 0);
    assert_eq!(ids(&lab).len(), 1);
}

#[test]
fn an_append_only_bucket_is_pruned_by_another_key_alone() {
    let server = B2::start(vec![
        B2Key::new("adds", &B2Key::ALL[..3]).below("prod/"),
        B2Key::new("prunes", B2Key::ALL),
    ]);
    let lab = b2_lab(&server, "adds", "append_only = true");
    lab.write("data/a", "x");
    lab.run(&["backup"]).expect_code(2).says(&["append-only", "within", "keep"]);
    let text = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let lab = lab.with_config(&text.replace("last = 2", "within = \"1s\""));
    for _ in 0..4 {
        lab.ok(&["backup"]);
    }
    assert_eq!(ids(&lab).len(), 4, "runs do not prune");
    lab.run(&["prune"]).expect_code(2).says(&["[sink.off.prune]"]);
    lab.ok(&["prune", "--dry-run"]);
    lab.write("prune", "prunes");
    let text = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let keys = "[sink.off.prune]\nkey_id = { file = \"prune\" }\n\
                application_key = { file = \"secret\" }\n[backup.nightly]\n";
    let lab = lab.with_config(&text.replace("[backup.nightly]\n", keys));
    let before = ids(&lab);
    let hidden = format!("prod/nightly/{}/", before[3]);
    let stored = server.versions(&hidden);
    server.hide(&format!("{hidden}manifest.json"));
    // Snapshots of one second are named after later ones: the clock has to come up with them.
    let newest = &before[0].as_str()[..16];
    let now = || Command::new("date").args(["-u", "+%Y%m%dT%H%M%SZ"]).output().unwrap().stdout;
    while String::from_utf8(now()).unwrap().trim() <= newest {
        std::thread::sleep(Duration::from_millis(20));
    }
    lab.ok(&["prune"]).says(&["hidden", &before[3]]);
    // Snapshots are a second apart at least, so the third is older than a second.
    let left = ids(&lab);
    assert!(left.len() <= 2 && left[0] == before[0], "what is older is gone: {before:?} {left:?}");
    assert_eq!(server.versions(&format!("prod/nightly/{}/", before[2])), 0);
    assert_eq!(server.versions(&hidden), stored + 1, "what somebody hid is all there");
}

#[test]
fn the_rate_limit_of_a_job_holds() {
    let server = FilesServer::start();
    let lab = lab(&server.url(), "");
    lab.write("data/a", noise(3 << 20, 1));
    let text = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let lab = lab.with_config(&text.replace("workers = 1", "workers = 1, upload = \"1MiB/s\""));
    let start = std::time::Instant::now();
    lab.ok(&["backup"]);
    // A limit is a promise of a least time.
    assert!(start.elapsed().as_secs_f64() >= 2.0, "{:?}", start.elapsed());
}

#[test]
fn stock_tools_read_what_lies_in_the_bucket() {
    let server = FilesServer::start();
    let lab = lab(&server.url(), "");
    fill(&lab);
    lab.ok(&["backup"]);
    let folder = server.bucket().join("prod/nightly").join(&ids(&lab)[0]);
    let shell = "sha256sum -c SHA256SUMS && zstd -dc data.tar.zst | tar -xf - -C \"$1\"";
    let out = lab.path("out");
    fs::create_dir(&out).unwrap();
    let mut command = Command::new("bash");
    command.args(["-o", "pipefail", "-c", shell, "x"]).arg(&out).current_dir(folder);
    assert!(command.status().unwrap().success());
    assert_eq!(restored(&lab), tree(&lab.path("data")));
}

#[test]
fn a_proxy_of_the_environment_is_used_and_its_password_is_shown_nowhere() {
    let (server, folder) = (FilesServer::start(), tempfile::tempdir().unwrap());
    let store = FaultProxy::start_tls(&server.url(), folder.path());
    let roots = folder.path().join("roots.pem");
    let lab = lab(&store.url(), &format!("roots = {roots:?}"));
    let text = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let lab = lab.with_config(&text.replace("retries = 3", "retries = 1"));
    fill(&lab);
    // me:hunter2
    let proxy = TunnelProxy::start("Basic bWU6aHVudGVyMg==");
    let run = |variables: &[(&str, &str)]| {
        let mut command = lab.command(&["-vv", "backup"]);
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let run = Run::of(output, &["backup"]);
        assert!(!format!("{}{}", run.stdout, run.stderr).contains("hunter"), "{}", run.stderr);
        run
    };
    let right = format!("http://me:hunter2@{}", proxy.address());
    run(&[("HTTPS_PROXY", &right)]).expect_code(0);
    let first = proxy.tunnels();
    assert!(first > 0, "nothing went through the proxy");
    run(&[("all_proxy", &right)]).expect_code(0);
    let second = proxy.tunnels();
    assert!(second > first);
    run(&[("HTTPS_PROXY", &right), ("NO_PROXY", "other.example, localhost")]).expect_code(0);
    assert_eq!(proxy.tunnels(), second, "the store needs no proxy");

    let wrong = right.replace("hunter2", "hunter3");
    run(&[("HTTPS_PROXY", &wrong)]).expect_code(1).says(&["the proxy", "HTTPS_PROXY", "help:"]);
    run(&[("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:1")]).expect_code(1).says(&["refused"]);
    let nowhere = "http://me:hunter2@no-such-proxy.invalid:3128";
    run(&[("HTTPS_PROXY", nowhere)]).expect_code(1).says(&["resolved"]);
    run(&[("HTTPS_PROXY", "ftp://me:hunter2@proxy")]).says(&["proxy's address", "help:"]);
    assert_eq!(proxy.tunnels(), second);
}
