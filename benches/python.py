#!/usr/bin/env python3
"""What a backup through Python costs beside one by the program: the same folder, in turn, medians.

    benches/python.py [--dir DIR] [--rounds N] [--program FILE] [--library FILE]

Starting Python is part of its figure, and of a short backup a large one: what it takes to do nothing stands beside it. A ratio of
1.05 at most is the aim. Nothing is asserted: machines are noisy, and a reader judges.
"""

import argparse
import os
import shutil
import sys
import tempfile

import measure
import race

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from seaworthy import Context
seen = []
with Context.from_file(sys.argv[2]) as context:
    context.backup(progress=seen.append)
assert seen
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=None, help="where to work; needs some 3 GB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=race.FILES, help="how many small files there are")
    parser.add_argument("--program", default=f"{measure.DIST}/seaworthy")
    parser.add_argument("--library", default=f"{measure.DIST}/libseaworthy_ffi.so")
    arguments = parser.parse_args()
    work = tempfile.mkdtemp(dir=arguments.dir)
    try:
        race.FILES = arguments.files
        race.make_tree(f"{work}/tree")
        environment = {**os.environ, "SEAWORTHY_LIBRARY": arguments.library}
        costs = {"program": [], "python": []}
        starts = []
        for _ in range(arguments.rounds):
            for name in costs:
                shutil.rmtree(f"{work}/sink", ignore_errors=True)
                config = measure.configure(work, verify_after="stat")
                if name == "program":
                    command = [arguments.program, "--config", config, "backup"]
                else:
                    command = [sys.executable, "-c", SCRIPT, f"{ROOT}/examples/python", config]
                costs[name].append(measure.run(command, env=environment))
            starts.append(measure.run([sys.executable, "-c", "pass"]))
        program, python = measure.median(costs["program"]), measure.median(costs["python"])
        print(f"program  {program.wall:.2f} s, {program.cpu:.2f} s of processor")
        print(f"python   {python.wall:.2f} s, {python.cpu:.2f} s of processor")
        start = measure.median(starts)
        print(f"  of it  {start.wall:.2f} s, {start.cpu:.2f} s of processor, in which Python only starts and ends")
        print(f"ratio    {python.wall / program.wall:.3f} of the wall time (aim: 1.05 at most), "
              f"{(python.wall - start.wall) / program.wall:.3f} without the start of Python")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
