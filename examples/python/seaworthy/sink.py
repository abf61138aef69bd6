"""Sinks written in Python."""

from __future__ import annotations

import abc
import ctypes
import itertools
import json
from dataclasses import dataclass
from typing import Any, Callable, Iterable

from . import native
from .error import Code, SeaworthyError, check
from .native import SinkTable, lib, take_string


class SinkError(Exception):
    """The error of a sink operation."""

    def __init__(self, code: Code, message: str = "") -> None:
        super().__init__(message or code.name.lower().replace("_", " "))
        self.code = code


@dataclass
class ObjectInfo:
    """An object in a sink: its key, its size in bytes, when it was written (Unix time)."""

    key: str
    length: int
    modified: int


class Sink(abc.ABC):
    """A place that stores complete objects. `SinkError(Code.NOT_FOUND)` means that an object does not exist."""

    can_delete = True
    can_if_absent = True

    @abc.abstractmethod
    def begin(self, key: str, if_absent: bool) -> Any:
        """Starts an object and returns a handle for it. Nothing is visible before `commit`."""

    @abc.abstractmethod
    def write(self, upload: Any, chunk: bytes) -> None:
        """Adds bytes at the end."""

    @abc.abstractmethod
    def commit(self, upload: Any) -> ObjectInfo:
        """Makes the object visible, complete and durable."""

    @abc.abstractmethod
    def abort(self, upload: Any) -> None:
        """Aborts the object."""

    @abc.abstractmethod
    def read(self, key: str, offset: int, length: int) -> bytes:
        """Reads from `offset` on; less than `length` only at the end."""

    @abc.abstractmethod
    def stat(self, key: str) -> ObjectInfo:
        """Returns the size and time of an object."""

    @abc.abstractmethod
    def list(self, prefix: str) -> Iterable[ObjectInfo]:
        """Every object below `prefix`, at any depth."""

    def delete(self, key: str) -> None:
        """Deletes an object; it is not an error if it does not exist."""
        raise SinkError(Code.UNSUPPORTED)


def table_of(sink: Sink) -> tuple[SinkTable, object]:
    """The functions of `sink` for the library, and what must live as long as it uses them."""
    uploads: dict[int, Any] = {}
    numbers = itertools.count(1)

    def guarded(work: Callable[..., None]) -> Callable[..., int]:
        def call(_: object, *arguments: Any) -> int:
            try:
                work(*arguments[:-1])
                return 0
            except SinkError as error:
                code, message = int(error.code), str(error).encode()
            except Exception as error:  # noqa: BLE001 - none may leave a callback
                code, message = int(Code.IO), f"{type(error).__name__}: {error}".encode()
            lib.sw_error_new(code, message, len(message), arguments[-1])
            return code

        return call

    def text(data: int, length: int) -> str:
        return ctypes.string_at(data, length).decode()

    def fill(place: Any, info: ObjectInfo) -> None:
        place.contents.length = info.length
        place.contents.modified = info.modified

    def begin(key: int, length: int, options: Any, upload: Any) -> None:
        number = next(numbers)
        uploads[number] = sink.begin(text(key, length), bool(options.contents.if_absent))
        upload[0] = number

    def write(upload: int, data: int, length: int) -> None:
        sink.write(uploads[upload], ctypes.string_at(data, length))

    def commit(upload: int, info: Any) -> None:
        fill(info, sink.commit(uploads.pop(upload)))

    def abort(upload: int) -> None:
        sink.abort(uploads.pop(upload))

    def read(key: int, length: int, offset: int, buffer: int, room: int, filled: Any) -> None:
        data = sink.read(text(key, length), offset, room)
        ctypes.memmove(buffer, data, len(data))
        filled[0] = len(data)

    def stat(key: int, length: int, info: Any) -> None:
        fill(info, sink.stat(text(key, length)))

    def list_(prefix: int, length: int, listing: Any) -> None:
        found = [vars(info) for info in sink.list(text(prefix, length))]
        raw = json.dumps(found).encode()
        lib.sw_string_new(raw, len(raw), listing)

    def delete(key: int, length: int) -> None:
        sink.delete(text(key, length))

    table = SinkTable(
        size=ctypes.sizeof(SinkTable),
        capabilities=int(sink.can_delete) | int(sink.can_if_absent) << 1,
        begin=native.BEGIN(guarded(begin)),
        write=native.WRITE(guarded(write)),
        commit=native.COMMIT(guarded(commit)),
        abort=native.ABORT(guarded(abort)),
        read=native.READ(guarded(read)),
        stat=native.STAT(guarded(stat)),
        list=native.LIST(guarded(list_)),
        delete_object=native.DELETE(guarded(delete)),
    )
    return table, table


def conformance(sink: Sink) -> dict[str, str | None]:
    """Tests a sink with Seaworthy's own suite: returns each case, and what was wrong, or None."""
    table, _ = table_of(sink)
    document, error = ctypes.c_void_p(), ctypes.c_void_p()
    code = lib.sw_sink_conformance(
        ctypes.byref(table), None, ctypes.byref(document), ctypes.byref(error)
    )
    text = take_string(document)
    try:
        check(code, error)
    except SeaworthyError as failed:
        if failed.code != Code.FINDINGS:
            raise
    return {case["name"]: case["message"] for case in json.loads(text)["result"]["cases"]}
