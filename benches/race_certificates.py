#!/usr/bin/env python3
"""Five names in one order from the same Pebble without sleeps: Seaworthy, lego, certbot. Then a look at a thousand
certificates of which none is due.

Fails where Seaworthy takes more than 0.05 of lego's time, 0.1 of certbot's time, lego's memory, 50 ms for the look, or
any request for it.

Usage: benches/race_certificates.py [ROUNDS [PROGRAM]]      (needs pebble, lego and certbot from Debian)
"""

import json
import math
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import measure

NAMES = [f"{site}.flotteq.example" for site in ("api", "app", "partner", "driver", "admin")]


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


def as_installed(program):
    """Lets the kernel read a program from disk again: of one that was written a moment ago it keeps larger pieces, and
    more of it then counts as the memory of whoever runs it."""
    with open(shutil.which(program), "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def requests(log):
    """All requests that Pebble has answered, and those of them that only ask how an order stands."""
    lines = [line for line in log.read_text().splitlines() if "-> calling handler()" in line]
    return len(lines), sum(" /my-order/" in line for line in lines)


def clone(here, name, copies):
    """Copies of a certificate, its history and its links, and their sections for the file."""
    text = ""
    for i in range(copies):
        copy = f"{name}-{i}"
        shutil.copytree(here / "tls/versions" / name, here / "tls/versions" / copy)
        os.symlink(os.readlink(here / "tls/live" / name).replace(f"/{name}/", f"/{copy}/"), here / "tls/live" / copy)
        shutil.copytree(here / "state/tls" / name, here / "state/tls" / copy)
        text += f'''[certificate.{copy}]
names = {json.dumps(NAMES)}
ca = ["pebble"]
challenge = {{ type = "http-01", webroot = "www" }}
'''
    return text


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if len(sys.argv) > 2:
        program = pathlib.Path(sys.argv[2]).resolve()
    else:
        program = pathlib.Path(measure.build())
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
    log = here / "pebble.log"
    servers = [
        subprocess.Popen(["pebble-challtestsrv", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
                          "-dns01", f"127.0.0.1:{dns}", "-management", f"127.0.0.1:{dns_management}"], **quiet),
        subprocess.Popen(["pebble", "-config", here / "pebble.json", "-dnsserver", f"127.0.0.1:{dns}"], env=env,
                         stdout=log.open("w"), stderr=subprocess.DEVNULL),
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
            as_installed(words[0])
            runs = []
            for _ in range(rounds if name == "seaworthy" else max(1, rounds // 3)):
                for account in ("lego", "c", "tls/accounts"):
                    shutil.rmtree(here / account, ignore_errors=True)
                before = requests(log)
                runs.append(measure(words, env, here))
                after = requests(log)
            times[name] = (min(r[0] for r in runs), max(r[1] for r in runs))
            # The directory, a nonce, an account and an order; each name and its challenge; finalize and download.
            asked, polls = after[0] - before[0], after[1] - before[1]
            floor = 3 + 2 * len(NAMES) + polls + 2
            print(f"{name:10} {times[name][0]:7.3f} s  {times[name][1]:6.1f} MiB  {asked} requests, "
                  f"{asked / len(NAMES):.1f} for each name; the floor is {floor}, of which {polls} polls", flush=True)
        for other in ("lego", "certbot"):
            print(f"seaworthy / {other}: {times['seaworthy'][0] / times[other][0]:.3f} of the time")
        good = (times["seaworthy"][0] <= 0.05 * times["lego"][0]
                and times["seaworthy"][0] <= 0.1 * times["certbot"][0]
                and times["seaworthy"][1] <= times["lego"][1])

        look = [program, "--config", config, "cert", "renew"]
        measure(look, env, here)  # asks once whether the authority wants renewals at certain times
        config.write_text(config.read_text() + clone(here, "flotteq", 999))
        before = requests(log)
        took = min(measure(look, env, here)[0] for _ in range(4 * rounds))
        asked = requests(log)[0] - before[0]
        print(f"a look at 1,000 certificates: {math.ceil(took * 1000)} ms, {asked} requests")
        good = good and took <= 0.05 and asked == 0
        sys.exit(0 if good else 1)
    finally:
        for server in servers:
            server.kill()
            server.wait()
        shutil.rmtree(here, ignore_errors=True)


if __name__ == "__main__":
    main()
