"""A sink in Python, tested by Seaworthy's own suite, then used for a backup.

python3 own_sink.py FOLDER WORK
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Iterable

from seaworthy import Code, Context, ObjectInfo, Sink, SinkError, conformance


@dataclass
class Upload:
    key: str
    if_absent: bool
    data: bytearray = field(default_factory=bytearray)


class DictSink(Sink):
    """Keeps objects in a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, int]] = {}

    def begin(self, key: str, if_absent: bool) -> Upload:
        return Upload(key, if_absent)

    def write(self, upload: Upload, chunk: bytes) -> None:
        upload.data += chunk

    def commit(self, upload: Upload) -> ObjectInfo:
        if upload.if_absent and upload.key in self.objects:
            raise SinkError(Code.ALREADY_EXISTS)
        self.objects[upload.key] = bytes(upload.data), int(time.time())
        return self.stat(upload.key)

    def abort(self, upload: Upload) -> None:
        upload.data.clear()

    def read(self, key: str, offset: int, length: int) -> bytes:
        self.stat(key)
        return self.objects[key][0][offset : offset + length]

    def stat(self, key: str) -> ObjectInfo:
        if key not in self.objects:
            raise SinkError(Code.NOT_FOUND, f"no object {key}")
        data, modified = self.objects[key]
        return ObjectInfo(key, len(data), modified)

    def list(self, prefix: str) -> Iterable[ObjectInfo]:
        below = prefix + "/" if prefix else ""
        return [self.stat(key) for key in self.objects if key.startswith(below)]

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)


def main(folder: str, work: str) -> None:
    cases = conformance(DictSink())
    failed = {name: why for name, why in cases.items() if why is not None}
    assert not failed, failed
    print(f"conformance: {len(cases)} cases passed")

    config = f"""
state = "state"
[sink.dict]
type = "custom"
[backup.nightly]
sinks = ["dict"]
[backup.nightly.sources.data]
type = "files"
paths = ["{folder}"]
"""
    sink = DictSink()
    with Context.from_text(config, work) as context:
        context.add_sink("dict", sink)
        context.backup()
        assert any(key.endswith("manifest.json") for key in sink.objects)
        context.call("verify")
        context.restore("nightly", f"{work}/restored")
    print(f"backup, verification and restore with {len(sink.objects)} objects")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: own_sink.py FOLDER WORK")
    main(*sys.argv[1:])
