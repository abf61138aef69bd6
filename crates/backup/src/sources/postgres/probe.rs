//! Whether a database can be backed up: reached, read, and not through a pooler that would break it.

use seaworthy_core::{Context, Environment, Findings};

use super::{Examination, Pooling, PostgresConfig};

/// Tries the database.
pub(super) async fn probe(
    config: &PostgresConfig,
    environment: &Environment,
    findings: &mut Findings,
    cx: &Context,
) {
    let options = match config.connect_options(environment, cx).await {
        Ok(options) => options,
        Err(error) => return findings.error("connect", &error),
    };
    let shown = options.to_string();
    let source = config.source(options);
    let examined = tokio::select! {
        examined = source.examine() => examined,
        () = cx.cancel().triggered() => return,
    };
    match examined {
        Err(error) => findings.error("connect", &error),
        Ok(examination) => judge(&shown, &examination, findings),
    }
}

fn judge(shown: &str, found: &Examination, findings: &mut Findings) {
    let direct = "connect to the server itself, past the pooler: write its own port in the URL; a \
                  pooler in session mode does too";
    match found.pooling {
        Pooling::Transaction => {
            let message = format!(
                "{shown} is a pooler that gives each transaction another session, as PgBouncer in \
                 transaction mode does: a backup needs sessions of its own"
            );
            findings.fail("pooler", message, direct);
        }
        Pooling::Exhausted => {
            let message = format!("{shown} has no session left while four are in use");
            let remedy = format!("raise the size of its pool, or {direct}");
            findings.fail("pooler", message, remedy);
        }
        _ => findings.ok("pooler", "each connection is a session of its own"),
    }
    let Some(server) = &found.server else { return };
    findings.ok("connect", format!("{shown} answers: PostgreSQL {}", server.version));
    match &server.pg_dump {
        Ok(path) => findings.ok("pg_dump", format!("{} is new enough", path.display())),
        Err(error) => findings.error("pg_dump", error),
    }
    if server.unreadable.is_empty() {
        findings.ok("rights", "every table can be read");
        return;
    }
    let message = format!("{} cannot be read by this role", server.unreadable.join(", "));
    let remedy = format!(
        "GRANT pg_read_all_data TO \"{}\" (PostgreSQL 14 or newer), or leave them out with \
         `exclude_tables`; row security needs BYPASSRLS",
        server.role
    );
    if server.filtered {
        findings.warn("rights", format!("{message}, unless they are left out"), remedy);
    } else {
        findings.fail("rights", message, remedy);
    }
}
