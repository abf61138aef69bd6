//! Models from TOML, as the facade fills them, and the programs that judge what is rendered.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use seaworthy_core::{CommandLine, ConfigRenderer, FileSet, Named, TimeZone};
use seaworthy_service_config::{Runner, Service, Services};

#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    service: Named<Service>,
}

/// The model of `text` for a machine with four processors in Paris.
pub fn try_services(text: &str) -> Result<Services, toml::de::Error> {
    // The rest of the file is not ours.
    let table: toml::Table = text.parse()?;
    let mut ours = toml::Table::new();
    ours.extend(table.into_iter().filter(|(key, _)| key == "service"));
    let file: File = ours.try_into()?;
    let program = ["/usr/local/bin/seaworthy", "--config", "/etc/seaworthy/seaworthy.toml"];
    let mut services = Services::new(file.service, 4, CommandLine::new(program).unwrap());
    services.time_zone = Some(TimeZone::named("Europe/Paris").unwrap());
    let mut runner = Runner::new("*/5 * * * *".parse().unwrap());
    runner.writes = vec!["/var/backups/flotteq".parse().unwrap()];
    services.runner = Some(runner);
    Ok(services)
}

pub fn services(text: &str) -> Services {
    try_services(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The text of `examples/<name>/seaworthy.toml`.
pub fn example(name: &str) -> String {
    let path = repository().join("examples").join(name).join("seaworthy.toml");
    fs::read_to_string(path).unwrap()
}

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn render<R: ConfigRenderer<Model = Services>>(renderer: &R, model: &Services) -> FileSet {
    renderer.render(model).unwrap_or_else(|e| panic!("{e:?}"))
}

pub fn text(files: &FileSet, path: &str) -> String {
    let file = files.get(path).unwrap_or_else(|| panic!("no {path} in {files:?}"));
    String::from_utf8(file.bytes.clone()).unwrap()
}

pub fn all_text(files: &FileSet) -> String {
    files.iter().fold(String::new(), |mut out, (path, file)| {
        out.push_str(&format!("### {path}\n{}\n", String::from_utf8_lossy(&file.bytes)));
        out
    })
}

/// Puts the files into a folder that every user may read.
pub fn written(files: &FileSet) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (path, file) in files.iter() {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.bytes).unwrap();
    }
    folder
}

/// An output of `program`; fails with the Debian package where it is missing.
pub fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    output(&mut command)
}

pub fn output(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    command.output().unwrap_or_else(|e| {
        let package = match program.rsplit('/').next().unwrap() {
            "systemd-analyze" | "systemd" => "systemd",
            "node" => "nodejs",
            "setpriv" => "util-linux",
            other => other,
        };
        panic!("cannot run {program}: {e}; apt-get install {package}")
    })
}

pub fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

const PYTHON_PACKAGES: [&str; 3] =
    ["PyYAML==6.0.2", "python-crontab==3.2.0", "check-jsonschema==0.33.0"];

/// The folder of Python programs of these versions, installed on first use.
pub fn python_programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let venv = repository().join("target/oracles/services-venv");
        fs::create_dir_all(venv.parent().unwrap()).unwrap();
        // Several tests may want it at the same time.
        let lock = fs::File::create(venv.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        let done = venv.join("installed");
        let wanted = PYTHON_PACKAGES.join("\n");
        if fs::read_to_string(&done).unwrap_or_default() != wanted {
            let python = run("python3", &["-m", "venv", venv.to_str().unwrap()]);
            assert!(python.status.success(), "apt-get install python3-venv");
            let pip = venv.join("bin/pip");
            let mut install = Command::new(pip);
            install.args(["install", "-q"]).args(PYTHON_PACKAGES);
            assert!(output(&mut install).status.success(), "cannot install {wanted}");
            fs::write(done, wanted).unwrap();
        }
        venv.join("bin")
    })
}

/// What the Python `script` prints, given `arguments`.
pub fn python(script: &str, arguments: &[&str]) -> String {
    let program = python_programs().join("python");
    let arguments = [&["-c", script], arguments].concat();
    let output = run(program.to_str().unwrap(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}
