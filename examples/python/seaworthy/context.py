"""An open configuration."""

from __future__ import annotations

import ctypes
import json
import os
import queue
import threading
from typing import Any, Callable, Iterator

from . import native
from .error import check
from .native import CALLBACK, Callback, CallOptions, lib, take_string
from .sink import Sink, table_of

Event = dict[str, Any]


class Cancel:
    """Stops calls, from any thread."""

    def __init__(self) -> None:
        self.handle = ctypes.c_void_p()
        error = ctypes.c_void_p()
        check(lib.sw_cancel_new(ctypes.byref(self.handle), ctypes.byref(error)), error)

    def trigger(self) -> None:
        """Asks the calls to stop."""
        lib.sw_cancel_trigger(self.handle)

    def __del__(self) -> None:
        lib.sw_cancel_free(self.handle)


class Context:
    """An open configuration. Close it, or use it with `with`."""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._handle: ctypes.c_void_p | None = handle
        self._kept: list[Any] = []

    @classmethod
    def from_file(cls, path: str | os.PathLike[str] | None = None) -> Context:
        """Opens a file; without one, searches the same places as the program."""
        raw = None if path is None else os.fspath(path).encode()
        handle, error = ctypes.c_void_p(), ctypes.c_void_p()
        places = ctypes.byref(handle), ctypes.byref(error)
        check(lib.sw_ctx_open_file(raw, len(raw or b""), None, *places), error)
        return cls(handle)

    @classmethod
    def from_text(cls, toml: str, base: str | os.PathLike[str]) -> Context:
        """Opens a configuration from text; paths are relative to `base`."""
        raw, folder = toml.encode(), os.fspath(base).encode()
        handle, error = ctypes.c_void_p(), ctypes.c_void_p()
        places = ctypes.byref(handle), ctypes.byref(error)
        check(lib.sw_ctx_open_text(raw, len(raw), folder, len(folder), None, *places), error)
        return cls(handle)

    def close(self) -> None:
        """Ends the context's threads. Call it when no call is running."""
        if self._handle is not None:
            lib.sw_ctx_free(self._handle)
            self._handle = None

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_sink(self, name: str, sink: Sink) -> None:
        """Registers the implementation of the custom sink `name`."""
        raw, error = name.encode(), ctypes.c_void_p()
        table, kept = table_of(sink)
        self._kept.append(kept)
        code = lib.sw_ctx_add_sink(
            self._handle, raw, len(raw), ctypes.byref(table), ctypes.byref(error)
        )
        check(code, error)

    def call(
        self,
        command: str,
        *,
        progress: Callable[[Event], object] | None = None,
        log: Callable[[Event], object] | None = None,
        log_level: int = 0,
        cancel: Cancel | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        """Runs `command` (`backup`, `restore`, …) and returns its document.

        Callbacks are called on this thread. One that raises cancels the call, and what it raised
        comes out of it.
        """
        if self._handle is None:
            raise ValueError("the context is closed")
        if command not in native.COMMANDS:
            raise ValueError(f"there is no command {command!r}")
        raised: list[BaseException] = []

        def callback(function: Callable[[Event], object]) -> Callback:
            def tell(_: object, data: int, length: int) -> int:
                if raised:
                    return 1
                try:
                    function(json.loads(ctypes.string_at(data, length)))
                    return 0
                except BaseException as error:  # noqa: BLE001 - it is raised again below
                    raised.append(error)
                    return 1

            return Callback(size=ctypes.sizeof(Callback), call=CALLBACK(tell))

        options = CallOptions(size=ctypes.sizeof(CallOptions), log_level=log_level)
        if progress is not None:
            options.progress = ctypes.pointer(callback(progress))
        if log is not None:
            options.log = ctypes.pointer(callback(log))
        if cancel is not None:
            options.cancel = cancel.handle
        raw = json.dumps(request).encode()
        document, error = ctypes.c_void_p(), ctypes.c_void_p()
        code = getattr(lib, "sw_" + command)(
            self._handle,
            raw,
            len(raw),
            ctypes.byref(options),
            ctypes.byref(document),
            ctypes.byref(error),
        )
        text = take_string(document)
        if raised:
            lib.sw_error_free(error)
            raise raised[0]
        parsed: dict[str, Any] = json.loads(text) if text else {}
        check(code, error, parsed)
        return parsed

    def start(self, command: str, **request: Any) -> Call:
        """Starts `command` on its own thread; iterate over the result to get its events."""
        return Call(self, command, request)

    def backup(self, *jobs: str, **options: Any) -> dict[str, Any]:
        """Runs jobs; default: all of them."""
        return self.call("backup", jobs=list(jobs), **options)

    def restore(
        self, snapshot: str, to: str | os.PathLike[str], **options: Any
    ) -> dict[str, Any]:
        """Restores a snapshot to a new or empty folder."""
        return self.call("restore", snapshot=snapshot, to=os.fspath(to), **options)


class Call:
    """A running call. Iterate over it to get its events; `result` waits for its document. Leaving a `with`
    early cancels it."""

    def __init__(self, context: Context, command: str, request: dict[str, Any]) -> None:
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._cancel = Cancel()
        self._document: dict[str, Any] = {}
        self._error: BaseException | None = None

        def run() -> None:
            try:
                self._document = context.call(
                    command, progress=self._events.put, cancel=self._cancel, **request
                )
            except BaseException as error:  # noqa: BLE001 - `result` raises it
                self._error = error
            finally:
                self._events.put(None)

        self._thread = threading.Thread(target=run, name=f"seaworthy {command}")
        self._thread.start()

    def __iter__(self) -> Iterator[Event]:
        while (event := self._events.get()) is not None:
            yield event
        self._events.put(None)

    def cancel(self) -> None:
        """Asks it to stop; `result` then raises with the code CANCELLED."""
        self._cancel.trigger()

    def result(self) -> dict[str, Any]:
        """Waits for the end and returns the document."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._document

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.cancel()
        self._thread.join()


def plan_retention(**request: Any) -> list[dict[str, Any]]:
    """Decides which snapshots a policy would keep, and why; see sw_plan_retention."""
    raw = json.dumps(request).encode()
    document, error = ctypes.c_void_p(), ctypes.c_void_p()
    code = lib.sw_plan_retention(raw, len(raw), ctypes.byref(document), ctypes.byref(error))
    text = take_string(document)
    parsed: dict[str, Any] = json.loads(text) if text else {}
    check(code, error, parsed)
    decisions: list[dict[str, Any]] = parsed["result"]["decisions"]
    return decisions
