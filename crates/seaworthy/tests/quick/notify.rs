//! Notifications: who gets which, against servers on this machine.
#![cfg(feature = "notify")]

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use seaworthy::{
    Config, Outcome, Seaworthy, Variables,
    command::BackupResult,
    core::{Context, Event, ManualClock, Name, Progress, Result, Span, Timestamp},
    notify::{DeliveryState, Notice, Notifier, Occasion, Subject, SubjectKind},
};

use crate::support::http::Server;

/// A machine with a job `nightly` that backs up the folder `data`.
struct Machine {
    folder: tempfile::TempDir,
    sections: String,
    variables: Vec<(String, String)>,
    cx: Context,
    heard: Arc<Warnings>,
    clock: Arc<ManualClock>,
}

#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Progress for Warnings {
    fn event(&self, event: &Event) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push(message.clone());
        }
    }
}

impl Machine {
    fn new(sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Context::new().now();
        let (heard, clock) = (Arc::new(Warnings::default()), Arc::new(ManualClock::new(now)));
        let cx = Context::new().with_progress(heard.clone()).with_clock(clock.clone());
        let machine =
            Self { folder, sections: sections.to_owned(), variables: Vec::new(), cx, heard, clock };
        machine.heal();
        machine
    }

    fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn heal(&self) {
        std::fs::create_dir_all(self.path("data")).unwrap();
        std::fs::write(self.path("data/a"), "hello").unwrap();
    }

    fn hurt(&self) {
        std::fs::remove_dir_all(self.path("data")).unwrap();
    }

    fn seaworthy(&self) -> Seaworthy {
        let text = format!(
            "state = \"state\"\n[sink.local]\ntype = \"local\"\npath = \"sink\"\n\
             [backup.nightly]\nsinks = [\"local\"]\nnotify = [\"ops\"]\n\
             sources.data = {{ type = \"files\", paths = [\"data\"] }}\n{}",
            self.sections
        );
        let config = Config::from_text(&text, &self.path("seaworthy.toml")).unwrap();
        let variables: Variables =
            self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Seaworthy::open(config, variables).unwrap()
    }

    /// Runs the job; the document must not show what is secret.
    async fn backup(&self) -> (Outcome, BackupResult) {
        let seaworthy = self.seaworthy();
        let reply = seaworthy.backup(&Default::default(), &self.cx).await;
        let document = serde_json::to_string(&reply.document("backup")).unwrap();
        let warnings = self.heard.0.lock().unwrap().join("\n");
        for text in [document, warnings, format!("{seaworthy:?}")] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        (reply.outcome, reply.result.unwrap())
    }
}

const WEBHOOK: &str =
    "[notify.ops]\ntype = \"webhook\"\nurl = { env = \"HOOK\" }\nallow_http = true\n";

fn occasions(server: &Server) -> Vec<String> {
    let told = server.take();
    told.iter().map(|request| request.json()["occasion"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_once_and_again_after_a_day_and_then_that_it_is_over() {
    let server = Server::start();
    let machine = Machine::new(WEBHOOK).set("HOOK", format!("{}/hunter2", server.address));
    assert_eq!(machine.backup().await.0, Outcome::Done);
    assert!(occasions(&server).is_empty(), "success is not asked for");
    machine.hurt();
    let (outcome, result) = machine.backup().await;
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(result.jobs[0].notified[0].state, DeliveryState::Sent);
    let told = server.take();
    assert_eq!(told[0].target, "POST /hunter2");
    let notice = told[0].json();
    assert_eq!(notice["schema"], 1);
    assert_eq!(notice["subject"], serde_json::json!({ "kind": "backup", "name": "nightly" }));
    assert!(notice["text"].as_str().unwrap().contains("/data"), "{notice}");
    let (_, result) = machine.backup().await;
    assert_eq!(result.jobs[0].notified[0].state, DeliveryState::KeptBack);
    assert!(occasions(&server).is_empty(), "it was told");
    machine.clock.advance(Span::hours(25));
    machine.backup().await;
    let told = server.take();
    assert!(told[0].json()["title"].as_str().unwrap().contains("still fails"), "{told:?}");
    machine.heal();
    machine.backup().await;
    machine.backup().await;
    assert_eq!(occasions(&server), ["recovery"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_and_what_does_not_is_a_warning() {
    let server = Server::start();
    let machine = Machine::new(&format!("{WEBHOOK}on = [\"success\"]\n"))
        .set("HOOK", format!("{}/hunter2hunter2", server.address));
    server.answer("503 Busy");
    server.answer("429 Too Many Requests\r\nretry-after: 1");
    let (_, result) = machine.backup().await;
    assert_eq!(result.jobs[0].notified[0].state, DeliveryState::Sent);
    assert_eq!(occasions(&server), ["success"; 3]);

    server.answer("404 Not Found");
    let (outcome, result) = machine.backup().await;
    assert_eq!(outcome, Outcome::Done, "a failed notification fails nothing else");
    let delivery = &result.jobs[0].notified[0];
    assert_eq!(delivery.state, DeliveryState::Failed);
    let why = delivery.error.as_deref().unwrap();
    assert!(why.contains("404") && why.contains("said by the server"), "{why}");
    assert_eq!(server.take().len(), 1, "that does not pass");
    let warnings = machine.heard.0.lock().unwrap().join("\n");
    assert!(warnings.contains("ops could not be notified"), "{warnings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_answers_holds_a_backup_up_only_so_long() {
    let server = Server::start();
    let machine = Machine::new(&format!("{WEBHOOK}on = [\"success\"]\ntimeout = \"1s\"\n"))
        .set("HOOK", format!("{}/hunter2", server.address));
    server.answer("never");
    let (outcome, result) = machine.backup().await;
    assert_eq!(outcome, Outcome::Done);
    let delivery = &result.jobs[0].notified[0];
    assert_eq!(delivery.state, DeliveryState::Failed);
    assert_eq!(delivery.error.as_deref(), Some("it took longer than 1 s"));
    machine.backup().await;
    assert_eq!(server.take().len(), 2, "the next run tells again: nothing is left locked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_keeps_nobody_from_being_told() {
    let server = Server::start();
    let machine = Machine::new(WEBHOOK).set("HOOK", format!("{}/x", server.address));
    std::fs::create_dir(machine.path("state")).unwrap();
    std::fs::write(machine.path("state/notify"), "no folder").unwrap();
    machine.hurt();
    let (_, result) = machine.backup().await;
    assert_eq!(result.jobs[0].notified[0].state, DeliveryState::Sent);
    assert_eq!(occasions(&server), ["failure"]);
    let warnings = machine.heard.0.lock().unwrap().join("\n");
    assert!(warnings.contains("the state of notifier ops cannot be stored"), "{warnings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_templated_and_signed() {
    let server = Server::start();
    let sections = format!(
        "{WEBHOOK}on = [\"failure\"]\nsecret = {{ env = \"KEY\" }}\n\
         headers = {{ X-Team = \"a\", Authorization = {{ env = \"TOKEN\" }} }}\n\
         body = '{{\"text\": \"{{{{title}}}}: {{{{text}}}}\"}}'\n"
    );
    let machine = Machine::new(&sections)
        .set("HOOK", format!("{}/x", server.address))
        .set("KEY", "hunter2-key")
        .set("TOKEN", "Bearer hunter2");
    machine.hurt();
    machine.backup().await;
    let request = server.take().remove(0);
    assert!(request.json()["text"].as_str().unwrap().starts_with("Backup nightly failed on "));
    assert_eq!(request.header("x-team"), "a");
    assert_eq!(request.header("authorization"), "Bearer hunter2");
    std::fs::write(machine.path("body"), &request.body).unwrap();
    let openssl = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "hunter2-key"])
        .arg(machine.path("body"))
        .output()
        .unwrap();
    let printed = String::from_utf8(openssl.stdout).unwrap();
    let expected = printed.trim().rsplit(' ').next().unwrap();
    assert_eq!(request.header("x-seaworthy-signature-256"), format!("sha256={expected}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_is_sent_what_it_takes() {
    let server = Server::start();
    for (kind, more, path, target, key) in [
        ("slack", "", "/services/T/B/hunter2", "POST /services/T/B/hunter2", "blocks"),
        ("discord", "", "/api/webhooks/1/hunter2", "POST /api/webhooks/1/hunter2", "embeds"),
        ("ntfy", "token = { env = \"TOKEN\" }\n", "/hunter2", "POST /", "topic"),
    ] {
        let sections = format!(
            "[notify.ops]\ntype = \"{kind}\"\nurl = {{ env = \"URL\" }}\nallow_http = true\n{more}"
        );
        let machine = Machine::new(&sections)
            .set("URL", format!("{}{path}", server.address))
            .set("TOKEN", "tk_hunter2");
        machine.hurt();
        machine.backup().await;
        let told = server.take();
        assert_eq!(told.len(), 1, "{kind}");
        assert_eq!(told[0].target, target);
        assert_eq!(told[0].header("content-type"), "application/json");
        assert!(told[0].json().get(key).is_some(), "{kind}: {}", told[0].body);
        assert_eq!(told[0].header("authorization").is_empty(), kind != "ntfy");
        // The same, and the service refuses: the error shows no secret.
        server.answer("403 Forbidden");
        machine.clock.advance(Span::hours(25));
        machine.backup().await;
        server.take();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_hears_the_beginning_and_the_end_of_each_run() {
    let server = Server::start();
    let sections =
        "[notify.ops]\ntype = \"healthchecks\"\nurl = { env = \"URL\" }\nallow_http = true\n";
    let machine = Machine::new(sections).set("URL", format!("{}/KEY/{{job}}", server.address));
    machine.backup().await;
    machine.hurt();
    machine.backup().await;
    let told = server.take();
    let paths: Vec<_> = told.iter().map(|r| r.target.split_once("?rid=").unwrap()).collect();
    let ends: Vec<_> = paths.iter().map(|(path, _)| *path).collect();
    let all = ["/start", "", "/start", "/fail"].map(|end| format!("POST /KEY/nightly{end}"));
    assert_eq!(ends, all);
    assert_eq!(paths[0].1, paths[1].1, "both belong to one run");
    assert_ne!(paths[1].1, paths[2].1);
    assert!(
        told[3].body.contains("/data") && told[3].header("content-type").starts_with("text/plain")
    );
    // Reading back says nothing about the next backup, unless it finds something.
    let seaworthy = machine.seaworthy();
    let request = seaworthy::command::VerifyRequest::default();
    assert_eq!(seaworthy.verify(&request, &machine.cx).await.outcome, Outcome::Done);
    assert!(server.take().is_empty());
    let payload = std::fs::read_dir(machine.path("sink/nightly")).unwrap().next().unwrap().unwrap();
    let payload = payload.path().join("data.tar.zst");
    let mut bytes = std::fs::read(&payload).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&payload, bytes).unwrap();
    assert_eq!(seaworthy.verify(&request, &machine.cx).await.outcome, Outcome::Findings);
    let told = server.take();
    assert!(told[0].target.starts_with("POST /KEY/nightly/fail?"), "{told:?}");
    assert!(told[0].body.contains("damaged"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_the_notice_on_its_standard_input() {
    let machine = Machine::new(
        "[notify.ops]\ntype = \"command\"\ncommand = [\"sh\", \"-c\", \"cat > told\"]\n",
    );
    let out = machine.path("told");
    let sections = machine.sections.replace("> told", &format!("> {}", out.display()));
    let machine = Machine { sections, ..machine };
    machine.hurt();
    machine.backup().await;
    let notice: serde_json::Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    assert_eq!(notice["occasion"], "failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn email_goes_over_a_secure_connection_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    crate::support::smtp::certificate(folder.path());
    let roots = folder.path().join("cert.pem");
    let section = |tls: &str, port: u16, roots: &str| {
        format!(
            "[notify.ops]\ntype = \"email\"\nserver = \"localhost\"\nport = {port}\n\
             tls = \"{tls}\"\n{roots}username = \"ops\"\npassword = {{ env = \"PASSWORD\" }}\n\
             from = \"Seaworthy <backup@example.com>\"\nto = [\"a@example.com\", \"b@example.com\"]\n"
        )
    };
    let trusted = format!("roots = \"{}\"\n", roots.display());
    for tls in ["starttls", "implicit"] {
        let mut server = crate::support::smtp::Server::start(folder.path(), tls);
        let machine = Machine::new(&section(tls, server.port, &trusted)).set("PASSWORD", "hunter2");
        machine.hurt();
        let (_, result) = machine.backup().await;
        assert_eq!(result.jobs[0].notified[0].state, DeliveryState::Sent, "{result:?}");
        let message = server.next();
        assert_eq!((&message["secure"], &message["login"]), (&true.into(), &"ops".into()), "{tls}");
        assert_eq!(message["from"], "backup@example.com");
        assert_eq!(message["to"], serde_json::json!(["a@example.com", "b@example.com"]));
        let content = message["content"].as_str().unwrap();
        assert!(content.contains("Subject: Backup nightly failed on "), "{content}");
        assert!(content.contains("Auto-Submitted: auto-generated"), "{content}");

        // A server with an untrusted certificate, and a wrong password.
        for (roots, password, why) in [
            ("", "hunter2", "cannot make a secure connection"),
            (&*trusted, "hunter2-wrong", "rejects the message"),
        ] {
            let machine = Machine::new(&section(tls, server.port, roots)).set("PASSWORD", password);
            machine.hurt();
            let (_, result) = machine.backup().await;
            let delivery = &result.jobs[0].notified[0];
            assert_eq!(delivery.state, DeliveryState::Failed);
            assert!(delivery.error.as_ref().unwrap().contains(why), "{tls}: {delivery:?}");
        }
    }
    // One that offers no security gets no password.
    let server = crate::support::smtp::Server::start(folder.path(), "none");
    let machine =
        Machine::new(&section("starttls", server.port, &trusted)).set("PASSWORD", "hunter2");
    machine.hurt();
    let (_, result) = machine.backup().await;
    assert_eq!(result.jobs[0].notified[0].state, DeliveryState::Failed);
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Notice>>);

#[async_trait]
impl Notifier for Told {
    async fn send(&self, notice: &Notice) -> Result<()> {
        self.0.lock().unwrap().push(notice.clone());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_embeds_us_brings_its_own_and_finds_things_out_itself() {
    let machine = Machine::new("[notify.ops]\ntype = \"custom\"\n");
    let mut seaworthy = machine.seaworthy();
    let told = Arc::new(Told::default());
    let name = Name::new("ops").unwrap();
    assert!(seaworthy.add_notifier(&Name::new("other").unwrap(), told.clone()).is_err());
    seaworthy.add_notifier(&name, told.clone()).unwrap();
    let job = Name::new("nightly").unwrap();
    let notice = seaworthy.notice(SubjectKind::Backup, &job, Occasion::Overdue, &machine.cx);
    seaworthy.notify(&notice.line("its last run was long ago"), &machine.cx).await;
    assert_eq!(seaworthy.backup(&Default::default(), &machine.cx).await.outcome, Outcome::Done);
    // An empty source is suspect.
    std::fs::remove_file(machine.path("data/a")).unwrap();
    assert_eq!(seaworthy.backup(&Default::default(), &machine.cx).await.outcome, Outcome::Losses);
    // A certificate is everybody's.
    let subject = Subject::new(SubjectKind::Certificate, Name::new("api").unwrap());
    let notice = Notice::new(Occasion::Expiring, subject, "web1", Timestamp::from_unix(0));
    seaworthy.notify(&notice, &machine.cx).await;
    let told = told.0.lock().unwrap();
    let occasions: Vec<_> = told.iter().map(|notice| notice.occasion).collect();
    use Occasion::{Expiring, Overdue, Recovery, Suspect};
    assert_eq!(occasions, [Overdue, Recovery, Suspect, Expiring]);
    assert!(told[2].remedy.as_ref().unwrap().contains("--accept nightly"), "{:?}", told[2]);
}
