//! Memory does not grow with the database.

use seaworthy_tests::{Run, postgres::server};

use super::support::*;

/// Runs its arguments and says the largest resident set of them and their children, in KiB.
const MEASURE: &str = "import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)";

/// The largest row, in bytes.
const ROW: u64 = 16 << 20;

fn peak(shop: &Shop, arguments: &[&str]) -> u64 {
    let program = shop.command(arguments);
    let mut measured = std::process::Command::new("python3");
    measured.args(["-c", MEASURE]).arg(program.get_program()).args(program.get_args());
    measured.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    measured.current_dir(shop.lab.path("."));
    let run = Run::of(measured.output().unwrap(), arguments).expect_code(0);
    let (_, peak) = run.stderr.rsplit_once("peak ").unwrap();
    peak.trim().parse::<u64>().unwrap() << 10
}

#[test]
fn a_dump_and_a_restore_stay_within_128_mib_and_three_of_the_largest_row() {
    let shop = Shop::new(
        &format!(
            "CREATE TABLE rows AS SELECT n, string_agg(md5((n * m)::text), '') AS t
               FROM generate_series(1, 7500) n, generate_series(1, 1000) m GROUP BY n;
             CREATE TABLE blobs AS SELECT repeat('0123456789abcdef', {}) AS t FROM generate_series(1, 4);",
            ROW / 16
        ),
        "",
    );
    // A program that is built for tests is far larger than the one that is shipped: what it takes to do
    // nothing does not count.
    let idle = peak(&shop, &["config", "check"]);
    let limit = idle + (128 << 20) + 3 * ROW;
    let dump = peak(&shop, &["backup"]);
    let bytes = shop.ok(&["show", "nightly", "--json"]).json();
    let plain = bytes["result"]["manifest"]["sources"][0]["plain"].as_u64().unwrap();
    assert!(plain > 280 << 20, "{plain}");
    let (to, name) = target();
    let restore = peak(&shop, &["restore", "nightly", "--to", &to]);
    let mib = [dump, restore, idle].map(|bytes| bytes >> 20);
    println!("{plain} bytes of SQL; peak of dump, restore and idling: {mib:?} MiB");
    assert!(dump < limit, "the dump took {} MiB", dump >> 20);
    assert!(restore < limit, "the restore took {} MiB", restore >> 20);
    assert_eq!(server().sql(&name, "SELECT count(*) FROM rows"), "7500");
}
