//! Restoring: in place, into what is there, one table alone, and when it fails.

use std::path::Path;

use seaworthy_backup::{
    RestoreTarget, Selection,
    format::index::PathBytes,
    sources::postgres::{PostgresGlobals, PostgresTarget},
};
use seaworthy_core::{Context, ErrorKind};

use super::{schemas, support::*};

fn only(table: &str) -> Selection {
    Selection::only([PathBytes(table.as_bytes().to_vec())])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_in_place_swaps_the_databases_and_keeps_the_old_one() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("inplace", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
    let before = server.dump_text(&name);
    let report = lab.back_up(server.source(&name)).await.unwrap();
    server.sql(&name, "INSERT INTO t VALUES (2)");
    let holder = Holder::start(server, &name, "BEGIN; SELECT a FROM t;");

    let target = PostgresTarget::in_place(server.options(&name), "s1");
    let restored = lab.restore(&report, target, Selection::all()).await.unwrap();
    let old = format!("{name}_before_s1");
    assert_eq!(restored.placed, [Path::new(&name)]);
    assert_eq!(restored.moved_aside, [Path::new(&old)]);
    assert_same(&before, &server.dump_text(&name));
    assert_eq!(server.sql(&old, "SELECT a FROM t ORDER BY a"), "1\n2");
    assert!(holder.is_gone(), "sessions of the old database were ended");

    let target = PostgresTarget::in_place(server.options(&name), "s1");
    let error = lab.restore(&report, target, Selection::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_names_the_statement_and_leaves_everything_as_it_was() {
    let (server, lab) = (server(), Lab::new());
    let role = unique("leaver");
    let name = server.database(
        "failing",
        format!("CREATE ROLE {role}; CREATE TABLE t (a int); ALTER TABLE t OWNER TO {role}; INSERT INTO t VALUES (1);"),
    );
    let report = lab.back_up(server.source(&name)).await.unwrap();
    server.sql(&name, format!("ALTER TABLE t OWNER TO postgres; DROP ROLE {role};"));
    let before = server.dump_text(&name);
    let target = PostgresTarget::in_place(server.options(&name), "s2");
    let error = lab.restore(&report, target, Selection::all()).await.unwrap_err();
    let text = error.chain();
    assert!(text.contains("ALTER TABLE public.t OWNER TO") && text.contains(&role), "{text}");
    assert_eq!(text.matches("does not exist").count(), 1, "said once: {text}");
    assert!(error.remedy().unwrap().contains("create it first"));
    assert_same(&before, &server.dump_text(&name));
    let sql = format!("SELECT datname FROM pg_database WHERE datname LIKE '{name}%'");
    assert_eq!(server.sql("postgres", sql), name, "what was loaded is dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_fails_half_way_is_undone() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("undo", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let snapshot = lab.snapshot(&report).await;
    let cx = Context::new();
    let mut target = Box::new(PostgresTarget::in_place(server.options(&name), "s3"));
    target.prepare(&snapshot, &cx).await.unwrap();
    let index = snapshot.index(&std::env::temp_dir(), &cx).await.unwrap();
    let payload = snapshot.payload(&index, &db(), 2).unwrap();
    target.load(payload, &Selection::all(), &cx).await.unwrap();
    server.sql("postgres", format!("DROP DATABASE {name}_restore_s3"));
    let error = target.finish(&cx).await.unwrap_err();
    assert!(error.chain().contains("RENAME"), "{}", error.chain());
    assert_eq!(server.sql(&name, "SELECT a FROM t"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_are_visible_to_everybody_after_a_restore() {
    // A server of its own: what others commit beside it may hide rows for a while.
    let (server, lab) = (Server::start(), Lab::new());
    let sql = "CREATE TABLE large AS SELECT n, repeat('x', 400) FROM generate_series(1, 60000) n;
               CREATE TABLE a (n int); INSERT INTO a VALUES (1); CREATE TABLE b (n int);";
    let name = server.database("visible", sql);
    let report = lab.back_up(server.source(&name)).await.unwrap();
    // A transaction of another database that sees none of the rows.
    let _old = Holder::start(&server, "postgres", "BEGIN; SELECT txid_current();");
    // A page that the server is writing at that moment is passed over.
    let sql = "SELECT relname, relpages - relallvisible <= relpages / 10, reltuples FROM pg_class
               WHERE relname IN ('large', 'a', 'b') ORDER BY 1";
    for _ in 0..8 {
        let restored = unique(&name);
        let target = PostgresTarget::to_database(server.options(&restored));
        lab.restore(&report, target, Selection::all()).await.unwrap();
        assert_eq!(server.sql(&restored, sql), "a|t|1\nb|t|0\nlarge|t|60000");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_database_must_be_empty() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database("given", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);");
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let target = PostgresTarget::to_database(server.options(&name));
    let error = lab.restore(&report, target, Selection::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty, "{error}");
    let empty = server.database("empty", "");
    let target = PostgresTarget::to_database(server.options(&empty));
    lab.restore(&report, target, Selection::all()).await.unwrap();
    assert_eq!(server.sql(&empty, "SELECT a FROM t"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_is_fetched_alone() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "only",
        format!(
            "{}; CREATE TABLE big (t text);
             INSERT INTO big SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 500000) n GROUP BY n / 100;",
            schemas::MUSIC
        ),
    );
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let all = {
        let target = PostgresTarget::to_database(server.options(&unique("all")));
        lab.restore(&report, target, Selection::all()).await.unwrap()
    };
    let part = unique("part");
    let target = PostgresTarget::to_database(server.options(&part));
    let restored = lab.restore(&report, target, only("public.track")).await.unwrap();
    assert!(restored.fetched * 10 < all.fetched, "{} of {}", restored.fetched, all.fetched);
    assert!(restored.warnings[0].contains("foreign keys"), "{:?}", restored.warnings);
    let counts = "SELECT (SELECT count(*) FROM track), (SELECT count(*) FROM big), (SELECT count(*) FROM album)";
    assert_eq!(server.sql(&part, counts), "3503|0|0");
    assert_eq!(server.sql(&part, "SELECT nextval('track_track_id_seq')"), "3504");

    let target = PostgresTarget::to_database(server.options(&unique("none")));
    let error = lab.restore(&report, target, only("public.nonsense")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let target = PostgresTarget::in_place(server.options(&name), "s4");
    let error = lab.restore(&report, target, only("track")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

/// Our choice of tables is pg_dump's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_is_what_pg_dump_leaves_out() {
    roles();
    let server = server();
    let name = server.database("choice", schemas::everything());
    server.sql(&name, "CREATE SCHEMA side; CREATE TABLE side.a (n serial, i int GENERATED ALWAYS AS IDENTITY);
        INSERT INTO side.a DEFAULT VALUES; CREATE TABLE side.\"B c\" (n int); INSERT INTO side.\"B c\" VALUES (1);
        CREATE SEQUENCE side.alone; SELECT nextval('side.alone');");
    for (source, flags) in [
        (server.source(&name).schemas(["side"]), vec!["-n", "side"]),
        (
            server.source(&name).exclude_tables(["side.*", "nested*", "\"user\"", "Unused", "v"]),
            vec!["-T", "side.*", "-T", "nested*", "-T", "\"user\"", "-T", "Unused", "-T", "v"],
        ),
        (
            server.source(&name).exclude_table_data([
                "side.\"B c\"",
                "first_level",
                "second_level",
                "comp*",
            ]),
            vec![
                "--exclude-table-data=side.\"B c\"",
                "--exclude-table-data=first_level",
                "--exclude-table-data=second_level",
                "--exclude-table-data=comp*",
            ],
        ),
    ] {
        let lab = Lab::new();
        let report = lab.back_up(source).await.unwrap();
        let (ours, theirs) = (unique("chosen"), server.database("chosen", ""));
        let target = PostgresTarget::to_database(server.options(&ours));
        lab.restore(&report, target, Selection::all()).await.unwrap();
        let text = server.run("pg_dump", &flags, &name, b"");
        server.run(
            "psql",
            &["-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1"],
            &theirs,
            &text,
        );
        assert_same(&server.dump_text(&theirs), &server.dump_text(&ours));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extensions_own_table_is_dumped_as_far_as_the_user_filled_it() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "config",
        "CREATE EXTENSION citext; CREATE TABLE settings (name text, own bool); CREATE TABLE internal (a int);
         INSERT INTO settings VALUES ('theirs', true), ('mine', false); INSERT INTO internal VALUES (1);
         ALTER EXTENSION citext ADD TABLE settings; ALTER EXTENSION citext ADD TABLE internal;
         UPDATE pg_extension SET extconfig = ARRAY['settings'::regclass::oid],
           extcondition = ARRAY['WHERE NOT own'] WHERE extname = 'citext';",
    );
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let text = String::from_utf8(lab.plain(&report).await).unwrap();
    assert!(
        text.contains(
            "COPY \"public\".\"settings\" (\"name\", \"own\") FROM stdin;\nmine\tf\n\\.\n"
        )
    );
    assert!(!text.contains("theirs") && !text.contains("internal"));
}

#[tokio::test(flavor = "multi_thread")]
async fn globals_are_a_payload_of_their_own() {
    roles();
    let (server, lab) = (server(), Lab::new());
    let source = PostgresGlobals::new(server.options("postgres")).pg_dumpall(program("pg_dumpall"));
    let report = lab.back_up(source).await.unwrap();
    let text = String::from_utf8(lab.plain(&report).await).unwrap();
    assert!(text.contains("CREATE ROLE alice;") && text.contains("PASSWORD"), "{text}");
    let source = PostgresGlobals::new(server.options_as("alice", "postgres"));
    let report = lab.back_up(source.pg_dumpall(program("pg_dumpall"))).await.unwrap();
    let text = String::from_utf8(lab.plain(&report).await).unwrap();
    assert!(text.contains("CREATE ROLE alice;") && !text.contains("PASSWORD"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_server_refuses_name_their_table() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "refused",
        "CREATE TABLE lookup (a int); INSERT INTO lookup VALUES (1);
         CREATE FUNCTION known(int) RETURNS bool LANGUAGE plpgsql AS
           'BEGIN RETURN EXISTS (SELECT FROM lookup WHERE a = $1); END';
         CREATE TABLE checked (a int CHECK (known(a))); INSERT INTO checked VALUES (1);",
    );
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let new = unique("refused_restored");
    let target = PostgresTarget::to_database(server.options(&new));
    let error = lab.restore(&report, target, Selection::all()).await.unwrap_err();
    let text = error.chain();
    assert!(text.contains("COPY \"public\".\"checked\""), "{text}");
    assert!(text.contains("relation \"lookup\" does not exist"), "{text}");
    let sql = format!("SELECT count(*) FROM pg_database WHERE datname = '{new}'");
    assert_eq!(server.sql("postgres", sql), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_advises_is_the_remedy() {
    let (server, lab) = (server(), Lab::new());
    let name = server.database(
        "advice",
        "CREATE FUNCTION fits(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
           IF current_database() LIKE '%elsewhere%' THEN
             RAISE EXCEPTION E'not\\nhere' USING HINT = E'go\\nhome';
           END IF;
           RETURN true;
         END $$;
         CREATE TABLE checked (a int CHECK (fits(a))); INSERT INTO checked VALUES (1);",
    );
    let report = lab.back_up(server.source(&name)).await.unwrap();
    let target = PostgresTarget::to_database(server.options(&unique("elsewhere")));
    let error = lab.restore(&report, target, Selection::all()).await.unwrap_err();
    let text = error.chain();
    assert!(text.contains("not here") && !text.contains('\n'), "{text}");
    assert_eq!(error.remedy(), Some("go home"));
}
