#!/usr/bin/env python3
"""Races the rendered gw2 set-up against a minimal nginx file written by hand, under the same wrk load.

    benches/proxy_race.py [--rounds N] [--seconds N]

Both are served by the nginx of this machine over TLS with the same certificate, one after the other in
turn: the page, an asset, and a request that is passed on to the same server behind. The figures are
medians: requests a second, and the processor time of nginx's worker for a request, which tells more where
other programs keep the machine busy. A ratio is ours by the other's for requests a second, and the other's
by ours for processor time: above one is better, 0.95 is the aim. Nothing is asserted: a reader judges.
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import tempfile
import time

import measure

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NGINX = "/usr/sbin/nginx"


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(main, port):
    """Starts nginx with the file `main`, and waits until it listens on `port`."""
    process = subprocess.Popen([NGINX, "-c", main, "-g", "daemon off;"])
    for _ in range(500):
        if process.poll() is not None:
            raise SystemExit(f"nginx does not start with {main}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"nginx does not listen on {port}")


def write(path, text):
    """Writes `text`, with the folders that the path needs."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    return path


def common(work, name):
    """What both main files begin with: a distribution's defaults."""
    os.makedirs(f"{work}/{name}/logs", exist_ok=True)
    return f"""pid {work}/{name}/nginx.pid;
error_log {work}/{name}/logs/error.log;
worker_processes 1;
user root;
events {{ worker_connections 1024; }}
"""


def server_behind(work):
    """An nginx that answers at once: what both pass requests on to."""
    port = free_port()
    main = write(
        f"{work}/behind/nginx.conf",
        common(work, "behind")
        + f"""http {{
    access_log off;
    keepalive_requests 1000000;
    server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{{"ok": true}}'; }} }}
}}
""",
    )
    return port, start(main, port)


def by_hand(work, behind):
    """What an administrator would write in five minutes."""
    port = free_port()
    main = write(
        f"{work}/hand/nginx.conf",
        common(work, "hand")
        + f"""http {{
    include /etc/nginx/mime.types;
    sendfile on;
    tcp_nopush on;
    gzip on;
    access_log {work}/hand/logs/access.log;
    upstream app {{ server 127.0.0.1:{behind}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        server_name localhost;
        ssl_certificate {work}/tls/live/gw2/fullchain.pem;
        ssl_certificate_key {work}/tls/live/gw2/privkey.pem;
        ssl_session_cache shared:tls:10m;
        root {work}/srv/dist;
        location / {{ try_files $uri /index.html; }}
        location /assets/ {{ expires 1y; }}
        location /api/ {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
""",
    )
    return port, start(main, port)


def rendered(seaworthy, work, behind):
    """The example gw2, with the paths and ports of this race."""
    http, https = free_port(), free_port()
    with open(f"{ROOT}/examples/gw2/seaworthy.toml") as file:
        text = file.read()
    text = text.replace("/srv/gw2/dist", f"{work}/srv/dist").replace("127.0.0.1:8000", f"127.0.0.1:{behind}")
    # wrk asks for the name that it resolves; a certificate for that name cannot be ordered anywhere.
    text = text.replace("gw2.example", "localhost").replace('names = ["localhost"]', 'names = ["gw2.example"]')
    text = text.replace('root = "/etc/nginx"', f'root = "{work}/ours"').replace("/var/www/acme", f"{work}/acme")
    lines = f"""[tls]
store = "{work}/tls"
[proxy]
addresses = ["127.0.0.1"]
http_port = {http}
https_port = {https}
logs = "{work}/ours/logs"
"""
    write(f"{work}/seaworthy.toml", f'state = "{work}/state"\n' + text.replace("[proxy]\n", lines, 1))
    main = write(
        f"{work}/ours/nginx.conf",
        common(work, "ours")
        + f"""http {{
    include /etc/nginx/mime.types;
    sendfile on;
    tcp_nopush on;
    gzip on;
    include {work}/ours/seaworthy/current/conf.d/*.conf;
}}
""",
    )
    out = f"{work}/ours/seaworthy/current"
    measure.run([seaworthy, "--config", f"{work}/seaworthy.toml", "proxy", "render", "--out", out])
    return https, start(main, https)


def worker_time(process):
    """The processor time of the one worker, in nanoseconds."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        workers = file.read().split()
    total = 0
    for worker in workers:
        with open(f"/proc/{worker}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def load(port, process, path, seconds):
    """Requests a second that wrk gets answered, and nanoseconds of nginx for each."""
    before = worker_time(process)
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", f"https://localhost:{port}{path}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{path}: {said}")
    spent = worker_time(process) - before
    requests = int(re.search(r"(\d+) requests in", said).group(1))
    return float(re.search(r"Requests/sec:\s*([0-9.]+)", said).group(1)), spent / requests


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--program", help="the program to render with (default: a fresh build of it)")
    options = parser.parse_args()
    measure.need("wrk", "openssl", NGINX)
    seaworthy = options.program or measure.build()
    with tempfile.TemporaryDirectory(prefix="seaworthy-proxy-race-", dir="/dev/shm") as work:
        os.chmod(work, 0o755)
        live = f"{work}/tls/live/gw2"
        os.makedirs(live)
        measure.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
            + ["-subj", "/CN=gw2.example", "-addext", "subjectAltName=DNS:gw2.example"]
            + ["-keyout", f"{live}/privkey.pem", "-out", f"{live}/fullchain.pem"]
        )
        write(f"{work}/srv/dist/index.html", "<!doctype html><title>builds</title>" + "<p>text</p>" * 40)
        write(f"{work}/srv/dist/assets/app-77.js", "console.log(1);" * 1500)
        behind, back = server_behind(work)
        running = [back]
        try:
            hand_port, hand = by_hand(work, behind)
            running.append(hand)
            ours_port, ours = rendered(seaworthy, work, behind)
            running.append(ours)
            print(f"gw2 as rendered against a file written by hand, medians of {options.rounds} rounds of {options.seconds} s")
            print(f"  {'':16} {'ours req/s':>11} {'hand req/s':>11} {'ratio':>6}   {'ours µs':>8} {'hand µs':>8} {'ratio':>6}   (aim: 0.95)")
            servers = {ours_port: ours, hand_port: hand}
            for name, path in (("page", "/"), ("asset of 22 KB", "/assets/app-77.js"), ("passed on", "/api/builds")):
                figures = {ours_port: [], hand_port: []}
                for turn in range(options.rounds):
                    # Who begins changes: what the first one warms up helps the second one.
                    for port in sorted(figures, reverse=turn % 2 == 0):
                        figures[port].append(load(port, servers[port], path, options.seconds))
                (mine, my_time), (other, their_time) = (
                    [statistics.median(column) for column in zip(*figures[port])] for port in (ours_port, hand_port)
                )
                print(
                    f"  {name:16} {mine:11.0f} {other:11.0f} {mine / other:6.3f}"
                    f"   {my_time / 1000:8.1f} {their_time / 1000:8.1f} {their_time / my_time:6.3f}"
                )
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()


main()
