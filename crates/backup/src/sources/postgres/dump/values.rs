//! What comes between the rows and the indexes: values of sequences and contents of large objects.
//! Each statement is independent.

use std::sync::{Arc, Mutex, PoisonError};

use seaworthy_core::Result;

use super::{catalog::Sequence, sql_out::SqlOut};
use crate::sources::postgres::connect::session::{Session, literal, qualified, quote};

/// How many sequences one query reads.
const BATCH: usize = 100;

/// For how many large objects one query reads the privileges.
const METADATA: usize = 200;

/// How many large objects one query reads, and how many bytes of each.
const OBJECTS: usize = 8;
const PART: usize = 256 << 10;

/// Sends a statement for each sequence. Values are not transactional: they are the current ones, as
/// in `pg_dump`, and so never older than the rows.
pub(crate) async fn sequences(
    session: &Session,
    sequences: &[Sequence],
    out: &mut SqlOut,
) -> Result<()> {
    for batch in sequences.chunks(BATCH) {
        let select = |(n, sequence): (usize, &Sequence)| {
            let name = qualified(&sequence.schema, &sequence.name);
            format!("SELECT {n}::int4, last_value, is_called FROM {name}")
        };
        let sql = batch.iter().enumerate().map(select).collect::<Vec<_>>().join(" UNION ALL ");
        for row in session.rows(&format!("{sql} ORDER BY 1"), &[]).await? {
            let (n, value, called): (i32, i64, bool) = (row.get(0), row.get(1), row.get(2));
            let Some(sequence) = usize::try_from(n).ok().and_then(|n| batch.get(n)) else {
                continue;
            };
            let name = literal(&qualified(&sequence.schema, &sequence.name));
            let sql = format!("SELECT pg_catalog.setval({name}, {value}, {called});\n");
            out.push(&session.encode(sql).await?).await?;
        }
    }
    Ok(())
}

/// The numbers of all large objects.
pub(crate) async fn large_objects(session: &Session) -> Result<Vec<u32>> {
    let sql = "SELECT oid FROM pg_largeobject_metadata ORDER BY oid";
    Ok(session.rows(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Sends the statements that create `objects`, empty, with their owners, comments and privileges.
pub(crate) async fn make_large_objects(
    session: &Session,
    objects: &[u32],
    out: &mut SqlOut,
) -> Result<()> {
    let made = "SELECT oid, pg_get_userbyid(lomowner), obj_description(oid, 'pg_largeobject'), lomacl IS NOT NULL
        FROM pg_largeobject_metadata WHERE oid = ANY ($1) ORDER BY oid";
    let granted = "SELECT m.oid, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END,
          a.privilege_type, a.is_grantable
        FROM pg_largeobject_metadata m,
          aclexplode(m.lomacl) WITH ORDINALITY a(grantor, grantee, privilege_type, is_grantable, n)
        WHERE m.oid = ANY ($1) ORDER BY m.oid, a.n";
    for batch in objects.chunks(METADATA) {
        let grants = session.rows(granted, &[&batch]).await?;
        for row in session.rows(made, &[&batch]).await? {
            let (oid, owner): (u32, String) = (row.get(0), quote(row.get(1)));
            let object = format!("LARGE OBJECT {oid}");
            let mut sql = format!(
                "SELECT pg_catalog.lo_create('{oid}');\nALTER {object} OWNER TO {owner};\n"
            );
            if let Some(comment) = row.get::<_, Option<&str>>(2) {
                sql.push_str(&format!("COMMENT ON {object} IS {};\n", literal(comment)));
            }
            if row.get(3) {
                sql.push_str(&format!("REVOKE ALL ON {object} FROM PUBLIC, {owner};\n"));
            }
            for grant in grants.iter().filter(|grant| grant.get::<_, u32>(0) == oid) {
                let role = grant.get::<_, Option<&str>>(1).map_or("PUBLIC".to_owned(), quote);
                let (privilege, grantable): (&str, bool) = (grant.get(2), grant.get(3));
                let option = if grantable { " WITH GRANT OPTION" } else { "" };
                sql.push_str(&format!("GRANT {privilege} ON {object} TO {role}{option};\n"));
            }
            out.push(&session.encode(sql).await?).await?;
        }
    }
    Ok(())
}

/// Sends the contents of large objects until none is left in `objects`.
pub(crate) async fn send_large_objects(
    session: &Session,
    objects: &Arc<Mutex<Vec<u32>>>,
    out: &mut SqlOut,
) -> Result<()> {
    let part = PART as i64;
    loop {
        let mut batch = {
            let mut objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
            let rest = objects.len().saturating_sub(OBJECTS);
            objects.split_off(rest)
        };
        if batch.is_empty() {
            return Ok(());
        }
        let mut at: i64 = 0;
        while !batch.is_empty() {
            let rows = session
                .rows(
                    "SELECT o, lo_get(o, $2, $3::int8::int4) FROM unnest($1::oid[]) o",
                    &[&batch, &at, &part],
                )
                .await?;
            batch.clear();
            for row in rows {
                let (oid, bytes): (u32, &[u8]) = (row.get(0), row.get(1));
                if !bytes.is_empty() {
                    out.push(&put(oid, at, bytes)).await?;
                }
                if bytes.len() == PART {
                    batch.push(oid);
                }
            }
            at += part;
        }
    }
}

fn put(oid: u32, at: i64, bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut sql = format!("SELECT pg_catalog.lo_put('{oid}', {at}, '\\x").into_bytes();
    sql.reserve(bytes.len() * 2 + 8);
    for byte in bytes {
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
        sql.extend([DIGITS[high], DIGITS[low]]);
    }
    sql.extend_from_slice(b"');\n");
    sql
}
