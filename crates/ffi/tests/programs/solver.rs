//! A challenge solver in C, which a real authority believes.

use std::{
    net::{TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::{build, ok, ok_with_library};

/// Programs that end with the test.
struct Children(Vec<Child>);

impl Children {
    /// Starts `command`, and waits until it listens on `port`.
    fn start(&mut self, command: &mut Command, port: u16) {
        let started =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let name = command.get_program().to_string_lossy().into_owned();
        let started = started.unwrap_or_else(|e| panic!("{name}: {e}; scripts/test installs it"));
        self.0.push(started);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = self.0.last_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{name} has ended: {ended:?}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ports that are free for TCP and UDP.
fn free_ports<const N: usize>() -> [u16; N] {
    let mut kept = Vec::new();
    while kept.len() < N {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if let Ok(udp) = UdpSocket::bind(("127.0.0.1", port)) {
            kept.push((port, tcp, udp));
        }
    }
    std::array::from_fn(|at| kept[at].0)
}

/// A certificate for Pebble's own listener, which is its own root.
fn own_certificate(folder: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=pebble"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    ok(openssl.current_dir(folder));
}

#[test]
fn a_solver_in_c_answers_a_real_authority() {
    let lab = tempfile::tempdir().unwrap();
    let path = |name: &str| lab.path().join(name);
    let mut children = Children(Vec::new());
    own_certificate(lab.path());
    let [acme, management, http, tls, dns, dns_management] = free_ports();
    let mut server = Command::new("pebble-challtestsrv");
    server.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
    server.args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
    server.args(["-dns01", &format!("127.0.0.1:{dns}")]);
    server.args(["-management", &format!("127.0.0.1:{dns_management}")]);
    children.start(&mut server, dns_management);
    let pebble = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{acme}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": path("cert.pem"), "privateKey": path("key.pem"),
        "httpPort": http, "tlsPort": tls,
    }});
    std::fs::write(path("pebble.json"), pebble.to_string()).unwrap();
    let mut pebble = Command::new("pebble");
    pebble
        .arg("-config")
        .arg(path("pebble.json"))
        .args(["-dnsserver", &format!("127.0.0.1:{dns}")]);
    pebble.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
    children.start(&mut pebble, acme);
    let config = format!(
        "state = \"state\"\n[tls]\nstore = \"store\"\nresolvers = [\"127.0.0.1:{dns}\"]\n\
         [ca.pebble]\ntype = \"acme\"\ndirectory = \"https://127.0.0.1:{acme}/dir\"\nroots = \"cert.pem\"\n\
         agree_tos = true\n\
         [certificate.site]\nnames = [\"*.ffi.example\"]\nca = [\"pebble\"]\nprove = false\n\
         challenge = {{ type = \"dns-01\", custom = \"zone\" }}\n"
    );
    std::fs::write(path("seaworthy.toml"), config).unwrap();
    let program = build("gcc", &["-std=c11"], "solver.c", &["--libs"], lab.path());
    let mut program = Command::new(program);
    program.arg(path("seaworthy.toml")).arg(format!("http://127.0.0.1:{dns_management}"));
    assert_eq!(ok_with_library(&mut program), "the authority believes us\n");
}
