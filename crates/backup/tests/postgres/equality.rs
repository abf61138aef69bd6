//! What comes back equals what was there.

use seaworthy_backup::snapshot::index::Record;

use crate::{schemas, support::*};

/// Dumps `database`, restores it with stock tools and compares.
async fn psql_round_trip(database: &str, create: &str) {
    let server = server();
    let lab = Lab::new();
    let report = lab.back_up(server.source(database)).await.unwrap();
    let restored = unique("restored");
    server.sql("postgres", create.replace("NAME", &restored));
    let plain = lab.plain(&report).await;
    server.run("psql", &["-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1"], &restored, &plain);
    assert_same(&server.dump_text(database), &server.dump_text(&restored));
    let hashes = |records: Vec<Record>| -> Vec<_> {
        let table = |record| match record {
            // Which partition such a row is in may change.
            Record::Table(table) if table.through.is_none() => Some(table),
            _ => None,
        };
        records.into_iter().filter_map(table).collect()
    };
    let before = hashes(lab.records(&report).await);
    let again = lab.back_up(server.source(&restored)).await.unwrap();
    assert_eq!(before, hashes(lab.records(&again).await));
    assert!(before.iter().any(|table| table.rows > 0 && table.hash.0 != 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_music_shop_comes_back_through_psql() {
    let database = server().database("music", schemas::MUSIC);
    psql_round_trip(&database, "CREATE DATABASE NAME").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_rental_comes_back_through_psql() {
    let database = server().database("rental", schemas::RENTAL);
    psql_round_trip(&database, "CREATE DATABASE NAME").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_object_comes_back_through_psql() {
    roles();
    let database = server().database("everything", schemas::EVERYTHING);
    psql_round_trip(&database, "CREATE DATABASE NAME").await;
}
