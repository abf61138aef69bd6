"""Backs a folder up, restores it, and shows how progress, cancelling and errors work.

python3 backup.py FOLDER WORK
"""

from __future__ import annotations

import sys
from pathlib import Path

import seaworthy
from seaworthy import Code, Context, SeaworthyError


def main(folder: str, work: str) -> None:
    config = f"""
state = "state"
[sink.local]
type = "local"
path = "sink"
[backup.nightly]
sinks = ["local"]
keep = {{ last = 3 }}
[backup.nightly.sources.data]
type = "files"
paths = ["{folder}"]
"""
    with Context.from_text(config, work) as context:
        with context.start("backup", jobs=["nightly"]) as call:
            events = list(call)
            for event in events:
                print(" ", event)
            print("backup:", call.result()["outcome"])
        assert any(event["event"] == "started" for event in events)

        context.restore("nightly", Path(work) / "restored")
        print("restore: done")

        with context.start("backup") as call:
            call.cancel()
            try:
                call.result()
                raise AssertionError("it was cancelled")
            except SeaworthyError as error:
                assert error.code == Code.CANCELLED and error.document
                print("cancelled backup:", error.document["outcome"])

        def stop(event: dict[str, object]) -> None:
            raise KeyboardInterrupt

        try:
            context.backup(progress=stop)
            raise AssertionError("the callback stops it")
        except KeyboardInterrupt:
            print("stopped by a callback")

        try:
            context.backup("nihgtly")
            raise AssertionError("there is no such job")
        except SeaworthyError as error:
            assert error.code == Code.INVALID_INPUT
            print(f"no such job: {error}; help: {error.remedy}")

    decisions = seaworthy.plan_retention(
        keep={"last": 1},
        now="2026-11-22T12:00:00Z",
        snapshots=[{"id": "20261121T020000Z-aaaaaa"}, {"id": "20261120T020000Z-aaaaaa"}],
    )
    assert [decision["keep"] for decision in decisions] == [True, False]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: backup.py FOLDER WORK")
    main(*sys.argv[1:])
