//! TLS with a private root, by libpq's modes. The server takes no other connections by TCP.

use seaworthy_backup::sources::postgres::{ConnectOptions, Environment, PostgresSource};
use seaworthy_core::{ErrorKind, Result};

use super::support::*;

async fn back_up(host: &str, mode: &str, root: Option<&str>) -> Result<()> {
    let server = server();
    let root = root.map_or_else(String::new, |root| {
        format!("sslrootcert={}", server.folder().join(root).display())
    });
    let url = format!(
        "host={host} port={} user=postgres password=secret dbname=template1 sslmode={mode} {root}",
        server.port
    );
    let options = ConnectOptions::parse(&url, &Environment::new())?;
    let source = PostgresSource::new(options).pg_dump(program("pg_dump"));
    Lab::new().back_up(source).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_as_far_as_the_mode_says() {
    for (host, mode, root) in [
        ("localhost", "verify-full", Some("ca.pem")),
        ("127.0.0.1", "verify-ca", Some("ca.pem")),
        ("127.0.0.1", "require", None),
        ("127.0.0.1", "prefer", None),
        ("127.0.0.1", "allow", None),
    ] {
        back_up(host, mode, root).await.unwrap_or_else(|error| {
            panic!("{host} {mode} {root:?}: {}", error.chain());
        });
    }
    for (host, mode, root, why) in [
        ("127.0.0.1", "verify-full", Some("ca.pem"), "not valid for name"),
        ("localhost", "verify-full", Some("other.pem"), "invalid peer certificate"),
        ("127.0.0.1", "verify-ca", Some("other.pem"), "invalid peer certificate"),
        ("127.0.0.1", "require", Some("other.pem"), "invalid peer certificate"),
        ("127.0.0.1", "disable", None, "no encryption"),
    ] {
        let error = back_up(host, mode, root).await.unwrap_err();
        assert!(error.chain().contains(why), "{host} {mode} {root:?}: {}", error.chain());
        assert!(!error.chain().contains("secret"));
    }
    let error = back_up("localhost", "verify-full", None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.remedy().unwrap().contains("sslrootcert"));
}
