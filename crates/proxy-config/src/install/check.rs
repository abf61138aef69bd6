//! `nginx -t` on files that are not live yet, in the real tree: its modules, its other sites.

use std::{
    fs,
    path::{Path, PathBuf},
};

use seaworthy_core::{CommandLine, Context, Error, ErrorKind, Name, Result, StagedFiles, durable};

use super::{INCLUDE, LIMIT, NginxInstaller};
use crate::syntax::{Directive, parse};

/// Where nginx.conf links to if it is ours.
const MAIN_FILE: &str = "seaworthy/current/nginx.conf";
/// How the file of each site begins.
const SITE_FILE: &str = "conf.d/50-site-";
/// Our own main file for the check, next to the real one: nginx resolves includes from there.
const CHECK_FILE: &str = ".seaworthy-check.conf";

impl NginxInstaller {
    pub(super) async fn check_staged(&self, staged: &StagedFiles, cx: &Context) -> Result<()> {
        for (path, _) in staged.files.iter() {
            missing_files(staged, path)?;
        }
        let Err(error) = self.check_files(staged, None, cx).await else { return Ok(()) };
        if error.place().is_some() {
            return Err(error);
        }
        // nginx named no line: checking each site alone shows which one is wrong.
        for file in sites(staged) {
            if let Err(alone) = self.check_files(staged, Some(&file), cx).await {
                return Err(match staged.files.get(&file) {
                    Some(file) => alone.at(&file.origin),
                    None => alone,
                });
            }
        }
        Err(error)
    }

    /// The sites that cannot be served even alone, and why, so that they can be left out if the
    /// user asks for that.
    pub async fn failing_sites(
        &self,
        staged: &StagedFiles,
        cx: &Context,
    ) -> Result<Vec<(Name, Error)>> {
        let mut failing = Vec::new();
        for path in sites(staged) {
            let Some(name) = site_of(&path) else { continue };
            let tried = match missing_files(staged, &path) {
                Ok(()) => self.check_files(staged, Some(&path), cx).await,
                Err(missing) => Err(missing),
            };
            cx.check("proxy.check")?;
            if let Err(error) = tried {
                failing.push((name, error));
            }
        }
        Ok(failing)
    }

    /// Checks all files, or the shared ones with one site.
    async fn check_files(
        &self,
        staged: &StagedFiles,
        site: Option<&str>,
        cx: &Context,
    ) -> Result<()> {
        let main = if self.own_root { staged.folder.join("nginx.conf") } else { self.main_file() };
        let text = fs::read_to_string(&main)
            .map_err(|e| Error::io("proxy.check", format!("cannot read {}", main.display()), e))?;
        let text = redirected(&text, &main, &self.root, &included(staged, site))?;
        let path = self.root.join(CHECK_FILE);
        durable::write_file(&path, text.as_bytes(), 0o600)?;
        let output = self.test(&path, cx).await;
        let removed = fs::remove_file(&path);
        let output = output?;
        removed.map_err(|e| {
            Error::io("proxy.check", format!("cannot remove {}", path.display()), e)
        })?;
        match complaint(&output) {
            None => Ok(()),
            Some(complaint) => Err(blamed(complaint, staged)),
        }
    }

    async fn test(&self, main: &Path, cx: &Context) -> Result<String> {
        let path = main.to_string_lossy();
        // nginx writes to standard error, and exits with 0 after a warning: the text is checked in
        // both cases.
        let script = ["sh", "-c", "\"$0\" -t -c \"$1\" 2>&1 || true", &self.binary, &path];
        let output = CommandLine::new(script)?.run(cx, Some(LIMIT)).await?;
        let output = String::from_utf8_lossy(&output).into_owned();
        if output.contains("nginx: ") {
            return Ok(output);
        }
        Err(Error::new(
            ErrorKind::Config,
            "proxy.check",
            format!("cannot run nginx at {}: {}", self.binary, output.trim()),
        )
        .at("proxy.binary")
        .remedy_is("install it (on Debian: apt-get install nginx), or set proxy.binary"))
    }

    pub(super) fn main_file(&self) -> PathBuf {
        self.root.join("nginx.conf")
    }

    /// What keeps nginx from reading our files, whatever is in them; `None` if its main file
    /// includes them.
    pub fn obstacle(&self) -> Result<Option<Error>> {
        let main = self.main_file();
        if self.own_root {
            return Ok(match fs::read_link(&main) {
                Ok(there) if there == Path::new(MAIN_FILE) => None,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
                _ => Some(self.main_file_is_foreign()),
            });
        }
        let text = match fs::read_to_string(&main) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let message = format!("{} does not exist", main.display());
                return Ok(Some(
                    Error::new(ErrorKind::Config, "proxy.check", message)
                        .at("proxy.root")
                        .remedy_is("set proxy.root to nginx's folder, or own_root = true"),
                ));
            }
            text => text.map_err(|e| {
                Error::io("proxy.check", format!("cannot read {}", main.display()), e)
            })?,
        };
        Ok(redirected(&text, &main, &self.root, &[]).err())
    }

    fn main_file_is_foreign(&self) -> Error {
        let message = format!("{} was not written by Seaworthy", self.main_file().display());
        Error::new(ErrorKind::AlreadyExists, "proxy.link", message)
            .at("proxy.own_root")
            .remedy_is("move it away, or set own_root = false and include Seaworthy's files there")
    }

    /// Creates the link to our main file, if the whole tree is ours.
    pub(super) fn link_main_file(&self) -> Result<()> {
        if !self.own_root {
            return Ok(());
        }
        let path = self.main_file();
        let target = Path::new(MAIN_FILE);
        let fail = |e| Error::io("proxy.link", format!("cannot link {}", path.display()), e);
        match fs::read_link(&path) {
            Ok(there) if there == target => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            _ => return Err(self.main_file_is_foreign()),
        }
        std::os::unix::fs::symlink(target, &path).map_err(fail)?;
        durable::sync_folder(&self.root)
    }

    /// Removes the link to our main file, and nothing else.
    pub(super) fn unlink_main_file(&self) -> Result<()> {
        let path = self.main_file();
        if fs::read_link(&path).is_ok_and(|there| there == Path::new(MAIN_FILE)) {
            fs::remove_file(&path).map_err(|e| {
                Error::io("proxy.link", format!("cannot remove {}", path.display()), e)
            })?;
        }
        durable::sync_folder(&self.root)
    }
}

/// The files of sites.
fn sites(staged: &StagedFiles) -> Vec<String> {
    let sites = staged.files.iter().map(|(path, _)| path);
    sites.filter(|path| path.starts_with(SITE_FILE)).map(str::to_owned).collect()
}

/// The site whose file `path` is.
fn site_of(path: &str) -> Option<Name> {
    Name::new(path.strip_prefix(SITE_FILE)?.strip_suffix(".conf")?).ok()
}

/// The staged files that nginx is to read: all, or the shared ones with one site.
fn included(staged: &StagedFiles, site: Option<&str>) -> Vec<PathBuf> {
    let wanted = |path: &&str| {
        path.starts_with("conf.d/")
            && site.is_none_or(|site| *path == site || !path.starts_with(SITE_FILE))
    };
    staged
        .files
        .iter()
        .map(|(path, _)| path)
        .filter(wanted)
        .map(|p| staged.folder.join(p))
        .collect()
}

/// The main file with our include replaced by the staged files.
fn redirected(text: &str, main: &Path, root: &Path, files: &[PathBuf]) -> Result<String> {
    let ours = |directive: &Directive| {
        let full = root.join(INCLUDE);
        directive.name() == "include"
            && directive.arguments().first().is_some_and(|path| root.join(path) == full)
    };
    let mut lines = Vec::new();
    let read = parse(text).map_err(|e| {
        Error::new(ErrorKind::Config, "proxy.check", format!("cannot read {}", main.display()))
            .caused_by(e)
    })?;
    for directive in &read {
        directive.walk(&mut |directive| {
            if ours(directive) {
                lines.push(directive.line);
            }
        });
    }
    let [line] = lines.as_slice() else {
        let include = root.join(INCLUDE);
        let message = format!("{} does not include Seaworthy's files exactly once", main.display());
        return Err(Error::new(ErrorKind::Config, "proxy.check", message)
            .at("proxy.root")
            .remedy_is(format!("write `include {};` inside its http {{ }}", include.display())));
    };
    let mut out = String::new();
    for (i, text) in text.lines().enumerate() {
        if i + 1 == *line {
            // The rest of the line may close a block: only the include itself is replaced.
            let (before, rest) = text.split_once("include").unwrap_or((text, ";"));
            let rest = rest.split_once(';').map_or("", |(_, rest)| rest);
            out.push_str(before);
            for file in files {
                out.push_str(&format!("include \"{}\"; ", file.display()));
            }
            out.push_str(rest);
        } else {
            out.push_str(text);
        }
        out.push('\n');
    }
    Ok(out)
}

/// What nginx reports: the first error, else the first warning.
fn complaint(output: &str) -> Option<&str> {
    let line = |level: &str| output.lines().find_map(|line| line.split_once(level).map(|(_, m)| m));
    let level =
        ["[emerg] ", "[alert] ", "[crit] ", "[error] ", "[warn] "].into_iter().find_map(line);
    level.or_else(|| (!output.contains("test is successful")).then(|| output.trim()))
}

/// The error, with the field of the model if nginx names one of our lines.
fn blamed(complaint: &str, staged: &StagedFiles) -> Error {
    let error = Error::new(
        ErrorKind::Config,
        "proxy.check",
        format!("nginx rejects the files: {complaint}"),
    );
    let place = complaint.rsplit_once(" in ").and_then(|(_, place)| place.rsplit_once(':'));
    let origin =
        place.and_then(|(path, line)| staged.blame(Path::new(path), line.trim().parse().ok()?));
    match origin {
        Some(origin) => error.at(origin),
        None => error,
    }
}

/// nginx names no line for a missing certificate: we do.
fn missing_files(staged: &StagedFiles, path: &str) -> Result<()> {
    let Some(file) = staged.files.get(path).filter(|_| path.starts_with("conf.d/")) else {
        return Ok(());
    };
    let mut missing = None;
    for directive in parse(&String::from_utf8_lossy(&file.bytes))? {
        directive.walk(&mut |directive| {
            let names = ["ssl_certificate", "ssl_certificate_key", "auth_basic_user_file"];
            let needed = names.contains(&directive.name()).then(|| directive.arguments().first());
            if let Some(needed) = needed.flatten().filter(|file| !Path::new(file).exists()) {
                missing.get_or_insert((needed.clone(), directive.line));
            }
        });
    }
    let Some((name, line)) = missing else { return Ok(()) };
    Err(Error::new(ErrorKind::Config, "proxy.check", format!("{name} does not exist"))
        .at(file.origin_of_line(line))
        .remedy_is("issue the certificate first, or create the file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_include_is_replaced_and_nothing_else() {
        let root = Path::new("/etc/nginx");
        let main = root.join("nginx.conf");
        let files = [PathBuf::from("/g/a.conf")];
        let text = "http {\n  include mime.types;\n  include seaworthy/current/conf.d/*.conf; }\n";
        let out = redirected(text, &main, root, &files).unwrap();
        assert_eq!(out, "http {\n  include mime.types;\n  include \"/g/a.conf\";  }\n");
        let error = redirected("http { }", &main, root, &files).unwrap_err();
        assert!(error.remedy().unwrap().contains("/etc/nginx/seaworthy/current"), "{error:?}");
    }

    #[test]
    fn errors_come_before_warnings_and_silence_is_not_success() {
        let both = "nginx: [warn] a\nnginx: [emerg] b\nnginx: configuration file x test failed";
        assert_eq!(complaint(both), Some("b"));
        let good = "nginx: configuration file x test is successful";
        assert_eq!(complaint(good), None);
        assert!(complaint("").is_some());
    }
}
