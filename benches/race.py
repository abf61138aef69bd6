#!/usr/bin/env python3
"""Races Seaworthy against the pipelines and programs that it replaces, on one input in one run.

    benches/race.py [--dir DIR] [--rounds N]

Each program runs once a round, in turn; the figures are medians. A ratio is Seaworthy's figure by the
other's: below one is better. Seaworthy runs with fsync and SHA-256 on. The memory of a pipeline is
that of its largest process. Nothing is asserted: machines are noisy, and a reader judges.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile

import measure

FILES = 25_000
LARGE = 400_000_000


def make_tree(root):
    """25,000 small files of about 14 KB of text-like data, and a large one that does not compress."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 11))) for _ in range(4000)]
    for n in range(FILES):
        folder = os.path.join(root, f"{n % 250:03}")
        os.makedirs(folder, exist_ok=True)
        size = min(int(chance.lognormvariate(8.9, 1.1)), 400_000)
        text = " ".join(chance.choices(words, k=size // 7 + 1))
        with open(os.path.join(folder, f"{n:05}.txt"), "w") as file:
            file.write(text[:size])
    with open(os.path.join(root, "large.bin"), "wb") as file:
        for _ in range(LARGE // 4_000_000):
            file.write(chance.randbytes(4_000_000))


def race_backup(seaworthy, work, rounds):
    """Backs the tree up with each program, into fresh folders."""
    ours = {"seaworthy (verify_after = stat)": [], "seaworthy (verify_after = read)": []}
    tar, restic = "tar | zstd -3 -T0", "restic backup"
    others = {tar: [], restic: []}
    environment = {**os.environ, "RESTIC_PASSWORD": "race", "RESTIC_CACHE_DIR": f"{work}/restic-cache"}
    for _ in range(rounds):
        for name, mode in zip(ours, ("stat", "read")):
            shutil.rmtree(f"{work}/sink", ignore_errors=True)
            ours[name].append(measure.run([seaworthy, "--config", measure.configure(work, verify_after=mode), "backup"]))
        others[tar].append(measure.run(f"tar -C / -cf - {work[1:]}/tree | zstd -q -3 -T0 -o {work}/tree.tar.zst -f"))
        shutil.rmtree(f"{work}/restic", ignore_errors=True)
        shutil.rmtree(f"{work}/restic-cache", ignore_errors=True)
        measure.run(["restic", "-q", "-r", f"{work}/restic", "init"], env=environment)
        others[restic].append(
            measure.run(["restic", "-q", "-r", f"{work}/restic", "backup", f"{work}/tree"], env=environment)
        )
    limits = {tar: "wall 0.90, cpu 0.85", restic: "wall 0.30"}
    measure.table(f"backup of {FILES} small files and one of {LARGE // 1_000_000} MB", ours, others, limits)


def race_restore(seaworthy, work, rounds):
    """Restores what the last backup race left, each time into a fresh folder; deletes at the end."""
    measure.run([seaworthy, "--config", measure.configure(work, verify_after="stat"), "backup"])
    ours, tar, restic = {"seaworthy restore": []}, "zstd -dc | tar -x", "restic restore"
    others = {tar: [], restic: []}
    environment = {**os.environ, "RESTIC_PASSWORD": "race", "RESTIC_CACHE_DIR": f"{work}/restic-cache"}
    for n in range(rounds):
        command = [seaworthy, "--config", measure.configure(work, verify_after="stat"), "restore", "tree", "--to", f"{work}/out/sw{n}"]
        ours["seaworthy restore"].append(measure.run(command))
        os.makedirs(f"{work}/out/tar{n}")
        others[tar].append(measure.run(f"zstd -q -dc {work}/tree.tar.zst | tar -C {work}/out/tar{n} -xf -"))
        command = ["restic", "-q", "-r", f"{work}/restic", "restore", "latest", "--target", f"{work}/out/restic{n}"]
        others[restic].append(measure.run(command, env=environment))
    measure.run(["diff", "-r", f"{work}/tree", f"{work}/out/sw0{work}/tree"])
    measure.table("restore into fresh folders", ours, others, {tar: "wall 0.60"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default="/dev/shm", help="where to work (default: memory, so that disks do not matter)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    measure.need("tar", "zstd", "restic")
    if shutil.disk_usage(options.dir).free < 12 << 30:
        sys.exit(f"{options.dir} needs 12 GiB of free space")
    seaworthy = measure.build()
    with tempfile.TemporaryDirectory(prefix="seaworthy-race-", dir=options.dir) as work:
        make_tree(f"{work}/tree")
        measure.run(f"cat {work}/tree/*/* {work}/tree/large.bin > /dev/null")
        race_backup(seaworthy, work, options.rounds)
        race_restore(seaworthy, work, options.rounds)


if __name__ == "__main__":
    main()
