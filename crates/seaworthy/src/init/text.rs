//! Writes the file, section by section; each is checked before it is added.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use seaworthy_core::{Error, ErrorKind, Name, Result};

use super::{Found, FoundAnswer, FoundSite, InitPart};
use crate::Config;

const HEAD: &str = r#"# seaworthy.toml, written by `seaworthy init` from what was found on this machine. Read it, change it,
# then: `seaworthy config check`, `seaworthy apply --dry-run`, `seaworthy apply`.
#
# Secrets never stand in this file: { env = "NAME" }, { file = "/path" } or { command = ["…"] } say where
# they are. For the timer, NAME=value lines belong into /etc/seaworthy/env.

# state = "/var/lib/seaworthy"     # locks and journals
# time_zone = "Europe/Paris"       # of schedules and retention; the machine's where nothing is said
"#;

const SINK: &str = r#"
# Where snapshots lie. One machine is no backup: add a second sink (type = "s3" or "b2") and name it in `sinks`.
[sink.local]
type = "local"
path = "/var/backups/seaworthy"
"#;

const JOB: &str = r#"
# Every night. `seaworthy backup nightly` runs it at once, `seaworthy drill nightly` proves that it restores.
[backup.nightly]
sinks = ["local"]
schedule = "30 2 * * *"
keep = { daily = 14, monthly = 6 }
# encryption = { recipients = ["age1…"] }      # `seaworthy keygen age` makes a pair
"#;

const UPLOADS: &str = r#"
# What users upload is worth as much as the rows that point to it:
# [backup.nightly.sources.uploads]
# type = "files"
# paths = ["/srv/app/uploads"]
"#;

/// The text so far, which is valid after each section.
struct Draft<'a> {
    text: String,
    file: &'a Path,
    names: BTreeSet<String>,
}

/// The file's text with these parts.
pub(super) fn render(found: &Found, parts: &[InitPart], file: &Path) -> Result<String> {
    let mut draft = Draft { text: HEAD.to_owned(), file, names: BTreeSet::new() };
    let has = |part| parts.contains(&part);
    for note in &found.notes {
        let _ = writeln!(draft.text, "\n# Not looked at: {}", one_line(note));
    }
    draft.add(SINK);
    if has(InitPart::Databases) {
        draft.databases(found);
    }
    if has(InitPart::Certificates) && !found.certbot.is_empty() {
        draft.certbot(found);
    }
    if has(InitPart::Sites) {
        draft.sites(found);
    }
    if has(InitPart::Services) {
        draft.services(found);
    }
    // Whatever was found, the written file is valid.
    Config::from_text(&draft.text, file).map_err(|error| {
        let message = "the generated configuration is not valid";
        Error::new(ErrorKind::Internal, "init.write", message).caused_by(error)
    })?;
    Ok(draft.text)
}

impl Draft<'_> {
    /// Adds a section; an invalid one is added as a comment, with the error.
    fn add(&mut self, section: &str) -> bool {
        let whole = format!("{}{section}", self.text);
        match Config::from_text(&whole, self.file) {
            Ok(_) => {
                self.text = whole;
                true
            }
            Err(error) => {
                let why = error.remedy().map(|remedy| format!(" ({remedy})")).unwrap_or_default();
                let _ = writeln!(self.text, "\n# Needs a look: {}{why}", one_line(&error.chain()));
                self.text.push_str(&commented(section));
                false
            }
        }
    }

    fn databases(&mut self, found: &Found) {
        let mut sources = Vec::new();
        for database in &found.databases.postgres {
            let name = self.name(database, "db");
            sources.push(format!(
                "\n# Over the local socket, as the user that runs Seaworthy: give root a role that reads all, \
                 or say url = {{ env = \"DATABASE_URL\" }}.\n\
                 [backup.nightly.sources.{name}]\ntype = \"postgres\"\ndatabase = {}\n",
                quoted(database)
            ));
        }
        for path in &found.databases.sqlite {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let name = self.name(&stem, "db");
            let path = quoted(&path.to_string_lossy());
            sources.push(format!(
                "\n[backup.nightly.sources.{name}]\ntype = \"sqlite\"\npath = {path}\n"
            ));
        }
        // A job needs a source: the first valid one adds it.
        let mut has_job = false;
        for source in sources {
            let section = if has_job { source } else { format!("{JOB}{source}") };
            has_job |= self.add(&section);
        }
        if !has_job {
            let _ = write!(self.text, "\n{}", commented(JOB));
        }
        if found.databases.has_postgres && found.databases.postgres.is_empty() {
            self.text.push_str(
                "\n# PostgreSQL is there and did not tell its databases:\n\
                 # [backup.nightly.sources.db]\n# type = \"postgres\"\n# url = { env = \"DATABASE_URL\" }\n",
            );
        }
        self.text.push_str(UPLOADS);
    }

    fn certbot(&mut self, found: &Found) {
        self.text.push_str(
            "\n# Certbot keeps these. `seaworthy cert import-certbot` takes them over, with the account; then\n\
             # disable certbot's timer. Hooks of certbot are left out: they may hold secrets.\n",
        );
        for section in found.certbot_settings.split("\n\n") {
            // Hooks are not copied.
            let lines = section.lines().filter(|line| {
                let line = line.trim_start_matches(['#', ' ']);
                !line.starts_with("deploy") && !line.contains("hook")
            });
            let mut text: String = lines.map(|line| format!("{line}\n")).collect();
            if text.starts_with("[certificate.") && found.nginx.is_some() {
                text.push_str("deploy = [[\"systemctl\", \"reload\", \"nginx\"]]\n");
            }
            if !text.trim().is_empty() {
                self.add(&format!("\n{text}"));
            }
        }
    }

    fn sites(&mut self, found: &Found) {
        let Some(nginx) = found.nginx.as_ref().filter(|nginx| !nginx.sites.is_empty()) else {
            return;
        };
        let root = quoted(&nginx.root.to_string_lossy());
        let proxy = format!(
            "\n# Beside the tree that is there, which nothing here touches. To move a site over: remove it there, then\n\
             # `seaworthy proxy apply`. One line in http {{ }} of nginx.conf includes ours:\n\
             #   include {}/seaworthy/current/conf.d/*.conf;\n\
             [proxy]\ntype = \"nginx\"\nroot = {root}\nown_root = false\n\
             refuse_unknown = false             # your tree may have a default server\n",
            nginx.root.display()
        );
        if !self.add(&proxy) {
            return;
        }
        for site in &nginx.sites {
            self.site(site, &found.certbot);
        }
    }

    fn site(&mut self, site: &FoundSite, certbot: &[String]) {
        let name = self.name(site.hosts.first().map_or("site", String::as_str), "site");
        let hosts: Vec<_> = site.hosts.iter().map(|host| quoted(host)).collect();
        let mut section = format!("\n# From {}.\n", one_line(&site.place));
        for note in &site.notes {
            let _ = writeln!(section, "# By hand: {}", one_line(note));
        }
        let mut head = format!("[site.{name}]\nhosts = [{}]\n", hosts.join(", "));
        let mut external = String::new();
        if let Some((chain, key)) = &site.certificate {
            let lineage = lineage_of(chain).filter(|name| certbot.contains(name));
            let known = lineage.filter(|name| self.has_certificate(name));
            let certificate = match known {
                Some(lineage) => lineage,
                None => {
                    let path = |path: &PathBuf| quoted(&path.to_string_lossy());
                    external = format!(
                        "\n# Somebody else issues this one.\n[certificate.{name}]\nnames = [{}]\n\
                         external = {{ chain = {}, key = {} }}\n",
                        hosts.join(", "),
                        path(chain),
                        path(key)
                    );
                    name.clone()
                }
            };
            let _ = writeln!(head, "certificate = {}", quoted(&certificate));
        }
        section.push_str(&head);
        for route in &site.routes {
            let _ = write!(section, "\n[[site.{name}.routes]]\npath = {}\n", quoted(&route.path));
            if route.exact {
                section.push_str("exact = true\n");
            }
            let _ = match &route.answer {
                FoundAnswer::Proxy { to, websocket } => {
                    let to: Vec<_> = to.iter().map(|to| quoted(to)).collect();
                    let websocket = if *websocket { ", websocket = true" } else { "" };
                    writeln!(section, "proxy = {{ to = [{}]{websocket} }}", to.join(", "))
                }
                FoundAnswer::Files { root, spa } => {
                    let root = quoted(&root.to_string_lossy());
                    let spa = if *spa { ", spa = true" } else { "" };
                    writeln!(section, "files = {{ root = {root}{spa} }}")
                }
            };
        }
        section.push_str(&external);
        self.add(&section);
    }

    fn has_certificate(&self, name: &str) -> bool {
        let config = Config::from_text(&self.text, self.file);
        config.is_ok_and(|config| config.certificate.get(name).is_some())
    }

    /// Programs are only added as comments: they are already started by something else.
    fn services(&mut self, found: &Found) {
        let mut any = false;
        for (program, port, process) in found.programs() {
            if !any {
                self.text.push_str(
                    "\n# These programs listen, and somebody starts them. To have systemd look after one, take it from there\n\
                     # and remove the #. Options were left out, they may hold secrets: those belong into environment_file.\n",
                );
                any = true;
            }
            let name = self.name(&program, "program");
            let words: Vec<_> = process.command.iter().map(|word| quoted(word)).collect();
            let more = if process.cut { "           # and its options" } else { "" };
            let _ = write!(
                self.text,
                "\n# [service.{name}]\n# command = [{}]{more}\n# port = {port}\n",
                words.join(", ")
            );
            if let Some(directory) = &process.directory {
                let _ =
                    writeln!(self.text, "# directory = {}", quoted(&directory.to_string_lossy()));
            }
            if let Some(user) = &process.user {
                let _ = writeln!(self.text, "# user = {}", quoted(user));
            }
        }
    }

    /// A unique name made from `text`.
    fn name(&mut self, text: &str, otherwise: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let text: String = text.chars().map(plain).take(60).collect();
        let text = text.trim_matches('-');
        let text = if Name::new(text).is_ok() { text } else { otherwise };
        let numbers = (2..).map(|n: u32| format!("{text}-{n}"));
        let mut candidates = std::iter::once(text.to_owned()).chain(numbers);
        let name = candidates.find(|name| !self.names.contains(name)).unwrap_or_default();
        self.names.insert(name.clone());
        name
    }
}

/// The certificate of certbot that a path below its folder belongs to.
fn lineage_of(chain: &Path) -> Option<String> {
    let folder = chain.parent()?;
    let is_live = folder.parent()?.ends_with("letsencrypt/live");
    is_live.then(|| folder.file_name().map(|name| name.to_string_lossy().into_owned()))?
}

/// Every line as a comment.
fn commented(section: &str) -> String {
    let lines = section.lines().filter(|line| !line.is_empty());
    let as_comment = |line: &str| match line.starts_with('#') {
        true => format!("{line}\n"),
        false => format!("# {line}\n"),
    };
    lines.map(as_comment).collect()
}

/// A TOML string.
fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's too; one character more needs one.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// On one line, so that a comment stays a comment.
fn one_line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}
