#!/usr/bin/env python3
"""Backs up and restores a million small files and one large sparse file, and prints peak memory.

    benches/scale.py [--dir DIR] [--files N] [--sparse GIB]

Fails when what comes back differs, or when a step takes 128 MiB of memory or more with two workers.
"""

import argparse
import os
import random
import sys
import tempfile

import measure

LIMIT = 128  # MiB


def make_files(root, count):
    chance = random.Random(2)
    block = chance.randbytes(1 << 20)
    for n in range(count):
        if n % 1000 == 0:
            folder = os.path.join(root, f"{n // 1000:04}")
            os.makedirs(folder)
        start = chance.randrange(len(block) - 600)
        with open(os.path.join(folder, f"file-{n:07}"), "wb") as file:
            file.write(block[start : start + chance.randrange(600)])


def make_sparse(path, gibibytes):
    """A few megabytes of data, spread over a file that is otherwise holes."""
    chance = random.Random(3)
    size = gibibytes << 30
    with open(path, "wb") as file:
        file.truncate(size)
        for _ in range(200):
            file.seek(chance.randrange(size - (64 << 10)))
            file.write(chance.randbytes(64 << 10))


def check(name, cost):
    print(f"  {name:34} {cost.wall:8.1f} s {cost.memory:8.1f} MiB")
    if cost.memory >= LIMIT:
        sys.exit(f"{name} took {cost.memory:.1f} MiB, the limit is {LIMIT}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=None, help="where to work; a disk, not memory")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--sparse", type=int, default=20, metavar="GIB")
    options = parser.parse_args()
    seaworthy = measure.build()
    with tempfile.TemporaryDirectory(prefix="seaworthy-scale-", dir=options.dir) as work:
        print(f"{options.files} small files and a sparse file of {options.sparse} GiB")
        os.makedirs(f"{work}/tree")
        make_files(f"{work}/tree", options.files)
        make_sparse(f"{work}/tree/sparse.img", options.sparse)
        config = measure.configure(work, workers=2)
        command = [seaworthy, "--config", config]
        check("backup, verified by reading", measure.run([*command, "backup"]))
        check("verify", measure.run([*command, "verify", "tree"]))
        check("show --files", measure.run([*command, "show", "tree", "--files"], discard=True))
        check("restore", measure.run([*command, "restore", "tree", "--to", f"{work}/out"]))
        one = f"{work[1:]}/tree/0500/file-0500500" if options.files > 500_500 else f"{work[1:]}/tree/sparse.img"
        check("restore of one file", measure.run([*command, "restore", "tree", "--to", f"{work}/one", "--only", one]))
        measure.run(["diff", "-r", "--no-dereference", f"{work}/tree", f"{work}/out{work}/tree"])
        blocks = [os.stat(path).st_blocks // 2048 for path in (f"{work}/tree/sparse.img", f"{work}/out{work}/tree/sparse.img")]
        print(f"  the sparse file takes {blocks[0]} MiB, restored {blocks[1]} MiB")
        if blocks[1] > blocks[0] + 16:
            sys.exit("the restored file is not sparse")


main()
