//! How new versions of a service are brought to the machine.

use seaworthy_core::{CommandLine, Named, Span};
use serde::{Deserialize, Serialize};

use super::text::{FilePath, InnerPath, Token, Url, UserName};

/// `[service.<name>.deploy]`: releases side by side below the service's `directory`, which then
/// runs in `<directory>/current`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Deploy {
    /// The folder of a release in which the service runs. Default: the release itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inside: Option<InnerPath>,
    /// How many releases are kept, including the current one.
    pub keep: u16,
    /// Commands that run in each new release before it is used, where the service will run, such as
    /// migrations.
    pub prepare: Vec<CommandLine>,
    /// Files and folders that all releases share: they are in `<directory>/shared`.
    pub shared: Vec<InnerPath>,
    /// How long each command of `prepare` may take.
    pub prepare_timeout: Span,
}

impl Default for Deploy {
    fn default() -> Self {
        Self {
            inside: None,
            keep: 5,
            prepare: Vec::new(),
            shared: Vec::new(),
            prepare_timeout: Span::seconds(900),
        }
    }
}

/// `[service.<name>.ci]`: a workflow of GitHub Actions that tests, audits, builds, tags and deploys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Ci {
    /// The branch whose pushes are deployed.
    #[serde(default = "main_branch")]
    pub branch: Token,
    /// Groups of tests by name; they run at the same time.
    #[serde(default)]
    pub test: Named<Steps>,
    /// Security audits by name.
    #[serde(default)]
    pub audit: Named<Steps>,
    /// Builds what is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Steps>,
    /// What is deployed, from the project's folder.
    #[serde(default)]
    pub artifact: Vec<InnerPath>,
    /// Where it is deployed to. Without it the workflow ends with the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<CiDeploy>,
}

fn main_branch() -> Token {
    Token::new("main").unwrap_or_else(|_| unreachable!("the default is a plain word"))
}

/// Commands of a workflow, with what they need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Steps {
    /// The folder in the project where they run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<InnerPath>,
    /// The version of Node to install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Token>,
    /// The version of Python to install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<Token>,
    /// The commands, in order.
    pub run: Vec<CommandLine>,
    /// Files to keep on success and on failure, such as screenshots.
    pub keep: Vec<InnerPath>,
}

/// Where a workflow deploys to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CiDeploy {
    /// The server's name.
    pub host: Token,
    /// The user to log in as; it may run `sudo seaworthy deploy`.
    pub user: UserName,
    /// The environment of GitHub whose reviewers approve.
    #[serde(default = "production")]
    pub environment: Token,
    /// The URL that must respond after a deploy; otherwise it is rolled back.
    pub health: Url,
    /// The configuration file on the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<FilePath>,
}

fn production() -> Token {
    Token::new("production").unwrap_or_else(|_| unreachable!("the default is a plain word"))
}
