#!/usr/bin/env python3
"""Races `seaworthy logs` against grep on a large access log.

    benches/logs.py [--dir DIR] [--rounds N] [--size BYTES]

Each program runs once a round, in turn; the figures are medians. `grep -c` only counts, while Seaworthy prints
the lines, told apart by level where that is asked for. The aim is half of grep's speed: a wall ratio below 2.
Nothing is asserted: machines are noisy, and a reader judges.
"""

import argparse
import os
import random
import tempfile

import measure


def make_log(path, size):
    """An access log as nginx writes it, of at least `size` bytes: one answer of five hundred is a 503."""
    chance = random.Random(1)
    agents = [f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0" for n in range(90, 140)]
    block = []
    for n in range(50_000):
        status = 503 if chance.random() < 0.002 else chance.choice([200, 200, 200, 200, 304, 404])
        block.append(
            f"203.0.{chance.randrange(256)}.{chance.randrange(256)} - - [22/Nov/2026:{n // 3600 % 24:02}:{n // 60 % 60:02}:"
            f'{n % 60:02} +0000] "GET /api/v1/items/{chance.randrange(10**6)}?page={n % 40} HTTP/1.1" {status} '
            f'{chance.randrange(40_000)} "https://example.com/items" "{chance.choice(agents)}"\n'
        )
    block = "".join(block).encode()
    with open(path, "wb") as file:
        while file.tell() < size:
            file.write(block)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default="/dev/shm", help="where to work (default: memory, so that disks do not matter)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1_000_000_000, help="of the log, in bytes")
    options = parser.parse_args()
    measure.need("grep", "zstd")
    seaworthy = measure.build()
    with tempfile.TemporaryDirectory(prefix="seaworthy-logs-", dir=options.dir) as work:
        log = os.path.join(work, "access.log")
        make_log(log, options.size)
        measure.run(f"cat {log} > /dev/null")
        races = {
            "a text that is rare": (["--grep", '" 503 '], f"grep -c '\" 503 ' {log}"),
            "an expression": (["--grep", "items/99[0-9]+.*\" 404 "], f"grep -cE 'items/99[0-9]+.*\" 404 ' {log}"),
            "errors alone": (["--errors"], f"grep -cE '\" 5[0-9][0-9] ' {log}"),
            "the last hour": (["--since", "2026-11-22T13:00:00Z"], f"grep -c '2026:1[3-9]' {log}"),
        }
        for title, (arguments, grep) in races.items():
            ours, others = {"seaworthy logs": []}, {"grep -c": []}
            for _ in range(options.rounds):
                ours["seaworthy logs"].append(
                    measure.run([seaworthy, "logs", *arguments, log], discard=True)
                )
                others["grep -c"].append(measure.run(grep))
            measure.table(f"{title}, {options.size / 1e9:.1f} GB", ours, others, {"grep -c": "wall 2.00"})


main()
