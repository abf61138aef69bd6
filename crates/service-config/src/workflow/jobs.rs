//! The jobs of a workflow.

use seaworthy_core::{Name, Origin};

use super::{
    CHECKOUT, DOWNLOAD, SETUP_NODE, SETUP_PYTHON, UPLOAD,
    yaml::{Yaml, map},
};
use crate::{
    model::{Ci, CiDeploy, Steps},
    shell,
};

const ARCHIVE: &str = "release.tar.gz";

pub(super) fn all(name: &Name, ci: &Ci, origin: &Origin) -> Yaml {
    let mut jobs = Vec::new();
    let mut before = Vec::new();
    for (kind, group) in [("test", &ci.test), ("audit", &ci.audit)] {
        for (name, steps) in group.iter() {
            let id = id(kind, name);
            let origin = origin.field(kind).field(name);
            jobs.push((id.clone(), job(&[], run(steps, &origin), &[])));
            before.push(id);
        }
    }
    if let Some(build) = &ci.build {
        jobs.push(("build".to_owned(), self::build(ci, build, &before, origin)));
        before.push("build".to_owned());
    }
    if let (Some(to), Some(_)) = (&ci.deploy, &ci.build) {
        jobs.push(("deploy".to_owned(), deploy(name, ci, to, &before, origin)));
    }
    map(jobs)
}

/// The name of a job: GitHub does not allow dots in it.
fn id(kind: &str, name: &Name) -> String {
    format!("{kind}-{}", name.as_str().replace('.', "_"))
}

fn job(needs: &[String], steps: Vec<Yaml>, more: &[(&str, Yaml)]) -> Yaml {
    let mut entries =
        vec![("runs-on", Yaml::from("ubuntu-24.04")), ("timeout-minutes", Yaml::Number(60))];
    if !needs.is_empty() {
        entries.push(("needs", Yaml::List(needs.iter().map(|n| n.as_str().into()).collect())));
    }
    entries.extend(more.iter().cloned());
    entries.push(("steps", Yaml::List(steps)));
    map(entries)
}

fn uses(action: &str, with: Vec<(&str, Yaml)>) -> Yaml {
    let mut entries = vec![("uses", Yaml::from(action))];
    if !with.is_empty() {
        entries.push(("with", map(with)));
    }
    map(entries)
}

/// The project, the languages, the commands, and what is kept.
fn run(steps: &Steps, origin: &Origin) -> Vec<Yaml> {
    let mut all = vec![uses(CHECKOUT, vec![("persist-credentials", Yaml::Bool(false))])];
    let file = |name: &str| match &steps.directory {
        Some(directory) => format!("{directory}/{name}"),
        None => name.to_owned(),
    };
    if let Some(node) = &steps.node {
        let lock = file("package-lock.json").into();
        let with = vec![
            ("node-version", Yaml::from(node.as_str())),
            ("cache", "npm".into()),
            ("cache-dependency-path", lock),
        ];
        all.push(uses(SETUP_NODE, with).of(origin.field("node")));
    }
    if let Some(python) = &steps.python {
        let requirements = file("requirements*.txt").into();
        let with = vec![
            ("python-version", Yaml::from(python.as_str())),
            ("cache", "pip".into()),
            ("cache-dependency-path", requirements),
        ];
        all.push(uses(SETUP_PYTHON, with).of(origin.field("python")));
    }
    for (i, command) in steps.run.iter().enumerate() {
        let mut entries = vec![("run", Yaml::from(shell::line(shell::words(command))))];
        if let Some(directory) = &steps.directory {
            entries.push(("working-directory", directory.as_str().into()));
        }
        all.push(map(entries).of(origin.field("run").index(i)));
    }
    if !steps.keep.is_empty() {
        let paths: Vec<_> = steps.keep.iter().map(|path| file(path.as_str())).collect();
        let name = format!("kept-{}", origin.as_str().rsplit('.').next().unwrap_or("files"));
        let with = vec![
            ("name", name.into()),
            ("path", paths.join("\n").into()),
            ("if-no-files-found", "ignore".into()),
        ];
        let Yaml::Map(mut entries) = uses(UPLOAD, with) else { return all };
        entries.insert(0, ("if".to_owned(), "${{ always() }}".into()));
        all.push(Yaml::Map(entries).of(origin.field("keep")));
    }
    all
}

fn build(ci: &Ci, steps: &Steps, needs: &[String], origin: &Origin) -> Yaml {
    let on_branch = on_branch(ci);
    let mut all = run(steps, &origin.field("build"));
    if !ci.artifact.is_empty() {
        let paths = ci.artifact.iter().map(|path| path.as_str());
        let words = ["tar", "-czf", ARCHIVE, "--"].into_iter().chain(paths);
        all.push(map([("run", shell::line(words))]).of(origin.field("artifact")));
        all.push(uses(
            UPLOAD,
            vec![
                ("name", "release".into()),
                ("path", ARCHIVE.into()),
                ("if-no-files-found", "error".into()),
            ],
        ));
    }
    let tag = "git tag \"build-$GITHUB_RUN_NUMBER\"\n\
               git -c \"http.extraheader=AUTHORIZATION: basic $(printf 'x-access-token:%s' \"$TAG_TOKEN\" | base64 -w0)\" \
               push origin \"build-$GITHUB_RUN_NUMBER\"\n";
    all.push(map([
        ("name", Yaml::from("Tag the version")),
        ("if", on_branch.into()),
        ("env", map([("TAG_TOKEN", "${{ github.token }}")])),
        ("run", tag.into()),
    ]));
    let permissions = map([("contents", "write")]).because("It pushes the version's tag.");
    job(needs, all, &[("permissions", permissions)])
}

fn on_branch(ci: &Ci) -> String {
    // A branch's name is plain: it cannot end the text.
    format!(
        "${{{{ github.event_name != 'pull_request' && github.ref == 'refs/heads/{}' }}}}",
        ci.branch
    )
}

fn deploy(name: &Name, ci: &Ci, to: &CiDeploy, needs: &[String], origin: &Origin) -> Yaml {
    let origin = origin.field("deploy");
    let log_in = format!("{}@{}", to.user, to.host);
    let mut program = vec!["sudo", "seaworthy"];
    if let Some(config) = &to.config {
        program.extend(["--config", config.as_str()]);
    }
    let remote = |arguments: &[&str]| {
        // ssh passes one line to the shell of the remote host.
        let line = shell::line(program.iter().copied().chain(arguments.iter().copied()));
        shell::line(["ssh", &log_in, &line])
    };
    // The run's number keeps two deploys from sharing a file.
    let upload = format!(
        "scp {ARCHIVE} {}:\"/tmp/seaworthy-$GITHUB_RUN_ID.tar.gz\"\n",
        shell::quote(&log_in)
    );
    let line = shell::line(program.iter().copied().chain(["deploy", name.as_str(), "--from"]));
    let deploy = format!(
        "{upload}ssh {} {}\"/tmp/seaworthy-$GITHUB_RUN_ID.tar.gz\"\n",
        shell::quote(&log_in),
        shell::quote(&format!("{line} "))
    );
    let keys = "install -d -m 700 ~/.ssh\n\
                printf '%s\\n' \"$DEPLOY_KEY\" | install -m 600 /dev/stdin ~/.ssh/id_ed25519\n\
                printf '%s\\n' \"$DEPLOY_KNOWN_HOSTS\" > ~/.ssh/known_hosts\n";
    let health = shell::line([
        "curl",
        "--fail",
        "--silent",
        "--show-error",
        "--retry",
        "10",
        "--retry-delay",
        "3",
        "--retry-all-errors",
        "--max-time",
        "10",
        to.health.as_str(),
    ]);
    let failed = "${{ failure() && steps.deploy.outcome == 'success' }}";
    let steps = vec![
        uses(DOWNLOAD, vec![("name", "release".into())]),
        map([
            ("name", Yaml::from("Log in with the key of this environment")),
            (
                "env",
                map([
                    ("DEPLOY_KEY", "${{ secrets.DEPLOY_KEY }}"),
                    ("DEPLOY_KNOWN_HOSTS", "${{ secrets.DEPLOY_KNOWN_HOSTS }}"),
                ]),
            ),
            ("run", keys.into()),
        ]),
        map([("name", Yaml::from("Deploy")), ("id", "deploy".into()), ("run", deploy.into())]),
        map([("name", Yaml::from("Is it well from outside?")), ("run", health.into())])
            .of(origin.field("health")),
        map([
            ("name", Yaml::from("Roll back")),
            ("if", failed.into()),
            ("run", remote(&["deploy", name.as_str(), "--rollback"]).into()),
        ]),
    ];
    let concurrency = map([
        ("group", Yaml::from(format!("deploy-{name}"))),
        ("cancel-in-progress", Yaml::Bool(false)),
    ]);
    let environment = map([("name", to.environment.as_str())])
        .because("Its required reviewers approve each deploy (Settings, Environments).")
        .of(origin.field("environment"));
    job(
        needs,
        steps,
        &[
            ("if", on_branch(ci).into()),
            ("environment", environment),
            ("concurrency", concurrency.because("One deploy at a time, and none is cut short.")),
        ],
    )
}
