"""Managed Ruby."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from .family import Family, Handler, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NEWEST", "Ruby"]

NEWEST = "ruby3.3"
"""Of those that an image runs."""
_SUFFIX = ".rb"
FILES = ("lambda_function", "index", "app", "main", "handler", "function")
METHODS = ("lambda_handler", "handler")
_DEFINED = r"^def {0}\b"
FIRST = """# A first function: it greets whom its event names.
def handler(event:, context:)
  puts "called as #{context.function_name}"
  { greeting: "Hello, #{event["name"] || "world"}!" }
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruby(Family):
    """The family of `ruby3.3`."""

    prefix: str = "ruby"
    supported: frozenset[str] = frozenset({"ruby3.2", NEWEST, "ruby3.4", "ruby4.0"})
    deprecated: frozenset[str] = frozenset({"ruby2.5", "ruby2.7"})
    one_call: frozenset[str] = frozenset({"ruby3.2", NEWEST, "ruby3.4", "ruby4.0"})
    suffix: str | None = _SUFFIX
    needs_image: bool = False
    pooled: bool = True

    def find_handler(self, sources: Sources) -> Handler | None:
        """Find a method of a usual name, in a file of a usual name or in the only one."""
        for file in _files(sources.only):
            text = sources.files.get(file, b"").decode(errors="replace")
            for name in METHODS:
                if re.search(_DEFINED.format(name), text, re.MULTILINE):
                    return Handler(NEWEST, f"{PurePath(file).stem}.{name}")
        return None

    def first_files(self) -> Mapping[str, str]:
        """Return a handler that says what it was given."""
        return {f"index{_SUFFIX}": FIRST}

    def looks_for(self, only: str | None) -> str:
        """Name methods and files."""
        return f"{' or '.join(METHODS)} in {', '.join(_files(only))}"


def _files(only: str | None) -> tuple[str, ...]:
    if only and only.endswith(_SUFFIX):
        return (only,)
    return tuple(f"{name}{_SUFFIX}" for name in FILES)
