//! A mail server by other people: aiosmtpd, in Python.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use seaworthy_tests::python::environment;

const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// The server; it ends with this.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts one with a certificate in `folder`, secured as `tls` says: `starttls`, `implicit` or
    /// `none`. Who logs in is `ops` with the password `hunter2`.
    pub(crate) fn start(folder: &Path, tls: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quick/support/smtp.py");
        let mut child = Command::new(environment(AIOSMTPD).join("bin/python"));
        child.arg(script).arg(folder).arg(tls).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the mail server did not start");
        Self { child, out, port }
    }

    /// The next message that it took.
    pub(crate) fn next(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

/// A key and a certificate for `localhost`: `key.pem` and `cert.pem`.
pub(crate) fn certificate(folder: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.args(["-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let (key, cert) = (folder.join("key.pem"), folder.join("cert.pem"));
    openssl.arg("-keyout").arg(key).arg("-out").arg(cert).stderr(Stdio::null());
    assert!(openssl.status().unwrap().success(), "apt-get install openssl");
}
