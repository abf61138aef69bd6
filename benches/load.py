#!/usr/bin/env python3
"""Races `seaworthy load-test` against wrk on one nginx.

    benches/load.py [--rounds N] [--seconds N] [--connections N]

Both run in turn with as many connections, on the same server and the same processors; the figures are medians.
The aim is 0.7 of wrk's requests a second. Nothing is asserted: machines are noisy, and a reader judges.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import tempfile
import time

import measure

CONFIG = """
daemon off; master_process on; worker_processes 2; pid {work}/pid; error_log {work}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u;
  scgi_temp_path {work}/s;
  server {{ listen 127.0.0.1:{port} reuseport; location / {{ return 200 "ok\\n"; }} }}
}}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def await_port(port):
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"
    measure.need("wrk", "nginx")
    seaworthy = measure.build()
    with tempfile.TemporaryDirectory(prefix="seaworthy-load-") as work:
        port = free_port()
        with open(f"{work}/nginx.conf", "w") as file:
            file.write(CONFIG.format(work=work, port=port))
        nginx = subprocess.Popen(["nginx", "-p", work, "-c", f"{work}/nginx.conf"])
        try:
            await_port(port)
            race(seaworthy, f"http://127.0.0.1:{port}/", options)
        finally:
            nginx.terminate()
            nginx.wait()


def spend(command):
    """Runs `command`: what it printed, and how many seconds of processor time it took."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return text, usage.ru_utime, usage.ru_stime


def race(seaworthy, url, options):
    """Runs both in turn and prints the medians."""
    ours, others = [], []
    for _ in range(options.rounds):
        command = [seaworthy, "--json", "load-test", url, "-c", str(options.connections), "--duration", f"{options.seconds}s"]
        text, user, system = spend(command)
        total = json.loads(text)["result"]["total"]
        assert total["bad"] == 0, total["errors"]
        ours.append((total["rate"], user / total["requests"], system / total["requests"]))
        command = ["wrk", "-t2", f"-c{options.connections}", f"-d{options.seconds}s", url]
        text, user, system = spend(command)
        requests = int(re.search(r"(\d+) requests in", text)[1])
        others.append((float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1]), user / requests, system / requests))
    medians = []
    for name, rounds in [("seaworthy load-test", ours), ("wrk -t2", others)]:
        rate, user, system = (statistics.median(column) for column in zip(*rounds))
        print(f"{name:20}{rate:10.0f} requests/s   {user * 1e6:5.2f} µs user and {system * 1e6:5.2f} µs system for each   "
              f"{[round(rate) for rate, _, _ in rounds]}")
        medians.append(rate)
    print(f"ratio               {medians[0] / medians[1]:10.2f}   (aim: 0.70)")


main()
