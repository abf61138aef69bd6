//! The installer, rolling restarts and deploys with real processes. A small supervisor plays the
//! part of systemd's process 1; systemd-analyze is the real one.

use std::{fs, path::PathBuf, process::Command};

use seaworthy_core::{Applied, ErrorKind, Name};
use seaworthy_service_config::{Deployed, Releases};

use crate::lab::{Clients, Lab, free_ports, get};

fn api(port: u16, instances: u16, more: &str) -> String {
    format!(
        "[service.api]\ncommand = [\"/usr/bin/env\", \"node\", \"server.js\"]\ndirectory = \"/lab/app\"\n\
         port = {port}\ninstances = {instances}\nhealth = \"/health\"\nstart_timeout = \"20s\"\n\
         stop_timeout = \"10s\"\nuser = \"daemon\"\n{more}\n"
    )
}

fn field(error: &seaworthy_core::Error) -> String {
    error.place().map(ToString::to_string).unwrap_or_default()
}

fn fact(error: &seaworthy_core::Error, wanted: &str) -> String {
    let mut facts = error.context().filter(|(name, _)| *name == wanted);
    facts.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// The process that answers on `port`.
fn process(port: u16) -> String {
    let (_, body) = get(port, "/").unwrap();
    body.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_started_changed_scaled_and_removed() {
    let lab = Lab::new();
    let port = free_ports(4);
    let schedule = "restart_schedule = \"0 4 * * *\"\n";
    let two = api(port, 2, schedule);
    assert_eq!(lab.apply(&two).await.unwrap(), Applied::Changed);
    assert_eq!(get(port, "/").unwrap().0, 200);
    lab.calls();
    for (target, unit) in [
        ("timers.target", "seaworthy-api-restart.timer"),
        ("multi-user.target", "seaworthy-api.target"),
    ] {
        let link = lab.path(&format!("systemd/system/{target}.wants/{unit}"));
        assert!(link.is_symlink() && link.exists(), "{unit} is not started at boot");
    }
    let link = lab.path("systemd/system/seaworthy-api@.service");
    let target = fs::read_link(link).unwrap();
    assert_eq!(target, lab.path("systemd/seaworthy/current/seaworthy-api@.service"));

    // The same again does nothing.
    let before = [process(port), process(port + 1)];
    assert_eq!(lab.apply(&two).await.unwrap(), Applied::Unchanged);
    assert_eq!(lab.calls(), Vec::<String>::new());

    // A third instance leaves the others alone.
    lab.apply(&api(port, 3, schedule)).await.unwrap();
    assert_eq!([process(port), process(port + 1)], before);
    assert_eq!(get(port + 2, "/").unwrap().0, 200);

    // A changed unit restarts one instance after the other.
    lab.calls();
    lab.apply(&api(port, 3, &format!("{schedule}environment = {{ NOTE = \"b\" }}"))).await.unwrap();
    let restarts: Vec<_> = lab.calls().into_iter().filter(|c| c.starts_with("restart")).collect();
    let expected: Vec<_> =
        (0..3).map(|i| format!("restart seaworthy-api@{}.service", port + i)).collect();
    assert_eq!(restarts, expected);
    assert!(get(port, "/").unwrap().1.ends_with(" b"));

    // Fewer instances stop the others; no service at all leaves nothing.
    lab.apply(&api(port, 1, schedule)).await.unwrap();
    assert!(get(port + 2, "/").is_err() && get(port + 1, "/").is_err());
    lab.apply("").await.unwrap();
    assert!(get(port, "/").is_err());
    for folder in ["", "/timers.target.wants", "/multi-user.target.wants"] {
        let entries = fs::read_dir(lab.path(&format!("systemd/system{folder}"))).unwrap();
        let left = entries.flatten().filter(|entry| !entry.path().is_dir()).count();
        assert_eq!(left, 0, "{folder}");
    }
}

/// systemd's own tool sees the links as we mean them, in this generation and the next.
#[tokio::test(flavor = "multi_thread")]
async fn systemctl_sees_units_that_are_started_at_boot() {
    let lab = Lab::new();
    let port = free_ports(1);
    for more in ["", "environment = { NOTE = \"b\" }"] {
        lab.apply(&api(port, 1, more)).await.unwrap();
        let root = lab.path("root");
        let _ = fs::remove_dir_all(&root);
        let etc = root.join("etc/systemd");
        fs::create_dir_all(&etc).unwrap();
        let copied = Command::new("cp")
            .args(["-a", lab.path("systemd/.").to_str().unwrap(), etc.to_str().unwrap()])
            .status();
        assert!(copied.unwrap().success());
        // The links lead to where the files will be in that root.
        for unit in ["seaworthy-api.target", "seaworthy-api@.service"] {
            fs::remove_file(etc.join("system").join(unit)).unwrap();
            let target = format!("/etc/systemd/seaworthy/current/{unit}");
            std::os::unix::fs::symlink(target, etc.join("system").join(unit)).unwrap();
        }
        let asked = Command::new("systemctl")
            .args(["--root", root.to_str().unwrap(), "is-enabled", "seaworthy-api.target"])
            .output()
            .expect("cannot run systemctl: apt-get install systemd");
        assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), "enabled", "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_become_well_is_taken_back() {
    let lab = Lab::new();
    let port = free_ports(2);
    lab.apply(&api(port, 2, "")).await.unwrap();
    let second = process(port + 1);
    let sick = api(port, 2, "environment = { WELL = \"no\" }").replace("\"20s\"", "\"2s\"");
    let error = lab.apply(&sick).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(field(&error), "service.api.health");
    assert!(error.to_string().contains(&format!("seaworthy-api@{port}.service")), "{error}");
    assert_eq!(get(port, "/").unwrap().0, 200);
    assert_eq!(get(port + 1, "/").unwrap().0, 200);
    let _ = second;
    assert_eq!(lab.apply(&api(port, 2, "")).await.unwrap(), Applied::Unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_systemd_refuses_never_becomes_live() {
    let lab = Lab::new();
    let port = free_ports(1);
    let missing = api(port, 1, "").replace("/usr/bin/env", "/nowhere/program");
    let error = lab.apply(&missing).await.unwrap_err();
    assert_eq!((error.kind(), field(&error).as_str()), (ErrorKind::Config, "service.api.command"));
    assert!(error.to_string().contains("/nowhere/program"), "{error}");
    assert_eq!(lab.calls(), Vec::<String>::new());
    // A file of somebody else is never replaced.
    fs::write(lab.path("systemd/system/seaworthy-api.target"), "[Unit]\n").unwrap();
    let error = lab.apply(&api(port, 1, "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
    assert_eq!(
        fs::read_to_string(lab.path("systemd/system/seaworthy-api.target")).unwrap(),
        "[Unit]\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_nginx_drops_no_request() {
    let mut lab = Lab::new();
    let port = free_ports(3);
    let text = api(port, 3, "");
    lab.apply(&text).await.unwrap();
    let before: Vec<_> = (port..port + 3).map(process).collect();
    let front = lab.nginx(&[port, port + 1, port + 2]);
    let clients = Clients::start(front, 6);
    lab.restart(&text, "api").await.unwrap();
    let (asked, lost) = clients.stop();
    println!("{asked} requests, {} lost", lost.len());
    assert!(lost.is_empty() && asked > 100, "{} of {asked} lost: {:?}", lost.len(), lost.first());
    let after: Vec<_> = (port..port + 3).map(process).collect();
    assert!(before.iter().zip(&after).all(|(a, b)| a != b), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_stops_at_the_first_that_is_not_well() {
    let lab = Lab::new();
    let port = free_ports(2);
    let text = api(port, 2, "").replace("\"20s\"", "\"2s\"");
    lab.apply(&text).await.unwrap();
    let second = process(port + 1);
    lab.write_app("app", "bad");
    let error = lab.restart(&text, "api").await.unwrap_err();
    assert_eq!(fact(&error, "not restarted"), "1", "{error:?}");
    assert_eq!(process(port + 1), second);
    assert_eq!(get(port + 1, "/").unwrap().0, 200);
    let model = lab.model(&text);
    let systemctl = lab.systemctl();
    let control = model.control(&Name::new("api").unwrap(), &systemctl).unwrap();
    let status = control.status(&lab.cx).await.unwrap();
    let well: Vec<_> = status.instances.iter().map(|instance| instance.well).collect();
    assert_eq!(well, [false, true]);
    assert!(status.instances[0].why.as_ref().unwrap().contains("503"), "{status:?}");
    control.stop(&lab.cx).await.unwrap();
    assert!(get(port, "/").is_err() && get(port + 1, "/").is_err());
    let status = control.status(&lab.cx).await.unwrap();
    assert_eq!(status.instances[0].state, "inactive");
    lab.write_app("app", "two");
    control.start(&lab.cx).await.unwrap();
    assert!(get(port, "/").unwrap().1.starts_with("two "));
}

async fn deploy(lab: &Lab, text: &str, from: &str) -> seaworthy_core::Result<Deployed> {
    let (model, systemctl, name) = (lab.model(text), lab.systemctl(), Name::new("api").unwrap());
    Releases::of(&model, &name, &systemctl)?.deploy(&lab.path(from), &lab.cx).await
}

#[tokio::test(flavor = "multi_thread")]
async fn deploys_roll_forward_and_back_without_losing_a_request() {
    let mut lab = Lab::new();
    let port = free_ports(2);
    let text = api(
        port,
        2,
        "[service.api.deploy]\nkeep = 3\nprepare = [[\"sh\", \"-c\", \"pwd -P > prepared\"]]\nshared = [\"uploads\"]\n",
    )
    .replace("/lab/app", "/lab/deployed")
    .replace("\"20s\"", "\"5s\"");
    // The units come first: without a release there is nothing to start.
    lab.apply(&text).await.unwrap();
    assert!(get(port, "/").is_err());

    lab.write_app("v1", "v1");
    fs::create_dir(lab.path("v1/uploads")).unwrap();
    fs::write(lab.path("v1/uploads/a"), "kept").unwrap();
    let first = deploy(&lab, &text, "v1").await.unwrap();
    assert_eq!(first.before, None);
    assert!(get(port, "/").unwrap().1.starts_with("v1 "));
    // What was prepared lies where it was prepared: environments of Python know their path.
    let prepared = fs::read_to_string(lab.path("deployed/current/prepared")).unwrap();
    assert_eq!(
        PathBuf::from(prepared.trim()),
        lab.path("deployed/current").canonicalize().unwrap()
    );
    // An interrupted one is not a release, and is removed by the next deploy.
    let releases = lab.path("deployed/releases");
    fs::create_dir(releases.join("20990101T000000Z")).unwrap();
    fs::write(releases.join(".new-20990101T000000Z"), "").unwrap();

    let front = lab.nginx(&[port, port + 1]);
    let clients = Clients::start(front, 4);
    // From an archive.
    lab.write_app("v2", "v2");
    let archive = lab.path("v2.tar.gz");
    let packed = Command::new("tar")
        .args(["-czf", archive.to_str().unwrap(), "-C", lab.path("v2").to_str().unwrap(), "."])
        .status();
    assert!(packed.unwrap().success());
    let second = deploy(&lab, &text, "v2.tar.gz").await.unwrap();
    assert_eq!(second.before.as_ref(), Some(&first.release));
    assert!(get(port + 1, "/").unwrap().1.starts_with("v2 "));
    let uploads = fs::read_to_string(lab.path("deployed/current/uploads/a")).unwrap();
    assert_eq!(uploads, "kept");

    // An unhealthy release is rolled back automatically, and leaves nothing.
    lab.write_app("v3", "bad");
    let error = deploy(&lab, &text, "v3").await.unwrap_err();
    assert_eq!(fact(&error, "rolled back to"), second.release.as_str(), "{error:?}");
    assert!(get(port, "/").unwrap().1.starts_with("v2 "));
    assert_eq!(fs::read_dir(lab.path("deployed/releases")).unwrap().count(), 2);

    // By hand.
    let (model, systemctl, name) = (lab.model(&text), lab.systemctl(), Name::new("api").unwrap());
    let releases = Releases::of(&model, &name, &systemctl).unwrap();
    let back = releases.roll_back(&lab.cx).await.unwrap();
    assert_eq!(back.release, first.release);
    assert!(get(port, "/").unwrap().1.starts_with("v1 "));
    let error = releases.roll_back(&lab.cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    // This many are kept.
    let mut newest = None;
    for version in ["v4", "v5", "v6"] {
        lab.write_app(version, version);
        newest = Some(deploy(&lab, &text, version).await.unwrap().release);
    }
    let (asked, lost) = clients.stop();
    println!("{asked} requests, {} lost", lost.len());
    assert!(lost.is_empty(), "{} of {asked} lost: {:?}", lost.len(), lost.first());
    let kept = releases.list().unwrap();
    assert_eq!((kept.len(), kept.last()), (3, newest.as_ref()));
    assert_eq!(releases.current().unwrap(), newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_prepared_changes_nothing() {
    let lab = Lab::new();
    let port = free_ports(1);
    let text = api(port, 1, "[service.api.deploy]\nprepare = [[\"false\"]]\n");
    let text = text.replace("/lab/app", "/lab/deployed");
    lab.apply(&text).await.unwrap();
    let error = deploy(&lab, &text, "app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Command, "{error:?}");
    fs::create_dir(lab.path("empty")).unwrap();
    let error = deploy(&lab, &text, "empty").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(deploy(&lab, &text, "nowhere").await.is_err());
    assert_eq!(fs::read_dir(lab.path("deployed/releases")).unwrap().count(), 0);
    assert!(!lab.path("deployed/current").exists());
}
