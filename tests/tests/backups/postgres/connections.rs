//! How a database is found: what users of libpq expect.

use std::{fs, os::unix::fs::PermissionsExt};

use seaworthy_tests::{Run, postgres::server};

use super::support::*;

/// Connects with these variables, and says how that went.
fn dry_run(shop: &Shop, variables: &[(&str, &str)]) -> Run {
    let mut command = shop.command(&["backup", "--dry-run"]);
    Run::of(command.envs(variables.iter().copied()).output().unwrap(), &["backup", "--dry-run"])
}

#[test]
fn passwords_come_from_where_libpq_looks_for_them() {
    let shop = Shop::new(SHOP, "globals = false");
    let (name, port) = (&shop.name, server().port);
    let url = format!("postgresql://postgres@localhost:{port}/{name}?sslmode=prefer");
    let run = dry_run(&shop, &[("DATABASE_URL", &url)]).expect_code(1);
    run.says(&["password"]);
    dry_run(&shop, &[("DATABASE_URL", &url), ("PGPASSWORD", "secret")]).expect_code(0);
    let wrong = dry_run(&shop, &[("DATABASE_URL", &url), ("PGPASSWORD", "hunter2")]);
    let wrong = wrong.expect_code(1).says(&["password authentication failed", ".pgpass"]);
    assert!(!wrong.stderr.contains("hunter2"));

    let passfile = shop.lab.write(".pgpass", format!("localhost:{port}:*:postgres:secret\n"));
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    dry_run(&shop, &[("DATABASE_URL", &url)]).expect_code(0);
    // The programs that we start find it too.
    let mut command = shop.command(&["backup"]);
    Run::of(command.env("DATABASE_URL", &url).output().unwrap(), &["backup"]).expect_code(0);
}

#[test]
fn certificates_are_checked_as_far_as_the_mode_says() {
    let shop = Shop::new(SHOP, "globals = false");
    let (name, port) = (&shop.name, server().port);
    let roots = server().folder().display();
    for (host, root, code) in
        [("localhost", "ca.pem", 0), ("127.0.0.1", "ca.pem", 1), ("localhost", "other.pem", 1)]
    {
        let url = format!(
            "postgresql://postgres:secret@{host}:{port}/{name}?sslmode=verify-full&sslrootcert={roots}/{root}"
        );
        let run = dry_run(&shop, &[("DATABASE_URL", &url)]).expect_code(code);
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
}

#[test]
fn services_and_variables_name_a_database_as_well() {
    let shop = Shop::new(SHOP, "globals = false");
    let config = fs::read_to_string(shop.lab.path("seaworthy.toml")).unwrap();
    let with = |line: &str| {
        let text = config.replace("url = { env = \"DATABASE_URL\" }", line);
        fs::write(shop.lab.path("seaworthy.toml"), text).unwrap();
    };
    let (folder, port) = (server().folder().display().to_string(), server().port.to_string());
    with("service = \"shop\"");
    let (words, name) = (["no service file defines the service shop"], &shop.name);
    dry_run(&shop, &[]).expect_code(2).says(&words);
    let file = format!("[shop]\nhost={folder}\nport={port}\nuser=postgres\ndbname={name}\n");
    shop.lab.write(".pg_service.conf", file);
    assert!(dry_run(&shop, &[]).expect_code(0).stdout.contains(name.as_str()));

    with(&format!("database = \"{name}\""));
    let variables = [("PGHOST", folder.as_str()), ("PGPORT", &port), ("PGUSER", "postgres")];
    dry_run(&shop, &variables).expect_code(0);
    let mut command = shop.command(&["backup"]);
    Run::of(command.envs(variables).output().unwrap(), &["backup"]).expect_code(0);
}
