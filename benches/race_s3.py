#!/usr/bin/env python3
"""Races Seaworthy against rclone and restic into one S3 server on this machine.

    benches/race_s3.py [--dir DIR] [--rounds N] [--sizes MB,MB,…] [--program PATH] [--server PATH]

The server keeps objects in memory, as they came; it checks signatures and digests. Each program runs once a
round, in turn, each with an empty bucket; the figures are medians, and a ratio is Seaworthy's figure by the
other's. Then a table of Seaworthy's peak memory by the size of the snapshot, of data that does not compress,
into a server that throws large bodies away; both programs are built unless they are named.
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import tempfile

import measure
import race

KEY, SECRET = "AKEXAMPLE0000000", "this-is-the-secret-of-the-example"


@contextlib.contextmanager
def server(program, *arguments):
    """The address of an S3 server of the tests with an empty bucket."""
    process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def build_server():
    measure.build("--package", "seaworthy-tests", "--example", "s3_server")
    return os.path.join(measure.DIST, "examples", "s3_server")


def configure(work, url):
    path = os.path.join(work, "seaworthy-s3.toml")
    with open(path, "w") as file:
        file.write(
            f"""state = "{work}/state"
[sink.s3]
type = "s3"
bucket = "backups"
prefix = "seaworthy"
endpoint = "{url}"
allow_http = true
access_key_id = {{ env = "AWS_ACCESS_KEY_ID" }}
secret_access_key = {{ env = "AWS_SECRET_ACCESS_KEY" }}
[backup.tree]
sinks = ["s3"]
[backup.tree.sources.tree]
type = "files"
paths = ["{work}/tree"]
"""
        )
    return path


def environment(work, url):
    """What leads every program to the server; what its user set for another one is left out."""
    others = ("AWS_", "RCLONE_", "RESTIC_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(others)},
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "RESTIC_PASSWORD": "race",
        "RESTIC_CACHE_DIR": f"{work}/restic-cache",
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_S3_TYPE": "s3",
        "RCLONE_CONFIG_S3_PROVIDER": "Other",
        "RCLONE_CONFIG_S3_ENV_AUTH": "true",
        "RCLONE_CONFIG_S3_ENDPOINT": url,
        "RCLONE_CONFIG_S3_FORCE_PATH_STYLE": "true",
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }


def with_restic(work, url):
    """A backup with restic into a new repository, which is not measured."""
    shutil.rmtree(f"{work}/restic-cache", ignore_errors=True)
    restic = ["restic", "-q", "-r", f"s3:{url}/backups/restic"]
    measure.run([*restic, "init"], env=environment(work, url))
    return [*restic, "backup", f"{work}/tree"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default="/dev/shm", help="where to work (default: memory, so that disks do not matter)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="100,1000", help="megabytes of the snapshots of the memory table")
    parser.add_argument("--program", help="the program, already built")
    parser.add_argument("--server", help="the S3 server, already built")
    options = parser.parse_args()
    measure.need("tar", "zstd", "restic", "rclone")
    seaworthy = options.program or measure.build()
    program = options.server or build_server()
    with tempfile.TemporaryDirectory(prefix="seaworthy-race-", dir=options.dir) as work:
        race.make_tree(f"{work}/tree")
        ours, rclone, restic = "seaworthy backup", "tar | zstd -3 -T0 | rclone rcat", "restic backup"
        tar = f"tar -C / -cf - {work[1:]}/tree | zstd -q -3 -T0"
        contenders = {
            ours: lambda url: [seaworthy, "--config", configure(work, url), "backup"],
            rclone: lambda url: f"{tar} | rclone rcat s3:backups/tree.tar.zst",
            restic: lambda url: with_restic(work, url),
        }
        costs = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, command in contenders.items():
                with server(program) as url:
                    costs[name].append(measure.run(command(url), env=environment(work, url)))
        mine = {ours: costs.pop(ours)}
        measure.table("backup to S3", mine, costs, {rclone: "wall 0.90", restic: "wall 0.50"})

        print("\npeak memory of a backup to S3, by its size")
        shutil.rmtree(f"{work}/tree")
        for size in (int(size) for size in options.sizes.split(",")):
            os.makedirs(f"{work}/tree", exist_ok=True)
            block = random.Random(size).randbytes(4_000_000)
            with open(f"{work}/tree/large.bin", "wb") as file:
                for n in range(size // 4):
                    file.write(n.to_bytes(8, "little") + block[8:])
            with server(program, "--discard") as url:
                cost = measure.run(contenders[ours](url), env=environment(work, url))
            print(f"  {size:6} MB {cost.wall:8.2f} s {cost.memory:8.1f} MiB")


main()
