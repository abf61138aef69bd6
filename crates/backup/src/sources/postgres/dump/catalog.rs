//! Queries on the catalogue: the tables to dump, their columns, sizes and special cases.

use std::collections::{HashMap, HashSet};

use seaworthy_core::{Error, ErrorKind, Result};

use super::pattern::Pattern;
use crate::sources::postgres::connect::session::{Session, qualified};

/// What a source should dump and exclude.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) schemas: Vec<String>,
    pub(crate) exclude_tables: Vec<String>,
    pub(crate) exclude_table_data: Vec<String>,
}

/// The relations and schemas that [`Wanted`]'s patterns currently match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Schemas, if not all are included.
    pub(crate) schemas: Option<Vec<String>>,
    /// Relations to exclude, by oid, with their quoted names.
    pub(crate) excluded: HashMap<u32, String>,
    /// Relations whose rows are excluded.
    pub(crate) without_data: HashMap<u32, String>,
    /// Patterns that match nothing.
    pub(crate) idle: Vec<String>,
}

impl Scope {
    /// Resolves the patterns as `pg_dump` would: a name without a schema is searched for in the
    /// role's search path.
    pub(crate) async fn resolve(wanted: &Wanted, session: &Session) -> Result<Self> {
        let mut scope = Self::default();
        if !wanted.schemas.is_empty() {
            let mut schemas = Vec::new();
            for pattern in &wanted.schemas {
                let name = Pattern::parse(pattern)?.name;
                let sql = "SELECT nspname FROM pg_catalog.pg_namespace
                    WHERE nspname OPERATOR(pg_catalog.~) ($1::pg_catalog.text COLLATE pg_catalog.\"default\")";
                let rows = session.rows(sql, &[&name]).await?;
                if rows.is_empty() {
                    let message = format!("there is no schema `{pattern}`");
                    return Err(Error::new(ErrorKind::NotFound, "postgres.dump", message)
                        .remedy_is("check `schemas`"));
                }
                schemas.extend(rows.iter().map(|row| row.get::<_, String>(0)));
            }
            schemas.sort_unstable();
            schemas.dedup();
            scope.schemas = Some(schemas);
        }
        session.run("RESET search_path").await?;
        for (patterns, found) in [
            (&wanted.exclude_tables, &mut scope.excluded),
            (&wanted.exclude_table_data, &mut scope.without_data),
        ] {
            for pattern in patterns {
                let Pattern { schema, name } = Pattern::parse(pattern)?;
                let sql = "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c
                    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                    WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S}'::pg_catalog.\"char\"[])
                    AND c.relname OPERATOR(pg_catalog.~) ($2::pg_catalog.text COLLATE pg_catalog.\"default\")
                    AND CASE WHEN $1::pg_catalog.text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
                        ELSE n.nspname OPERATOR(pg_catalog.~) ($1::pg_catalog.text COLLATE pg_catalog.\"default\") END";
                let rows = session.rows(sql, &[&schema, &name]).await?;
                if rows.is_empty() {
                    scope.idle.push(pattern.clone());
                }
                let named =
                    |row: &tokio_postgres::Row| (row.get(0), qualified(row.get(1), row.get(2)));
                found.extend(rows.iter().map(named));
            }
        }
        session.run("SET search_path = ''").await?;
        Ok(scope)
    }

    fn has_data(&self, oid: u32) -> bool {
        !self.without_data.contains_key(&oid)
    }
}

/// A table from the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// It has no rows of its own, only partitions.
    pub(crate) is_partitioned: bool,
    /// Its access method has pages with row numbers.
    pub(crate) is_heap: bool,
    /// Stored columns, in order: generated ones are computed again.
    pub(crate) columns: Vec<String>,
    /// For an extension's configuration table, which rows belong to the user: `WHERE …` or nothing.
    pub(crate) condition: String,
    /// The table through which its rows must be loaded: they may then go to another partition.
    pub(crate) through: Option<(String, String)>,
    /// Whether its rows are to be dumped.
    pub(crate) has_data: bool,
    /// Whether `pg_dump` dumps its definition; an extension brings its own tables.
    pub(crate) is_member: bool,
}

impl Table {
    /// `"schema"."name"`.
    pub(crate) fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

const TABLES: &str = "
WITH unsafe AS MATERIALIZED (
  SELECT p.partrelid FROM pg_partitioned_table p
  WHERE p.partstrat = 'h' AND EXISTS (
    SELECT FROM pg_opclass o JOIN pg_am a ON a.oid = o.opcmethod
    WHERE o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops' AND a.amname = 'hash')
)
SELECT c.oid, n.nspname, c.relname, c.relkind = 'p', c.relpersistence = 'u',
  coalesce((SELECT a.amname = 'heap' FROM pg_am a WHERE a.oid = c.relam), false),
  coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              AND a.attgenerated = ''), '{}'),
  coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), true),
  c.relrowsecurity AND coalesce(row_security_active(c.oid), false),
  member.ext IS NOT NULL, coalesce(config.condition, ''),
  root.nspname, root.relname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT d.refobjid AS ext FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' LIMIT 1) member ON true
LEFT JOIN LATERAL (
  SELECT u.condition FROM pg_extension e, unnest(e.extconfig, e.extcondition) u(rel, condition)
  WHERE e.oid = member.ext AND u.rel = c.oid LIMIT 1) config ON true
LEFT JOIN LATERAL (
  SELECT rn.nspname, r.relname FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
  WHERE c.relispartition AND r.oid = pg_partition_root(c.oid) AND EXISTS (
    SELECT FROM pg_partition_ancestors(c.oid) x JOIN unsafe ON unsafe.partrelid = x.relid)
  ) root ON true
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND CASE WHEN member.ext IS NULL
    THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND ($1::text[] IS NULL OR n.nspname::text = ANY ($1))
    ELSE $1 IS NULL AND config.condition IS NOT NULL END
ORDER BY c.oid";

/// The tables in `scope`. Takes no lock, so no other session can block it.
pub(crate) async fn tables(session: &Session, scope: &Scope) -> Result<Vec<Table>> {
    let standby: bool = session.row("SELECT pg_is_in_recovery()", &[]).await?.get(0);
    let mut tables = Vec::new();
    let (mut refused, mut hidden) = (Vec::new(), Vec::new());
    for row in session.rows(TABLES, &[&scope.schemas]).await? {
        let oid = row.get(0);
        if scope.excluded.contains_key(&oid) {
            continue;
        }
        let root: Option<String> = row.get(11);
        let (partitioned, unlogged): (bool, bool) = (row.get(3), row.get(4));
        let table = Table {
            oid,
            schema: row.get(1),
            name: row.get(2),
            is_partitioned: partitioned,
            is_heap: row.get(5),
            columns: row.get(6),
            condition: row.get(10),
            through: root.map(|schema| (schema, row.get(12))),
            // A standby has no rows of unlogged tables.
            has_data: !partitioned && scope.has_data(oid) && !(unlogged && standby),
            is_member: row.get(9),
        };
        if !row.get::<_, bool>(7) {
            refused.push(table.qualified());
        } else if table.has_data && row.get(8) {
            hidden.push(table.qualified());
        }
        tables.push(table);
    }
    if !refused.is_empty() {
        let message = format!("permission denied: the role may not read {}", some_of(&refused));
        let remedy = "GRANT SELECT ON them (and USAGE on their schema), make the role a member \
                      of pg_read_all_data, or name them in `exclude_tables`";
        return Err(
            Error::new(ErrorKind::PermissionDenied, "postgres.dump", message).remedy_is(remedy)
        );
    }
    if !hidden.is_empty() {
        let message = format!("row security would hide rows of {} from the role", some_of(&hidden));
        return Err(Error::new(ErrorKind::PermissionDenied, "postgres.dump", message)
            .remedy_is("use a role with BYPASSRLS, or name them in `exclude_table_data`"));
    }
    Ok(tables)
}

/// The first few of `names`, and how many more there are.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// How large a table is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    /// Pages of its main part.
    pub(crate) pages: u64,
    /// Bytes, including what is stored out of line.
    pub(crate) bytes: u64,
}

/// The sizes of `tables`, which must be locked already: reading the size takes a lock.
pub(crate) async fn sizes(session: &Session, tables: &[Table]) -> Result<HashMap<u32, Size>> {
    let oids: Vec<u32> = tables.iter().filter(|t| t.has_data).map(|t| t.oid).collect();
    let rows = session
        .rows(
            "SELECT o, coalesce(pg_relation_size(o) / current_setting('block_size')::int8, 0),
                    coalesce(pg_table_size(o), 0)
             FROM unnest($1::oid[]) o",
            &[&oids],
        )
        .await?;
    let unsigned = |n: i64| u64::try_from(n).unwrap_or_default();
    let size = |row: &tokio_postgres::Row| Size {
        pages: unsigned(row.get(1)),
        bytes: unsigned(row.get(2)),
    };
    Ok(rows.iter().map(|row| (row.get(0), size(row))).collect())
}

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) schema: String,
    pub(crate) name: String,
}

const SEQUENCES: &str = "
SELECT c.oid, n.nspname, c.relname, owner.refobjid, owner.deptype = 'i',
  n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND ($1::text[] IS NULL OR n.nspname::text = ANY ($1))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend member ON member.classid = 'pg_class'::regclass AND member.objid = c.oid
  AND member.refclassid = 'pg_extension'::regclass AND member.deptype = 'e'
LEFT JOIN LATERAL (
  SELECT d.refobjid, d.deptype FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid <> 0
    AND d.deptype IN ('a', 'i') LIMIT 1) owner ON true
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
  AND (member.refobjid IS NULL OR $1 IS NULL AND EXISTS (
    SELECT FROM pg_extension e WHERE e.oid = member.refobjid AND c.oid = ANY (e.extconfig)))
ORDER BY c.oid";

/// The sequences whose values are to be dumped: those that `pg_dump` defines.
pub(crate) async fn sequences(
    session: &Session,
    scope: &Scope,
    tables: &[Table],
) -> Result<Vec<Sequence>> {
    let tables: HashSet<u32> = tables.iter().map(|table| table.oid).collect();
    let rows = session.rows(SEQUENCES, &[&scope.schemas]).await?;
    let wanted = |row: &&tokio_postgres::Row| {
        let (oid, owner): (u32, Option<u32>) = (row.get(0), row.get(3));
        let owned = owner.is_some_and(|owner| tables.contains(&owner));
        let identity = row.get::<_, Option<bool>>(4).unwrap_or_default();
        let alone = row.get(5) && !scope.excluded.contains_key(&oid) && !identity;
        (owned || alone) && scope.has_data(oid)
    };
    let sequence = |row: &tokio_postgres::Row| Sequence { schema: row.get(1), name: row.get(2) };
    Ok(rows.iter().filter(wanted).map(sequence).collect())
}
