#!/usr/bin/env python3
"""Measures `seaworthy status` over many snapshots in an S3 server on this machine.

    benches/status.py [--dir DIR] [--snapshots N] [--rounds N] [--program PROGRAM]

The server is a stand-in of the tests that keeps objects in memory. The first look reads every manifest; later ones read
what is new. The aim: 10,000 snapshots under 3 s and 64 MiB. Then 100 certificates and 50 sites that nobody answers for,
which take one time limit, and not one each.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import tempfile

import measure

KEY, SECRET = "AKEXAMPLE0000000", "this-is-the-secret-of-the-example"


def example(name, debug):
    """Builds an example of the tests and gives its path."""
    kind = ["--workspace", "--all-features", "--examples"]
    if not debug:
        measure.build(*kind)
        return os.path.join(measure.DIST, "examples", name)
    subprocess.run(["cargo", "build", "-q", *kind], cwd=measure.ROOT, check=True)
    return os.path.join(os.path.dirname(measure.DIST), "debug", "examples", name)


@contextlib.contextmanager
def server(program, folder):
    process = subprocess.Popen([program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def look(seaworthy, config, work, title, rounds):
    """Prints what looks take: the median."""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    # It ends with 1 where it has findings, which is no failure here.
    command = f"{seaworthy} --config {config} status --json > {work}/status.json || [ $? -eq 1 ]"
    costs = [measure.run(["sh", "-c", command], env=environment) for _ in range(rounds)]
    cost = measure.median(costs)
    print(f"  {title:44} {cost.wall:8.2f} s {cost.cpu:8.2f} s cpu {cost.memory:8.1f} MiB")


def silent():
    """An address that takes connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    return listener, listener.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default="/dev/shm", help="where to work")
    parser.add_argument("--snapshots", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--program", help="a built program, instead of a fresh one")
    options = parser.parse_args()
    seaworthy = options.program or measure.build()
    forge, full = (example(name, bool(options.program)) for name in ("forge_snapshots", "s3_full"))
    with tempfile.TemporaryDirectory(prefix="seaworthy-status-", dir=options.dir) as work:
        with open(f"{work}/empty.toml", "w") as file:
            file.write(f'state = "{work}/state"\n')
        shown = subprocess.run([seaworthy, "--config", f"{work}/empty.toml", "status", "--json"], capture_output=True)
        host = shown.stdout.decode().split('"host": "')[1][:16]
        subprocess.run([forge, f"{work}/bucket", "nightly", host, str(options.snapshots), "1", "1000"], check=True)
        with server(full, f"{work}/bucket") as url:
            with open(f"{work}/s3.toml", "w") as file:
                file.write(
                    f"""state = "{work}/state"
[sink.s3]
type = "s3"
bucket = "backups"
endpoint = "{url}"
allow_http = true
access_key_id = {{ env = "AWS_ACCESS_KEY_ID" }}
secret_access_key = {{ env = "AWS_SECRET_ACCESS_KEY" }}
[backup.nightly]
sinks = ["s3"]
schedule = "0 * * * *"
keep = {{ within = "10y" }}
sources.data = {{ type = "files", paths = ["/etc/hostname"] }}
"""
                )
            print(f"status over {options.snapshots} snapshots on S3")
            look(seaworthy, f"{work}/s3.toml", work, "the first look, which reads every manifest", 1)
            look(seaworthy, f"{work}/s3.toml", work, "later looks", options.rounds)
        listener, port = silent()
        with listener, open(f"{work}/web.toml", "w") as file:
            file.write(f'state = "{work}/state"\n[tls]\nstore = "{work}/tls"\n[ca.own]\ntype = "local"\n')
            for n in range(100):
                name = f"c{n}.example.com"
                file.write(f'[certificate.c{n}]\nnames = ["{name}"]\nca = ["own"]\nprove = ["127.0.0.1:{port}"]\n')
            file.write(f'[proxy]\ntype = "nginx"\nroot = "{work}/nginx"\naddresses = ["127.0.0.1"]\nhttp_port = {port}\n')
            for n in range(50):
                file.write(f'[site.s{n}]\nhosts = ["s{n}.example.com"]\n[[site.s{n}.routes]]\npath = "/"\nanswer = {{ body = "x" }}\n')
            file.flush()
            os.makedirs(f"{work}/nginx/seaworthy/current")
            without = open(f"{work}/web.toml").read().replace(f'prove = ["127.0.0.1:{port}"]', "prove = false")
            with open(f"{work}/issue.toml", "w") as issue:
                issue.write(without)
            subprocess.run([seaworthy, "-q", "--config", f"{work}/issue.toml", "cert", "issue"], check=True, stdout=subprocess.DEVNULL)
            print("status over 100 certificates and 50 sites at a server that says nothing")
            look(seaworthy, f"{work}/web.toml", work, "each waits for its time limit of 10 s", 1)


main()
