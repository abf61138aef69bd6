//! A lab with a database.

use std::process::Command;

use seaworthy_tests::{
    Lab, Run,
    postgres::{Server, server, unique},
};

/// A small shop.
pub(crate) const SHOP: &str = "
    CREATE TABLE users (id serial PRIMARY KEY, email text UNIQUE NOT NULL, joined timestamptz DEFAULT now());
    CREATE TABLE orders (id bigserial PRIMARY KEY, user_id int NOT NULL REFERENCES users, total numeric(10,2));
    CREATE INDEX ON orders (user_id);
    CREATE VIEW spent AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;
    INSERT INTO users (email) SELECT n || E'@\t\"ex\\\\ample\"' FROM generate_series(1, 500) n;
    INSERT INTO orders (user_id, total) SELECT n % 500 + 1, n / 7.0 FROM generate_series(1, 4000) n;";

/// A lab whose job `nightly` backs a database of its own up, as the source `db`.
pub(crate) struct Shop {
    pub(crate) lab: Lab,
    pub(crate) name: String,
    server: &'static Server,
}

impl Shop {
    /// With the database that `sql` makes, and these lines in the section of the source.
    pub(crate) fn new(sql: &str, lines: &str) -> Self {
        let server = server();
        let name = server.database("shop", sql);
        let lab = Lab::new().with_job(&format!(
            "[backup.nightly.sources.db]\ntype = \"postgres\"\nurl = {{ env = \"DATABASE_URL\" }}\n{lines}\n"
        ));
        Self { lab, name, server }
    }

    /// The same with more text at the end of the file.
    pub(crate) fn with(mut self, text: &str) -> Self {
        let config = std::fs::read_to_string(self.lab.path("seaworthy.toml")).unwrap();
        self.lab = self.lab.with_config(&format!("{config}{text}"));
        self
    }

    /// The program with `arguments`, in an environment that leads to the database.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.command(arguments);
        command.env("DATABASE_URL", self.server.url(&self.name)).env("HOME", self.lab.path("."));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap(), arguments)
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> Run {
        self.run(arguments).expect_code(0)
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.name, sql)
    }

    /// The databases whose names begin like this one's.
    pub(crate) fn databases(&self) -> Vec<String> {
        databases(&self.name)
    }
}

pub(crate) fn databases(prefix: &str) -> Vec<String> {
    let sql = format!(
        "SELECT datname FROM pg_database WHERE starts_with(datname, '{prefix}') ORDER BY 1"
    );
    server().sql("postgres", sql).lines().map(str::to_owned).collect()
}

/// A URL, without a password, of a database that does not exist yet; and its name.
pub(crate) fn target() -> (String, String) {
    let name = unique("target");
    (url(&name), name)
}

pub(crate) fn url(name: &str) -> String {
    url_on(server(), name)
}

pub(crate) fn url_on(server: &Server, name: &str) -> String {
    let (folder, port) = (server.folder().display(), server.port);
    format!("postgresql:///{name}?host={folder}&port={port}&user=postgres")
}
