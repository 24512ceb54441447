"""Guesses a new function's runtime and handler from its code, so that `deploy FOLDER` is enough.

Only what is certain: a `bootstrap`, or one Python file of a usual name with a usual handler.
"""

from __future__ import annotations

import ast
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .failures import USAGE, Failure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Found", "find_handler"]

MODULES = ("lambda_function", "index", "main", "app", "handler", "function")
FUNCTIONS = ("lambda_handler", "handler")


@dataclass(frozen=True, slots=True)
class Found:
    """What runs the code, and where it begins."""

    runtime: str
    handler: str


def find_handler(source: Path) -> Found:
    """Look into a folder, a file or a zip; raises Failure that says which option is missing."""
    files = _top_files(source)
    if "bootstrap" in files:
        return Found("provided.al2023", "bootstrap")
    names = [source.stem] if source.suffix == ".py" else MODULES
    for name in names:
        for function in _functions(files.get(f"{name}.py", "")):
            # The machine's own version: that is what runs it in local mode.
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            return Found(f"python{version}", f"{name}.{function}")
    raise Failure(
        f"{source}: no handler found; give --runtime and --handler "
        "(looked for bootstrap, and for lambda_handler or handler in "
        f"{', '.join(f'{name}.py' for name in names)})",
        USAGE,
    )


def _top_files(source: Path) -> dict[str, str]:
    """Read the Python files on the first level; of others only the names count."""
    if source.suffix == ".zip":
        with zipfile.ZipFile(source) as package:
            names = [name for name in package.namelist() if "/" not in name]
            return {name: _text(name, package.read(name)) for name in names}
    files: Iterable[Path] = [source] if source.is_file() else source.iterdir()
    return {file.name: _text(file.name, file.read_bytes()) for file in files if file.is_file()}


def _text(name: str, content: bytes) -> str:
    return content.decode(errors="replace") if name.endswith(".py") else ""


def _functions(text: str) -> list[str]:
    """Give the usual names that a module defines or assigns."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return []  # the runtime reports it better, with its line
    defined = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    for node in body:
        if isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return [name for name in FUNCTIONS if name in defined]
