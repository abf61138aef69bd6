//! The server of moto, from PyPI: versions, locks, lifecycle.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// What is installed, once, into a folder that is kept.
const MOTO: &str = "moto[s3,server]==5.2.1";

/// A `moto_server` that is killed when dropped.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    /// Starts one.
    pub fn start() -> Self {
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = Command::new(program())
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .env("AWS_ACCESS_KEY_ID", super::KEY_ID)
                .env("AWS_SECRET_ACCESS_KEY", super::SECRET)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let ready =
                lines.by_ref().map_while(Result::ok).any(|line| line.contains("Running on"));
            // What it says later must go somewhere, or it would wait.
            std::thread::spawn(move || lines.for_each(drop));
            if ready {
                return Self { child, port };
            }
            // Somebody took the port meanwhile.
            let _ = child.wait();
        }
        panic!("moto_server does not start");
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Moto {
    /// Makes a bucket that keeps versions, and locks them where that is asked for.
    pub fn make_bucket(&self, bucket: &str, locks: bool) {
        let lock = format!("x-amz-bucket-object-lock-enabled: {locks}");
        self.put(bucket, &lock, "");
        let versions =
            "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.put(&format!("{bucket}?versioning"), "content-type: application/xml", versions);
    }

    /// Sets the lifecycle rules of a bucket: the elements `Rule` in XML.
    pub fn set_lifecycle(&self, bucket: &str, rules: &str) {
        let text = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        self.put(&format!("{bucket}?lifecycle"), "content-type: application/xml", &text);
    }

    fn put(&self, path: &str, header: &str, body: &str) {
        let done = Command::new("curl")
            .args(["-sSf", "-X", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user"])
            .arg(format!("{}:{}", super::KEY_ID, super::SECRET))
            .args(["-H", header, "--data", body])
            .arg(format!("{}/{path}", self.url()))
            .output()
            .unwrap_or_else(|e| panic!("cannot run curl: {e}; apt-get install curl"));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program `moto_server` in an environment of its own.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| crate::python::environment(MOTO).join("bin/moto_server"))
}
