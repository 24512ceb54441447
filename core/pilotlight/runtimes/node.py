"""Managed Node.js."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from .family import Family, Handler, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NEWEST", "Node"]

NEWEST = "nodejs24.x"
_SUFFIXES = (".js", ".mjs", ".cjs")
"""In the order in which the runtime looks for them."""
MODULES = ("index", "app", "main", "handler", "function")
FUNCTIONS = ("handler", "lambdaHandler")
_EXPORT = r"\bexports\.{0}\s*=|\bexport\s+(?:const|let|var|(?:async\s+)?function)\s+{0}\b"
_LIST = r"|\bexport\s*\{{[^}}]*\b{0}\s*[,}}]"
FIRST = """// A first function: it greets whom its event names.
export const handler = async (event, context) => {
  console.log("called as", context.functionName);
  return { greeting: `Hello, ${event.name ?? "world"}!` };
};
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Family):
    """The family of `nodejs24.x`."""

    prefix: str = "nodejs"
    supported: frozenset[str] = frozenset({"nodejs20.x", "nodejs22.x", NEWEST, "nodejs26.x"})
    deprecated: frozenset[str] = frozenset({
        "nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x",
        "nodejs12.x", "nodejs14.x", "nodejs16.x", "nodejs18.x",
    })  # fmt: skip
    one_call: frozenset[str] = frozenset({"nodejs20.x"})
    suffix: str | None = ".js"
    needs_image: bool = False
    pooled: bool = True

    def find_handler(self, sources: Sources) -> Handler | None:
        """Find an export of a usual name, in a file of a usual name or in the only one."""
        for file in _files(sources.only):
            name = _exported(sources.files.get(file, b""))
            if name is not None:
                return Handler(NEWEST, f"{PurePath(file).stem}.{name}")
        return None

    def first_files(self) -> Mapping[str, str]:
        """Return a handler that says what it was given."""
        return {"index.mjs": FIRST}

    def looks_for(self, only: str | None) -> str:
        """Name exports and files."""
        files = only if only in _files(only) else f"{', '.join(MODULES)} ({', '.join(_SUFFIXES)})"
        return f"{' or '.join(FUNCTIONS)} exported by {files}"


def _files(only: str | None) -> tuple[str, ...]:
    if only and only.endswith(_SUFFIXES):
        return (only,)
    return tuple(f"{module}{suffix}" for module in MODULES for suffix in _SUFFIXES)


def _exported(source: bytes) -> str | None:
    """Return the usual name that a file exports; what it looks like counts, nothing is parsed."""
    text = source.decode(errors="replace")
    for name in FUNCTIONS:
        if re.search((_EXPORT + _LIST).format(name), text):
            return name
    return None
