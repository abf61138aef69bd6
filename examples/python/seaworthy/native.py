"""The functions of libseaworthy for ctypes; see seaworthy.h."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

ABI_VERSION = 1

CALLBACK = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)
FINALIZER = ctypes.CFUNCTYPE(None, c_void_p)


class Callback(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("reserved", c_uint32),
        ("call", CALLBACK),
        ("user_data", c_void_p),
        ("finalizer", FINALIZER),
    ]


class CallOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("log_level", c_uint32),
        ("cancel", c_void_p),
        ("progress", POINTER(Callback)),
        ("log", POINTER(Callback)),
    ]


class PutOptions(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("if_absent", c_uint32), ("length", c_uint64)]


class ObjectInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("reserved", c_uint32),
        ("length", c_uint64),
        ("modified", c_int64),
    ]


_ERROR = POINTER(c_void_p)
BEGIN = ctypes.CFUNCTYPE(
    c_int32, c_void_p, c_void_p, c_size_t, POINTER(PutOptions), POINTER(c_uint64), _ERROR
)
WRITE = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, c_void_p, c_size_t, _ERROR)
COMMIT = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, POINTER(ObjectInfo), _ERROR)
ABORT = ctypes.CFUNCTYPE(c_int32, c_void_p, c_uint64, _ERROR)
READ = ctypes.CFUNCTYPE(
    c_int32, c_void_p, c_void_p, c_size_t, c_uint64, c_void_p, c_size_t, POINTER(c_size_t), _ERROR
)
STAT = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, POINTER(ObjectInfo), _ERROR)
LIST = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, POINTER(c_void_p), _ERROR)
DELETE = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, _ERROR)
DISCARD = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, POINTER(c_uint64), _ERROR)


class SinkTable(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("capabilities", c_uint32),
        ("user_data", c_void_p),
        ("finalizer", FINALIZER),
        ("begin", BEGIN),
        ("write", WRITE),
        ("commit", COMMIT),
        ("abort", ABORT),
        ("read", READ),
        ("stat", STAT),
        ("list", LIST),
        ("delete_object", DELETE),
        ("discard_unfinished", DISCARD),
    ]


def _load() -> ctypes.CDLL:
    name = os.environ.get("SEAWORTHY_LIBRARY") or ctypes.util.find_library("seaworthy")
    lib = ctypes.CDLL(name or "libseaworthy.so.1")
    lib.sw_abi_version.restype = c_uint32
    lib.sw_abi_version.argtypes = []
    if lib.sw_abi_version() != ABI_VERSION:
        raise ImportError(f"libseaworthy has ABI {lib.sw_abi_version()}, not {ABI_VERSION}")
    lib.sw_version.restype = c_char_p
    lib.sw_version.argtypes = []
    out, size = POINTER(c_void_p), POINTER(c_size_t)
    arguments = {
        "sw_string_new": [c_char_p, c_size_t, out],
        "sw_string_data": [c_void_p, out, size],
        "sw_error_new": [c_int32, c_char_p, c_size_t, out],
        "sw_error_code": [c_void_p, POINTER(c_int32)],
        "sw_error_retryable": [c_void_p, POINTER(c_int32)],
        "sw_error_message": [c_void_p, out, size],
        "sw_error_operation": [c_void_p, out, size],
        "sw_error_remedy": [c_void_p, out, size],
        "sw_error_context": [c_void_p, out, size],
        "sw_cancel_new": [out, out],
        "sw_cancel_trigger": [c_void_p],
        "sw_ctx_open_file": [c_char_p, c_size_t, c_void_p, out, out],
        "sw_ctx_open_text": [c_char_p, c_size_t, c_char_p, c_size_t, c_void_p, out, out],
        "sw_ctx_add_sink": [c_void_p, c_char_p, c_size_t, POINTER(SinkTable), out],
        "sw_sink_conformance": [POINTER(SinkTable), POINTER(CallOptions), out, out],
        "sw_plan_retention": [c_char_p, c_size_t, out, out],
    }
    for command in COMMANDS:
        options = POINTER(CallOptions)
        arguments["sw_" + command] = [c_void_p, c_char_p, c_size_t, options, out, out]
    for name, types in arguments.items():
        function = getattr(lib, name)
        function.restype = c_int32
        function.argtypes = types
    for name in ("string", "error", "cancel", "ctx"):
        function = getattr(lib, f"sw_{name}_free")
        function.restype = None
        function.argtypes = [c_void_p]
    return lib


COMMANDS = (
    *("backup", "snapshots", "show", "verify", "drill", "restore", "prune", "sync", "pin", "unpin"),
    *("run", "apply", "status", "doctor", "cert", "proxy", "service"),
)
lib = _load()


def version() -> str:
    """The library's version."""
    return str(lib.sw_version().decode())


def take_string(handle: c_void_p) -> str:
    """The text of a string from the library, which is freed."""
    if not handle:
        return ""
    data, length = c_void_p(), c_size_t()
    lib.sw_string_data(handle, ctypes.byref(data), ctypes.byref(length))
    text = ctypes.string_at(data.value or 0, length.value).decode()
    lib.sw_string_free(handle)
    return text
