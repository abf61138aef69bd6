//! One connection, set up like that of `pg_dump`.

use std::{sync::Arc, time::Duration};

use seaworthy_core::{Error, ErrorKind, Result};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row, types::ToSql};

use super::{
    channel::Channel,
    error::failed,
    options::ConnectOptions,
    rows::{Rows, Shared},
};

/// The oldest supported server.
const OLDEST: u32 = 12_00_00;

/// How long a server may take to close a session.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection. Dropping it closes the socket at once, whatever the server is sending.
#[derive(Debug)]
pub(crate) struct Session {
    // In this order: if the socket still exists, it is closed with the second.
    client: Client,
    connection: Connection,
    rows: Shared,
    version: u32,
    encoding: String,
    /// The operation that it is used for, for errors.
    operation: &'static str,
}

/// The task that copies the bytes; it ends with this.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    /// Connects and reads the server's version and encoding, but keeps the role's own settings.
    pub(crate) async fn open(options: &ConnectOptions, operation: &'static str) -> Result<Self> {
        let Channel { client, task, rows } = options.open(operation).await?;
        let mut session = Self {
            client,
            connection: Connection(task),
            rows,
            version: 0,
            encoding: String::new(),
            operation,
        };
        // A role may have a limit that is too short even for this.
        session.run("SET statement_timeout = 0").await?;
        let row = session
            .row(
                "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
                        pg_catalog.current_setting('server_encoding')",
                &[],
            )
            .await?;
        session.version = u32::try_from(row.get::<_, i32>(0)).unwrap_or_default();
        session.encoding = row.get(1);
        if session.version < OLDEST {
            let message = format!("the server {options} is older than PostgreSQL 12");
            return Err(Error::new(ErrorKind::Unsupported, operation, message)
                .remedy_is("upgrade the server, or back it up with a `command` source"));
        }
        Ok(session)
    }

    /// Ends the session properly, so that the server logs no error. An open transaction is rolled
    /// back.
    pub(crate) async fn close(self) {
        let Self { client, mut connection, .. } = self;
        drop(client);
        // In the worst case the socket is closed without notice.
        let _ = tokio::time::timeout(GOODBYE, &mut connection.0).await;
    }

    /// [`close`](Self::close)s it if nothing else uses it any more.
    pub(crate) async fn close_all(sessions: impl IntoIterator<Item = Arc<Self>>) {
        for session in sessions {
            if let Some(session) = Arc::into_inner(session) {
                session.close().await;
            }
        }
    }

    /// Sets everything that changes the text form of rows, or that could end a long transaction.
    /// Nothing waits for a lock longer than `lock_timeout`.
    pub(crate) async fn set_up(&self, lock_timeout: Duration) -> Result<()> {
        let mut setup = format!(
            "SET search_path = ''; SET DateStyle = ISO; SET IntervalStyle = postgres;
             SET TimeZone = 'UTC'; SET extra_float_digits = 3; SET bytea_output = hex;
             SET standard_conforming_strings = on; SET synchronize_seqscans = off;
             SET xmloption = content; SET row_security = off; SET client_min_messages = warning;
             SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
             SET lock_timeout = {};",
            lock_timeout.as_millis()
        );
        if self.version >= 14_00_00 {
            setup.push_str("SET idle_session_timeout = 0;");
        }
        if self.version >= 17_00_00 {
            setup.push_str("SET transaction_timeout = 0;");
        }
        if self.encoding == "SQL_ASCII" {
            // Bytes without an encoding must not be checked or converted.
            setup.push_str("SET client_encoding = SQL_ASCII;");
        }
        self.run(&setup).await?;
        // Supported since the fix of CVE-2024-7348, in minor releases too.
        self.run(
            "SELECT pg_catalog.set_config(name, 'view, foreign-table', false)
             FROM pg_catalog.pg_settings WHERE name = 'restrict_nonsystem_relation_kind'",
        )
        .await?;
        self.notice_our_end().await;
        Ok(())
    }

    /// Makes a waiting or busy server notice within seconds that the client is gone, if supported.
    pub(crate) async fn notice_our_end(&self) {
        if self.version >= 14_00_00 {
            // Not every platform supports it.
            let _ = self.client.batch_execute("SET client_connection_check_interval = 5000").await;
        }
    }

    /// The server's version as a number: 150018 for 15.18.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }

    /// The database's encoding, by PostgreSQL's name.
    pub(crate) fn encoding(&self) -> &str {
        &self.encoding
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs statements without results.
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(|e| self.failed(sql, e))
    }

    pub(crate) async fn rows(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.client.query(sql, values).await.map_err(|e| self.failed(sql, e))
    }

    pub(crate) async fn row(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.client.query_one(sql, values).await.map_err(|e| self.failed(sql, e))
    }

    /// The rows of a `COPY … TO STDOUT`. One COPY at a time.
    pub(crate) async fn copy_out(&self, sql: &str) -> Result<Rows, tokio_postgres::Error> {
        Ok(Rows::new(self.client.copy_out(sql).await?, self.rows.clone()))
    }

    /// `text` in the database's own encoding.
    pub(crate) async fn encode(&self, text: String) -> Result<Vec<u8>> {
        if text.is_ascii() || ["UTF8", "SQL_ASCII"].contains(&self.encoding.as_str()) {
            return Ok(text.into_bytes());
        }
        let sql = "SELECT pg_catalog.convert_to($1, pg_catalog.current_setting('server_encoding'))";
        Ok(self.row(sql, &[&text]).await?.get(0))
    }

    /// Decodes `bytes` from the database's own encoding.
    pub(crate) async fn decode(&self, bytes: Vec<u8>) -> Result<String> {
        let plain = bytes.is_ascii() || ["UTF8", "SQL_ASCII"].contains(&self.encoding.as_str());
        if !plain {
            let sql =
                "SELECT pg_catalog.convert_from($1, pg_catalog.current_setting('server_encoding'))";
            return Ok(self.row(sql, &[&bytes]).await?.get(0));
        }
        String::from_utf8(bytes).map_err(|error| {
            let message = "a statement is not UTF-8, in a database without an encoding";
            Error::new(ErrorKind::Unsupported, self.operation, message)
                .caused_by(error)
                .remedy_is("restore it with `zstd -dc … | psql -v ON_ERROR_STOP=1`")
        })
    }

    pub(crate) fn failed(&self, sql: &str, error: tokio_postgres::Error) -> Error {
        failed(self.operation, format!("the server refused `{}`", shorten(sql)), error)
    }
}

/// The beginning of a statement, on one line.
pub(crate) fn shorten(sql: &str) -> String {
    const LONGEST: usize = 160;
    let mut line = String::new();
    for word in sql.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if let Some((end, _)) = line.char_indices().nth(LONGEST) {
            line.truncate(end);
            line.push('…');
            break;
        }
    }
    line
}

/// An SQL identifier, always in quotes: which words need them differs by version.
pub(crate) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// `"schema"."name"`.
pub(crate) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

/// An SQL string, with standard strings.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
