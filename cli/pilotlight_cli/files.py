"""The files of a folder that somebody works in: what belongs to a package, and what does not.

People's folders hold more than code: editors' locks, sockets, links to nowhere and in circles. An
entry that cannot be read as a file is left out and named (`Files.left_out`), never an end of the
platform; `package` and `manifests` read what is left.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SKIPPED_FOLDERS", "Files", "files_of"]

SKIPPED_FOLDERS = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".venv", ".pilotlight", ".mypy_cache", ".ruff_cache"}
)
"""Caches and version control."""
SKIPPED_SUFFIXES = (".swp", "~")
LOCK_LINK = ".#"
"""How the name of an editor's lock begins: a link to nowhere that says who edits."""


@dataclass(slots=True)
class Files:
    """What was found in a folder."""

    kept: dict[str, Path] = field(default_factory=dict)
    """By the path below the folder, with slashes."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why an entry is not kept, by its path."""


def files_of(folder: Path) -> Files:
    """Find the files of a folder, in order; links are followed, to folders once each."""
    found = Files()
    _walk(folder, "", found, (_identity(folder),))
    return found


def _walk(folder: Path, below: str, found: Files, above: tuple[tuple[int, int], ...]) -> None:
    """`above` are the folders that this one is in, by which a circle of links is known."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  names alone, those that are no text too
    except OSError as error:
        found.left_out[below or "."] = error.strerror or str(error)
        return
    for name in names:
        if not _is_noise(name):
            _take(folder / name, f"{below}{name}", found, above)


def _take(path: Path, name: str, found: Files, above: tuple[tuple[int, int], ...]) -> None:
    try:
        name.encode()
        mode = path.stat().st_mode
    except UnicodeEncodeError:
        found.left_out[repr(name)] = "its name is not UTF-8"
    except FileNotFoundError:
        if path.is_symlink():  # what is not there at all went while we looked
            found.left_out[name] = f"a link to {os.readlink(path)}, which is not there"  # noqa: PTH115  text, as it stands
    except OSError as error:
        found.left_out[name] = error.strerror or str(error)
    else:
        if stat.S_ISDIR(mode):
            _enter(path, name, found, above)
        elif not stat.S_ISREG(mode):
            found.left_out[name] = "neither a file nor a folder"
        elif not os.access(path, os.R_OK):
            found.left_out[name] = "it may not be read"
        else:
            found.kept[name] = path


def _enter(path: Path, name: str, found: Files, above: tuple[tuple[int, int], ...]) -> None:
    identity = _identity(path)
    if identity in above:
        found.left_out[name] = "a link to a folder that it is in"
    elif path.name not in SKIPPED_FOLDERS:
        _walk(path, f"{name}/", found, (*above, identity))


def _is_noise(name: str) -> bool:
    return name.endswith(SKIPPED_SUFFIXES) or name.startswith(LOCK_LINK)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
