//! Both examples in each format, compared with the files in `tests/golden`. After a change that is
//! meant: `SEAWORTHY_BLESS=1 cargo test -p seaworthy-service-config --test quick golden`.

use std::{fs, path::Path};

use seaworthy_core::{FileSet, TimeZone};
use seaworthy_service_config::{CronRenderer, Pm2Renderer, SystemdRenderer, WorkflowRenderer};

use crate::support::{all_text, example, render, services, text};

/// What the examples do not use.
const REST: &str = r#"
[service.web]
command = ["/usr/bin/python3", "-m", "http.server", "{port}", "a $b", "50%", "\"q\" 'r' \\s"]
port = 80
address = "0.0.0.0"
instances = 2
environment = { GREETING = "a \"b\" $c %d \\e 'f' # g" }
environment_file = "env"
restarts = { policy = "never", max = 0 }
stop_signal = "SIGQUIT"
log_file = "/var/log/web/out.log"
writable = ["/srv/a b", "/srv/c%d"]
[service.web.relax]
low-ports = "It answers on port 80 without a proxy"
netlink = "It lists the network interfaces"
devices = "It reads a sensor"
proc = "It shows the load of the machine"
tmp = "It finds sockets of others in /tmp"
home = "It writes home folders"
namespaces = "It runs a browser"
resources = "It sets priorities"

[service.queue]
command = ["bin/worker"]
directory = "app"
instances = 2
restart_schedule = "30 2 1 * 0"
"#;

fn compare(name: &str, files: &FileSet) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = all_text(files);
    if std::env::var_os("SEAWORTHY_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if text != golden {
        let line = text.lines().zip(golden.lines()).position(|(a, b)| a != b);
        let line = line.unwrap_or(text.lines().count().min(golden.lines().count()));
        panic!(
            "{name} differs from line {}:\n  now:    {:?}\n  golden: {:?}",
            line + 1,
            text.lines().nth(line),
            golden.lines().nth(line)
        );
    }
}

#[test]
fn examples_render_as_agreed() {
    let paris = TimeZone::named("Europe/Paris").unwrap();
    for name in ["flotteq", "gw2"] {
        let model = services(&example(name));
        compare(&format!("{name}-systemd.txt"), &render(&SystemdRenderer, &model));
        let cron = CronRenderer::new(paris.clone());
        compare(&format!("{name}-cron.txt"), &render(&cron, &model));
        compare(&format!("{name}-workflow.txt"), &render(&WorkflowRenderer, &model));
    }
    // What PM2 cannot do is taken out first.
    let text = example("flotteq").replace("after = [\"postgresql.service\"]\n", "");
    compare("flotteq-pm2.txt", &render(&Pm2Renderer, &services(&text)));
    let text = example("gw2").replace("cpu_quota = \"200%\"\n", "");
    compare("gw2-pm2.txt", &render(&Pm2Renderer, &services(&text)));
}

#[test]
fn the_rest_renders_as_agreed() {
    let mut model = services(REST);
    model.resolve_paths("/etc/seaworthy".as_ref()).unwrap();
    compare("rest-systemd.txt", &render(&SystemdRenderer, &model));
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    let model = services(&example("flotteq"));
    assert_eq!(render(&SystemdRenderer, &model), render(&SystemdRenderer, &model));
}

#[test]
fn lines_know_their_place_in_the_file() {
    let files = render(&SystemdRenderer, &services(&example("gw2")));
    let unit = text(&files, "seaworthy-gw2.service");
    let file = files.get("seaworthy-gw2.service").unwrap();
    let origin = |needle: &str| {
        let line = unit.lines().position(|line| line.starts_with(needle)).unwrap() + 1;
        file.origin_of_line(line).to_string()
    };
    assert_eq!(origin("ExecStart="), "service.gw2.command");
    assert_eq!(origin("CPUQuota="), "service.gw2.cpu_quota");
    assert_eq!(origin("ProtectHome="), "service.gw2.relax.home-read-only");
    let files = render(&WorkflowRenderer, &services(&example("gw2")));
    let workflow = text(&files, "workflows/gw2.yml");
    let file = files.get("workflows/gw2.yml").unwrap();
    let line = workflow.lines().position(|line| line.contains("pytest")).unwrap() + 1;
    assert_eq!(file.origin_of_line(line).to_string(), "service.gw2.ci.test.backend.run[1]");
}
