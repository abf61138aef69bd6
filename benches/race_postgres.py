#!/usr/bin/env python3
"""Races Seaworthy's dump and restore of a PostgreSQL database against PostgreSQL's own programs.

    benches/race_postgres.py [--rounds N] [--dir DIR] [--program PROGRAM]

A server of its own runs in DIR with Debian's settings; its database is about 600 MB as SQL: two large
tables with their indexes and many small ones. Each program runs once a round, in turn; the figures are
medians, and a ratio is Seaworthy's figure by the other's: below one is better. Processor time is that of
the program and of the server's processes together. Seaworthy verifies nothing afterwards here, as the
others do not, but runs with fsync and SHA-256 on, and gathers statistics after a restore, which
pg_restore leaves to somebody else. Nothing is asserted: machines are noisy, and a reader judges.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import measure

BIN = "/usr/lib/postgresql/15/bin"
MANY = 300

SCHEMA = f"""
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL,
  placed timestamptz NOT NULL, state text NOT NULL, total numeric(12,2) NOT NULL, note text);
CREATE TABLE events (id bigint PRIMARY KEY, "order" bigint NOT NULL, kind text NOT NULL,
  at timestamptz NOT NULL, payload jsonb NOT NULL);
SELECT setseed(0.5);
CREATE FUNCTION word(n int) RETURNS text LANGUAGE sql IMMUTABLE RETURN
  (ARRAY['harbour', 'delivery', 'second', 'window', 'please', 'ring', 'twice', 'before', 'evening', 'invoice', 'paper',
    'customer', 'returned', 'broken', 'blue', 'large', 'and', 'the', 'with', 'of', 'not', 'street', 'corner', 'late'])[1 + n % 24];
INSERT INTO orders (customer, placed, state, total, note)
  SELECT (random() * 50000)::int, '2026-01-01'::timestamptz + n * interval '7 s',
    (ARRAY['new', 'paid', 'sent', 'done'])[1 + (random() * 3)::int], (random() * 1000)::numeric(12,2),
    concat_ws(' ', word((random() * 99)::int), word((random() * 99)::int), word((random() * 99)::int),
      word((random() * 99)::int), word(n % 7), 'reference', n * 37 % 1000003)
  FROM generate_series(1, 2600000) n;
INSERT INTO events
  SELECT n, 1 + (random() * 2599998)::bigint, 'kind' || n % 17, '2026-01-01'::timestamptz + n * interval '3 s',
    jsonb_build_object('agent', 'browser/' || n % 40 || ' (' || word(n % 11) || ')', 'path', '/' || word((random() * 99)::int)
      || '/' || (random() * 9999)::int, 'amount', (random() * 100)::int, 'seen', n % 3 = 0)
  FROM generate_series(1, 2600000) n;
CREATE INDEX ON orders (customer);
CREATE INDEX ON orders (placed);
CREATE INDEX ON events ("order");
CREATE INDEX ON events (at);
ALTER TABLE events ADD FOREIGN KEY ("order") REFERENCES orders;
DO $$ BEGIN FOR n IN 1..{MANY} LOOP
  EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text, at date)', n);
  EXECUTE format('INSERT INTO small_%s SELECT i, md5(i::text), now() FROM generate_series(1, 200) i', n);
END LOOP; END $$;
"""


class Server:
    """A server of this race alone, reached through a socket in its folder."""

    def __init__(self, folder):
        self.folder = folder
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(folder, "postgres", "postgres")
        measure.run([*user, f"{BIN}/initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "--locale=C.UTF-8"])
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "max_wal_size=4GB"]
        self.process = subprocess.Popen(
            [*user, f"{BIN}/postgres", "-D", f"{folder}/data", *settings],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while subprocess.run([f"{BIN}/pg_isready", "-q", "-h", folder]).returncode:
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit("the server does not start")
            time.sleep(0.05)

    def sql(self, text, database="postgres"):
        """Runs `text` in `database`."""
        command = [f"{BIN}/psql", "-qX", "-h", self.folder, "-U", "postgres", "-v", "ON_ERROR_STOP=1", database]
        subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def environment(self):
        """What leads programs to it."""
        url = f"postgresql://postgres@/race?host={self.folder}"
        return {**os.environ, "PGHOST": self.folder, "PGUSER": "postgres", "RACE_URL": url}

    def processor_time(self):
        """Seconds of processor time of the server and of all its processes that have ended."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """Stops it and waits for its end."""
        self.process.terminate()
        self.process.wait()


def race(server, rounds, contenders):
    """Runs each of `contenders` (name -> what to prepare, command) once a round."""
    costs = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (prepare, command) in contenders.items():
            prepare()
            # What was written before is not to be paid for now.
            server.sql("CHECKPOINT")
            before = server.processor_time()
            cost = measure.run(command, env=server.environment())
            time.sleep(0.2)  # the server's processes end a moment after their clients
            cost.cpu += server.processor_time() - before
            costs[name].append(cost)
    return costs


def show(title, costs, ours, aims):
    """Prints `costs`; those named `ours` are Seaworthy's."""
    mine = {name: cost for name, cost in costs.items() if name == ours}
    others = {name: cost for name, cost in costs.items() if name != ours}
    measure.table(title, mine, others, aims)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default="/dev/shm", help="where to work (default: memory, so that disks do not matter)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", help="the program to race (default: a fresh build of it)")
    options = parser.parse_args()
    measure.need("zstd", "gzip", f"{BIN}/initdb")
    seaworthy = options.program or measure.build()
    with tempfile.TemporaryDirectory(prefix="seaworthy-race-", dir=options.dir) as work:
        os.chmod(work, 0o755)
        os.mkdir(f"{work}/server")
        server = Server(f"{work}/server")
        try:
            server.sql("CREATE DATABASE race")
            server.sql(SCHEMA, "race")
            server.sql("VACUUM ANALYZE", "race")
            dump(server, seaworthy, work, options.rounds)
            restore(server, seaworthy, work, options.rounds)
        finally:
            server.stop()


def configure(server, work):
    """Writes a file whose job `nightly` backs the database up into `work`/sink, and gives its path."""
    path = f"{work}/seaworthy.toml"
    with open(path, "w") as file:
        file.write(
            f"""state = "{work}/state"
[sink.local]
type = "local"
path = "{work}/sink"
[backup.nightly]
sinks = ["local"]
verify_after = "stat"
[backup.nightly.sources.db]
type = "postgres"
url = {{ env = "RACE_URL" }}
connections = 2
"""
        )
    return path


def dump(server, seaworthy, work, rounds):
    """Every way to get the database out."""
    config = configure(server, work)

    def clear(*names):
        return lambda: [shutil.rmtree(f"{work}/{name}", ignore_errors=True) for name in names]

    def nothing():
        pass

    dump = f"{BIN}/pg_dump race"
    copy = f"{BIN}/psql -qX race -c 'COPY {{}} TO STDOUT' > /dev/null"
    zstd, gzip, folder, bare = "pg_dump | zstd -3 -T0", "pg_dump | gzip", "pg_dump -Fd -j2", "two bare COPYs at once"
    contenders = {
        "seaworthy backup": (clear("sink"), [seaworthy, "--config", config, "-q", "backup"]),
        zstd: (nothing, f"{dump} | zstd -q -3 -T0 -f -o {work}/race.sql.zst"),
        gzip: (nothing, f"{dump} | gzip > {work}/race.sql.gz"),
        folder: (clear("folder"), f"{dump} -Fd -j2 -f {work}/folder"),
        bare: (nothing, f"{copy.format('orders')} & {copy.format('events')}; wait $!"),
    }
    costs = race(server, rounds, contenders)
    size = os.path.getsize(f"{work}/race.sql.zst")
    plain = int(subprocess.run(f"zstd -dc {work}/race.sql.zst | wc -c", shell=True, check=True, capture_output=True).stdout)
    own = sum(path.stat().st_size for path in pathlib.Path(f"{work}/sink").rglob("db.sql.zst"))
    title = f"dump of {plain / 1e6:.0f} MB of SQL ({own / 1e6:.0f} MB with Seaworthy, {size / 1e6:.0f} MB with zstd)"
    aims = {zstd: "wall 0.75", gzip: "wall 0.36", folder: "wall 0.50", bare: "wall 1.25"}
    show(title, costs, "seaworthy backup", aims)
    os.remove(f"{work}/race.sql.gz")
    shutil.rmtree(f"{work}/folder")


def restore(server, seaworthy, work, rounds):
    """Both ways into a new database."""
    measure.run([f"{BIN}/pg_dump", "-Fc", "-f", f"{work}/race.dump", "race"], env=server.environment())

    def drop():
        server.sql("DROP DATABASE IF EXISTS restored")

    def create():
        drop()
        server.sql("CREATE DATABASE restored")

    url = f"postgresql://postgres@/restored?host={server.folder}"
    config = ["--config", f"{work}/seaworthy.toml", "-q"]
    other = "pg_restore -j2"
    contenders = {
        "seaworthy restore": (drop, [seaworthy, *config, "restore", "nightly", "--source", "db", "--to", url]),
        other: (create, [f"{BIN}/pg_restore", "-j2", "-d", "restored", f"{work}/race.dump"]),
    }
    costs = race(server, rounds, contenders)
    show("restore into a new database", costs, "seaworthy restore", {other: "wall 0.80"})


if __name__ == "__main__":
    main()
