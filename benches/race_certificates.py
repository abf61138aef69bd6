#!/usr/bin/env python3
"""Five names in one order from the same Pebble without sleeps: Seaworthy, lego, certbot.

Usage: benches/race_certificates.py [ROUNDS]      (needs pebble, lego and certbot from Debian)
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

NAMES = [f"{site}.flotteq.example" for site in ("api", "app", "partner", "driver", "admin")]
ROOT = pathlib.Path(__file__).resolve().parent.parent


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    until = time.time() + 60
    while time.time() < until:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    sys.exit(f"nothing listens on {port}")


def measure(words, env, cwd):
    """Wall time in seconds and peak memory in MiB."""
    begun = time.perf_counter()
    child = subprocess.Popen(words, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    elapsed = time.perf_counter() - begun
    if status:
        sys.exit(f"{words[0]} failed:\n{output.decode(errors='replace')}")
    return elapsed, usage.ru_maxrss / 1024


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    subprocess.run(["cargo", "build", "-q", "--release", "--bin", "seaworthy"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "release/seaworthy"
    here = pathlib.Path(tempfile.mkdtemp())
    acme, management, dns, dns_management, http = (free_port() for _ in range(5))
    config = here / "seaworthy.toml"
    own = f'state = "state"\n[tls]\nstore = "tls"\n[ca.own]\ntype = "local"\n[certificate.pebble]\nnames = ["127.0.0.1"]\nca = ["own"]\n'
    config.write_text(own)
    subprocess.run([program, "--config", config, "cert", "issue", "pebble"], check=True, stdout=subprocess.DEVNULL)
    live, roots = here / "tls/live/pebble", here / "tls/ca/own/root.pem"
    (here / "pebble.json").write_text(json.dumps({"pebble": {
        "listenAddress": f"127.0.0.1:{acme}", "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(live / "fullchain.pem"), "privateKey": str(live / "privkey.pem"),
        "httpPort": http, "tlsPort": free_port()}}))
    env = dict(os.environ, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="0", PEBBLE_AUTHZREUSE="0")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    servers = [
        subprocess.Popen(["pebble-challtestsrv", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
                          "-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{dns_management}"], **quiet),
        subprocess.Popen(["pebble", "-config", here / "pebble.json", "-dnsserver", f"127.0.0.1:{dns}"], env=env, **quiet),
    ]
    try:
        wait_for(acme)
        wait_for(dns_management)
        directory = f"https://127.0.0.1:{acme}/dir"
        config.write_text(own + f'''[ca.pebble]
type = "acme"
directory = "{directory}"
agree_tos = true
roots = "{roots}"
http_port = {http}
[certificate.flotteq]
names = {json.dumps(NAMES)}
ca = ["pebble"]
challenge = {{ type = "http-01", standalone = "127.0.0.1:{http}" }}
''')
        lego = ["lego", "--server", directory, "--email", "a@example.com", "--accept-tos", "--path", here / "lego",
                "--http", "--http.port", f"127.0.0.1:{http}"] + [f"--domains={name}" for name in NAMES] + ["run"]
        certbot = ["certbot", "certonly", "-n", "--standalone", "--http-01-port", str(http), "--agree-tos",
                   "--register-unsafely-without-email", "--server", directory, "--force-renewal", "--cert-name", "f",
                   "--config-dir", here / "c", "--work-dir", here / "w", "--logs-dir", here / "l"]
        certbot += [word for name in NAMES for word in ("-d", name)]
        ours = [program, "--config", config, "cert", "issue", "flotteq", "--force", "--skip-checks"]
        env = dict(os.environ, LEGO_CA_CERTIFICATES=str(roots), REQUESTS_CA_BUNDLE=str(roots))
        times = {}
        for name, words in [("seaworthy", ours), ("lego", lego), ("certbot", certbot)]:
            if not shutil.which(str(words[0])):
                sys.exit(f"{words[0]} is not installed")
            runs = []
            for _ in range(rounds if name == "seaworthy" else max(1, rounds // 3)):
                for account in ("lego", "c", "tls/accounts"):
                    shutil.rmtree(here / account, ignore_errors=True)
                runs.append(measure(words, env, here))
            times[name] = (min(r[0] for r in runs), max(r[1] for r in runs))
            print(f"{name:10} {times[name][0]:7.3f} s  {times[name][1]:6.1f} MiB", flush=True)
        for other in ("lego", "certbot"):
            print(f"seaworthy / {other}: {times['seaworthy'][0] / times[other][0]:.3f} of the time")
        good = (times["seaworthy"][0] <= 0.05 * times["lego"][0]
                and times["seaworthy"][0] <= 0.1 * times["certbot"][0]
                and times["seaworthy"][1] <= times["lego"][1])
        sys.exit(0 if good else 1)
    finally:
        for server in servers:
            server.kill()
            server.wait()
        shutil.rmtree(here, ignore_errors=True)


if __name__ == "__main__":
    main()
