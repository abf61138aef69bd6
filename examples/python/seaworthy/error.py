"""Errors as exceptions."""

from __future__ import annotations

import ctypes
import enum
import json
from typing import Any

from .native import lib


class Code(enum.IntEnum):
    """The result codes of the library."""

    INVALID_INPUT = -1
    CONFIG = -2
    NOT_FOUND = -3
    ALREADY_EXISTS = -4
    PERMISSION_DENIED = -5
    NO_SPACE = -6
    UNSUPPORTED = -7
    DAMAGED = -8
    UNTRUSTED = -9
    NEWER_FORMAT = -10
    LOCKED = -11
    CANCELLED = -12
    TIMED_OUT = -13
    UNAVAILABLE = -14
    IO = -15
    SOURCE = -16
    COMMAND = -17
    NOT_EMPTY = -18
    AMBIGUOUS = -19
    INTERNAL = -20
    FAILED = -1008
    FINDINGS = -1009


class SeaworthyError(Exception):
    """A failed call. `document` is what it still found or did."""

    def __init__(
        self,
        code: int,
        message: str,
        operation: str = "",
        remedy: str = "",
        context: dict[str, str] | None = None,
        retryable: bool = False,
        document: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.operation = operation
        self.remedy = remedy
        self.context = context or {}
        self.retryable = retryable
        self.document = document


def check(code: int, handle: ctypes.c_void_p, document: dict[str, Any] | None = None) -> None:
    """Raises the error in `handle`, unless `code` is 0, and frees it."""
    if code == 0:
        return
    if not handle:
        raise SeaworthyError(code, "the library gave no message", document=document)

    def text(read: Any) -> str:
        data, length = ctypes.c_void_p(), ctypes.c_size_t()
        read(handle, ctypes.byref(data), ctypes.byref(length))
        return ctypes.string_at(data.value or 0, length.value).decode()

    retryable = ctypes.c_int32()
    lib.sw_error_retryable(handle, ctypes.byref(retryable))
    error = SeaworthyError(
        code,
        text(lib.sw_error_message),
        text(lib.sw_error_operation),
        text(lib.sw_error_remedy),
        json.loads(text(lib.sw_error_context)),
        bool(retryable.value),
        document,
    )
    lib.sw_error_free(handle)
    raise error
