"""Managed Python."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .family import Family, Handler, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OWN_PYTHON", "Python"]

OWN_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The runtime of the version that runs the platform itself."""
MODULES = ("lambda_function", "index", "main", "app", "handler", "function")
FUNCTIONS = ("lambda_handler", "handler")
FIRST = '''"""A first function: it greets whom its event names."""


def handler(event, context):
    print("called as", context.function_name)
    return {"greeting": f"Hello, {event.get('name', 'world')}!"}
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Python(Family):
    """The family of `python3.13`."""

    prefix: str = "python"
    supported: frozenset[str] = frozenset({
        "python3.10", "python3.11", "python3.12", "python3.13", "python3.14", "python3.15",
    })  # fmt: skip
    deprecated: frozenset[str] = frozenset({
        "python2.7", "python3.6", "python3.7", "python3.8", "python3.9",
    })  # fmt: skip
    suffix: str | None = ".py"
    needs_image: bool = False
    pooled: bool = True
    forks: bool = True
    compiled: bool = True

    def find_handler(self, sources: Sources) -> Handler | None:
        """Find a function of a usual name, in a file of a usual name or in the only one."""
        for name in _modules(sources.only):
            for function in _functions(sources.files.get(f"{name}.py", b"")):
                # The machine's own version: that is what runs it in local mode.
                return Handler(OWN_PYTHON, f"{name}.{function}")
        return None

    def first_files(self) -> Mapping[str, str]:
        """Return a handler that says what it was given."""
        return {"index.py": FIRST}

    def looks_for(self, only: str | None) -> str:
        """Name functions and files."""
        files = ", ".join(f"{name}.py" for name in _modules(only))
        return f"{' or '.join(FUNCTIONS)} in {files}"


def _modules(only: str | None) -> tuple[str, ...]:
    return (only.removesuffix(".py"),) if only and only.endswith(".py") else MODULES


def _functions(source: bytes) -> list[str]:
    """Return the usual names that a module defines or assigns."""
    try:
        body = ast.parse(source.decode(errors="replace")).body
    except (SyntaxError, ValueError):
        return []  # the runtime reports it better, with its line
    defined = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    for node in body:
        if isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return [name for name in FUNCTIONS if name in defined]
