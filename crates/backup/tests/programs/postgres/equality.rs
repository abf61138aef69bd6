//! What comes back equals what was there, both ways back.

use seaworthy_backup::{
    BackupReport, Selection,
    format::index::{Record, TableRecord},
    sources::postgres::{PostgresTarget, compare_tables},
};
use seaworthy_core::Context;

use super::{schemas, support::*};

/// What the index says of each table, but for those whose rows may change their partition.
async fn tables(lab: &Lab, report: &BackupReport) -> Vec<TableRecord> {
    let table = |record| match record {
        Record::Table(table) if table.through.is_none() => Some(table),
        _ => None,
    };
    lab.records(report).await.into_iter().filter_map(table).collect()
}

/// Dumps `database`, restores it with our restore and with stock tools, and compares all three.
async fn round_trip(database: &str) {
    let (server, lab) = (server(), Lab::new());
    let report = lab.back_up(server.source(database).connections(3)).await.unwrap();
    let (ours, stock) = (unique("ours"), unique("stock"));
    let target = PostgresTarget::to_database(server.options(&ours)).connections(3);
    let restored = lab.restore(&report, target, Selection::all()).await.unwrap();
    assert_eq!(restored.placed, [std::path::Path::new(&ours)]);
    assert!(restored.fetched > 0);

    let plain = lab.plain(&report).await;
    // The payload says itself what kind of database it needs.
    let text = String::from_utf8_lossy(&plain[..plain.len().min(2000)]).into_owned();
    let create = text.lines().find_map(|line| line.strip_prefix("-- CREATE DATABASE ")).unwrap();
    let create = create.replace(&format!("\"{database}\""), &stock);
    server.sql("postgres", format!("CREATE DATABASE {create}"));
    let quiet = ["-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1"];
    server.run("psql", &quiet, &stock, &plain);

    let original = server.dump_text(database);
    assert_same(&original, &server.dump_text(&ours));
    let own = |lines: Vec<String>| -> Vec<String> {
        // What belongs to the database itself is no part of the SQL.
        let of_database =
            |line: &String| line.contains(" DATABASE ") || line.contains("DATABASE PROPERTIES");
        lines.into_iter().filter(|line| !of_database(line)).collect()
    };
    assert_same_set(&own(original), &own(server.dump_text(&stock)));

    let promised = lab.records(&report).await.into_iter().filter_map(|record| match record {
        Record::Table(table) => Some(table),
        _ => None,
    });
    let promised: Vec<_> = promised.collect();
    for restored in [&ours, &stock] {
        let options = server.options(restored);
        let cx = Context::new();
        let differences = compare_tables(&options, promised.clone(), 2, &cx).await.unwrap();
        assert_eq!(differences, []);
    }
    let before = tables(&lab, &report).await;
    assert!(before.iter().any(|table| table.rows > 0 && table.hash.0 != 0));
    for restored in [ours, stock] {
        let again = lab.back_up(server.source(&restored)).await.unwrap();
        assert_eq!(before, tables(&lab, &again).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_music_shop() {
    round_trip(&server().database("music", schemas::MUSIC)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_rental() {
    round_trip(&server().database("rental", schemas::RENTAL)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_object() {
    roles();
    round_trip(&server().database("everything", schemas::everything())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_utf8() {
    let (server, name) = (server(), unique("latin"));
    server.sql(
        "postgres",
        format!("CREATE DATABASE {name} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"),
    );
    let latin1: Vec<u8> =
        schemas::LATIN1.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    server.sql(&name, latin1);
    round_trip(&name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_without_an_encoding() {
    let (server, name) = (server(), unique("ascii"));
    server.sql(
        "postgres",
        format!("CREATE DATABASE {name} ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0"),
    );
    server.sql(
        &name,
        b"SET client_encoding = SQL_ASCII; CREATE TABLE t (a text);
        INSERT INTO t VALUES ('caf\xe9'), ('\xff\xfe'), ('caf\xc3\xa9');",
    );
    round_trip(&name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_the_database_itself() {
    roles();
    let (server, name) = (server(), unique("props"));
    server.sql(
        "postgres",
        format!(
            "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de' CONNECTION LIMIT 7;
             COMMENT ON DATABASE {name} IS 'it''s mine';
             ALTER DATABASE {name} OWNER TO alice;
             REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC;
             GRANT CREATE ON DATABASE {name} TO bob WITH GRANT OPTION;
             ALTER DATABASE {name} SET search_path = \"$user\", public, \"Odd, one\";
             ALTER DATABASE {name} SET work_mem = '5MB';
             ALTER DATABASE {name} SET default_transaction_read_only = on;
             ALTER DATABASE {name} SET my.setting = 'a''b';
             ALTER ROLE bob IN DATABASE {name} SET statement_timeout = '1ms';"
        ),
    );
    server.sql(&name, "SET default_transaction_read_only = off; CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
    let lab = Lab::new();
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let ours = unique("props_restored");
    let target = PostgresTarget::to_database(server.options(&ours));
    lab.restore(&report, target, Selection::all()).await.unwrap();
    assert_same(&server.dump_text(&name), &server.dump_text(&ours));
}

/// Rows larger than a frame, and a table of several ranges of pages.
#[tokio::test(flavor = "multi_thread")]
async fn large_rows_and_large_tables() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "large",
        "CREATE TABLE rows (id int, t text);
         INSERT INTO rows SELECT n, repeat('x', n * 1000000) FROM unnest('{1,5,40}'::int[]) n;
         CREATE TABLE pages (id int, t text);
         ALTER TABLE pages ALTER t SET STORAGE PLAIN;
         INSERT INTO pages SELECT n, repeat('y', 7000) FROM generate_series(1, 25000) n;",
    );
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let records = lab.records(&report).await;
    let rows: Vec<_> = records
        .iter()
        .filter_map(|r| if let Record::Rows(r) = r { Some(r) } else { None })
        .collect();
    assert_eq!(rows.iter().map(|r| r.rows).sum::<u64>(), 25_003);
    let largest = rows.iter().map(|r| r.len).max().unwrap();
    assert!(largest > 40_000_000, "the largest row is one block: {largest}");
    let frames =
        records.iter().filter_map(|r| if let Record::Frame(f) = r { Some(f.plain) } else { None });
    assert!(frames.max().unwrap() < 20_000_000, "and yet no frame is that large");

    let restored = unique("large_restored");
    let target = PostgresTarget::to_database(server.options(&restored));
    lab.restore(&report, target, Selection::all()).await.unwrap();
    let sql = "SELECT count(*), sum(id), sum(hashtextextended(t, 0)) FROM rows
        UNION ALL SELECT count(*), sum(id), sum(hashtextextended(t, 0)) FROM pages";
    assert_eq!(server.sql(&name, sql), server.sql(&restored, sql));
}

/// A column that a parent got later stands elsewhere in its restored children, and yet the rows are
/// the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_named_and_the_order_of_columns_is_no_difference() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "differences",
        "CREATE TABLE parent (id int); CREATE TABLE child (extra text) INHERITS (parent);
         ALTER TABLE parent ADD COLUMN late int; INSERT INTO child VALUES (1, 'a', 2), (3, 'b', 4);
         CREATE TABLE gone (a int); CREATE TABLE less (a int); INSERT INTO less VALUES (1), (2);
         CREATE TABLE other (a int); INSERT INTO other VALUES (1), (2);",
    );
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let restored = unique("differences_restored");
    let target = PostgresTarget::to_database(server.options(&restored));
    lab.restore(&report, target, Selection::all()).await.unwrap();
    let compare = async || {
        let cx = Context::new();
        let expected = tables(&lab, &report).await;
        compare_tables(&server.options(&restored), expected, 2, &cx).await.unwrap()
    };
    assert_eq!(compare().await, []);
    let columns = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'child'::regclass AND attnum > 0";
    assert_ne!(server.sql(&name, columns), server.sql(&restored, columns));
    server.sql(
        &restored,
        "DROP TABLE gone; DELETE FROM less WHERE a = 1; UPDATE other SET a = 3 WHERE a = 2;",
    );
    let found: Vec<_> =
        compare().await.into_iter().map(|d| (d.table, d.expected, d.found)).collect();
    let expected = [("gone", 0, None), ("less", 2, Some(1)), ("other", 2, Some(2))];
    let expected = expected.map(|(name, rows, now)| (format!("\"public\".\"{name}\""), rows, now));
    assert_eq!(found, expected);
}
