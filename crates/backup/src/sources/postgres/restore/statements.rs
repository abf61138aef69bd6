//! Statements of a dump.

use seaworthy_core::Result;

use crate::sources::postgres::connect::session::Session;

/// How many statements are sent at once, and their largest size in bytes.
const AT_ONCE: usize = 64;
const BYTES: usize = 1 << 20;

/// Runs a statement of a dump.
pub(crate) async fn execute(session: &Session, sql: &str) -> Result<()> {
    match adapted(sql, session.version()) {
        Some(sql) => session.run(sql).await,
        None => Ok(()),
    }
}

/// Runs statements of a dump in their order, many of them in one round trip and one transaction.
///
/// If one of them is refused, none of them took effect, and they are run one by one: the error then
/// names the statement, and a statement that cannot share a transaction gets one of its own.
pub(crate) async fn execute_all(session: &Session, statements: &[String]) -> Result<()> {
    for batch in batches(statements) {
        let adapted = batch.iter().filter_map(|sql| adapted(sql, session.version()));
        let together = adapted.collect::<Vec<_>>().join("\n");
        if batch.len() > 1 && session.client().batch_execute(&together).await.is_ok() {
            continue;
        }
        for sql in batch {
            execute(session, sql).await?;
        }
    }
    Ok(())
}

/// What to run for `sql`: settings for psql or for another version are skipped.
fn adapted(sql: &str, version: u32) -> Option<&str> {
    let newer = sql.starts_with("SET transaction_timeout") && version < 17_00_00;
    if newer || sql.starts_with("SET client_encoding") {
        return None;
    }
    // A dump of selected schemas creates it, but every new database has it.
    if sql.trim_end() == "CREATE SCHEMA public;" {
        return Some("CREATE SCHEMA IF NOT EXISTS public;");
    }
    Some(sql)
}

fn batches(statements: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = statements;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let more = rest.iter().take(AT_ONCE).take_while(|sql| {
            bytes += sql.len();
            bytes <= BYTES
        });
        let (batch, after) = rest.split_at(more.count().max(1).min(rest.len()));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Words, quoted names and single signs of `sql`.
pub(crate) fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = match first {
            '"' => {
                let (mut end, bytes) = (1, rest.as_bytes());
                loop {
                    match (bytes.get(end), bytes.get(end + 1)) {
                        (None, _) => break end,
                        (Some(b'"'), Some(b'"')) => end += 2,
                        (Some(b'"'), _) => break end + 1,
                        _ => end += 1,
                    }
                }
            }
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn batches_hold_everything_in_order(sizes in prop::collection::vec(0..BYTES * 5 / 4, 0..200)) {
            let statements: Vec<_> = sizes.iter().map(|size| "x".repeat(size / 1000)).collect();
            let batches: Vec<_> = batches(&statements).collect();
            prop_assert_eq!(batches.concat(), statements.clone());
            prop_assert!(batches.iter().all(|batch| (1..=AT_ONCE).contains(&batch.len())));
        }
    }

    #[test]
    fn a_batch_is_bounded_in_bytes() {
        let statements = vec![
            "x".repeat(BYTES / 2),
            "y".repeat(BYTES / 2),
            "z".to_owned(),
            "w".repeat(2 * BYTES),
        ];
        let lengths: Vec<_> = batches(&statements).map(<[String]>::len).collect();
        assert_eq!(lengths, [2, 1, 1]);
    }

    #[test]
    fn what_is_meant_for_others_is_passed_over() {
        assert_eq!(adapted("SET client_encoding = 'UTF8';", 15_00_00), None);
        assert_eq!(adapted("SET transaction_timeout = 0;", 16_00_00), None);
        assert!(adapted("SET transaction_timeout = 0;", 17_00_00).is_some());
        assert_eq!(
            adapted("CREATE SCHEMA public;\n", 15_00_00),
            Some("CREATE SCHEMA IF NOT EXISTS public;")
        );
        assert_eq!(adapted("CREATE SCHEMA public2;", 15_00_00), Some("CREATE SCHEMA public2;"));
    }
}
