"""Runs commands and measures them: wall time, processor time and peak memory."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass


@dataclass
class Cost:
    """What one command took."""

    wall: float  # seconds
    cpu: float  # seconds, of all its processes
    memory: float  # MiB, of its largest process; not less than that of this script, which Linux hands on to it


def run(command, discard=False, **options):
    """Runs `command` (a list, or a string for the shell) and fails loudly if it fails; with `discard` its standard
    output goes to /dev/null, where there is too much of it to read."""
    shell = isinstance(command, str)
    argv = ["bash", "-o", "pipefail", "-c", command] if shell else command
    started = time.monotonic()
    if discard:
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    else:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    output = (process.stderr or process.stdout).read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed ({process.returncode}): {command}\n{output.decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(costs):
    """The median of each figure by itself."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory")))


def table(title, ours, others, limits):
    """Prints the medians of `ours` and `others` (name -> costs), and the ratios with their limits."""
    print(f"\n{title}")
    print(f"  {'':34} {'wall s':>8} {'cpu s':>8} {'peak MiB':>9}   {'wall':>6} {'cpu':>6} {'memory':>7}")
    mine = median(next(iter(ours.values())))
    for name, costs in {**ours, **others}.items():
        cost = median(costs)
        line = f"  {name:34} {cost.wall:8.2f} {cost.cpu:8.2f} {cost.memory:9.1f}"
        if name in others:
            ratio = (mine.wall / cost.wall, mine.cpu / cost.cpu, mine.memory / cost.memory)
            line += "   {:6.2f} {:6.2f} {:7.2f}".format(*ratio)
            if name in limits:
                line += f"   (aim: {limits[name]})"
        print(line)


def need(*programs):
    """Ends the script when one of `programs` is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        sys.exit(f"install {', '.join(missing)} first (scripts/test --all does)")


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The folder of what is built as it is shipped.
DIST = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "dist")


def build(*arguments):
    """Builds the program, or what `arguments` for cargo name, as it is shipped; gives the program's path."""
    arguments = arguments or ("--package", "seaworthy-cli")
    subprocess.run(["cargo", "build", "-q", "--profile", "dist", *arguments], cwd=ROOT, check=True)
    return os.path.join(DIST, "seaworthy")


def configure(work, verify_after="read", workers=None):
    """Writes a file whose job `tree` backs up `work`/tree into `work`/sink, and gives its path."""
    path = os.path.join(work, f"seaworthy-{verify_after}.toml")
    limit = f"limit = {{ workers = {workers} }}\n" if workers else ""
    with open(path, "w") as file:
        file.write(
            f"""state = "{work}/state"
[sink.local]
type = "local"
path = "{work}/sink"
[backup.tree]
sinks = ["local"]
verify_after = "{verify_after}"
{limit}[backup.tree.sources.tree]
type = "files"
paths = ["{work}/tree"]
"""
        )
    return path
