//! GitHub Actions: test, security audit, build and tag, deploy after approval, roll back when the
//! health check after a deploy fails.

mod jobs;
mod yaml;

use seaworthy_core::{ConfigRenderer, FileSet, Name, Origin, RenderedFile, Result};

use crate::{
    model::{Ci, Services},
    systemd::HEADER,
};
use yaml::{Yaml, map};

/// Third-party actions, each pinned to a commit, with its version.
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1";
const SETUP_NODE: &str = "actions/setup-node@820762786026740c76f36085b0efc47a31fe5020";
const SETUP_PYTHON: &str = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97";
const UPLOAD: &str = "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f";
const DOWNLOAD: &str = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c";
/// Their versions, for the comment at the top of the file.
const VERSIONS: &str = "# checkout 7.0.1, setup-node 7.0.0, setup-python 7.0.0, \
                        upload-artifact 7.0.0, download-artifact 8.0.1\n";

/// Renders the `ci` of each of [`Services`] as `workflows/<service>.yml`, to be put into `.github`.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkflowRenderer;

impl ConfigRenderer for WorkflowRenderer {
    type Model = Services;

    fn render(&self, model: &Services) -> Result<FileSet> {
        model.check()?;
        let mut files = FileSet::new();
        for (name, service) in model.services.iter() {
            let Some(ci) = &service.ci else { continue };
            let origin = Origin::new("service").field(name).field("ci");
            let (body, lines) = yaml::print(&workflow(name, ci, &origin));
            let head = format!("{HEADER}{VERSIONS}");
            let above = head.lines().count();
            let lines = lines.into_iter().map(|(line, origin)| (line + above, origin)).collect();
            let file = RenderedFile::new(format!("{head}{body}"), origin).with_lines(lines);
            files.insert(format!("workflows/{name}.yml"), file)?;
        }
        Ok(files)
    }
}

fn workflow(name: &Name, ci: &Ci, origin: &Origin) -> Yaml {
    let branches = Yaml::List(vec![ci.branch.as_str().into()]).of(origin.field("branch"));
    map([
        ("name", Yaml::from(name.as_str())),
        (
            "on",
            map([
                ("push", map([("branches", branches)])),
                ("pull_request", map::<&str, Yaml>([])),
                ("workflow_dispatch", map::<&str, Yaml>([])),
            ]),
        ),
        (
            "permissions",
            map([("contents", "read")])
                .because("No job may do more than read, but the one that tags."),
        ),
        ("jobs", jobs::all(name, ci, origin)),
    ])
}
