"""Seaworthy from Python: backups that are proved to restore.

>>> with Context.from_file("/etc/seaworthy/seaworthy.toml") as context:   # doctest: +SKIP
...     for event in context.start("backup", jobs=["nightly"]):
...         print(event)
"""

from .context import Call, Cancel, Context, plan_retention
from .error import Code, SeaworthyError
from .native import version
from .sink import ObjectInfo, Sink, SinkError, conformance

__all__ = [
    "Call",
    "Cancel",
    "Code",
    "Context",
    "ObjectInfo",
    "SeaworthyError",
    "Sink",
    "SinkError",
    "conformance",
    "plan_retention",
    "version",
]
