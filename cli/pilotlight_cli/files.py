"""The files of a folder that somebody works in: what belongs to a package, and what does not.

People's folders hold more than code: editors' locks, sockets, links to nowhere and in circles. An
entry that cannot be read as a file is left out and named (`Files.left_out`), never an end of the
platform; `package` and `manifests` read what is left.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["SKIPPED_FOLDERS", "File", "Files", "Identity", "files_of", "identity_of"]

SKIPPED_FOLDERS = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".venv", ".pilotlight", ".mypy_cache", ".ruff_cache"}
)
"""Caches and version control."""
SKIPPED_SUFFIXES = (".swp", "~")
LOCK_LINK = ".#"
"""How the name of an editor's lock begins: a link to nowhere that says who edits."""


Identity = tuple[int, int]
"""Of a file or folder, whatever it is called: its device and its number there."""
_EVERYBODY_READS = 0o444


class File(NamedTuple):
    """A file that was found; of a link, what it leads to."""

    path: str
    status: os.stat_result


@dataclass(slots=True)
class Files:
    """What was found in a folder."""

    kept: dict[str, File] = field(default_factory=dict)
    """By the path below the folder, with slashes."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why an entry is not kept, by its path."""
    linked: set[str] = field(default_factory=set)
    """Paths of the files and folders that links lead to."""
    without: Collection[str] = ()
    """Paths below the folder that were not looked at."""
    skipped: Collection[str] = ()
    """Names of folders that were not, beside those that never are."""


def files_of(
    folder: Path, *, without: Collection[str] = (), skipped: Collection[str] = ()
) -> Files:
    """Find the files of a folder, in order; links are followed, to folders once each."""
    found = Files(without=without, skipped=skipped)
    _walk(str(folder), "", found, (identity_of(folder.stat()),))
    return found


def identity_of(status: os.stat_result) -> Identity:
    """Return what tells a file from all others."""
    return status.st_dev, status.st_ino


def _walk(folder: str, below: str, found: Files, above: tuple[Identity, ...]) -> None:
    """`above` are the folders that this one is in, by which a circle of links is known."""
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        found.left_out[below or "."] = error.strerror or str(error)
        return
    for entry in entries:
        name = f"{below}{entry.name}"
        if not _is_noise(entry.name) and name not in found.without:
            _take(entry, name, found, above)


def _take(entry: os.DirEntry[str], name: str, found: Files, above: tuple[Identity, ...]) -> None:
    try:
        name.encode()
        status = entry.stat()
    except UnicodeEncodeError:
        found.left_out[repr(name)] = "its name is not UTF-8"
    except FileNotFoundError:
        if entry.is_symlink():  # what is not there at all went while we looked
            found.left_out[name] = f"a link to {os.readlink(entry.path)}, which is not there"  # noqa: PTH115  text, as it stands
    except OSError as error:
        found.left_out[name] = error.strerror or str(error)
    else:
        if entry.is_symlink():
            found.linked.add(os.path.realpath(entry.path))
        _sort_in(entry, name, status, found, above)


def _sort_in(
    entry: os.DirEntry[str],
    name: str,
    status: os.stat_result,
    found: Files,
    above: tuple[Identity, ...],
) -> None:
    """Keep a file, enter a folder, and leave the rest out."""
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        _enter(entry, name, identity_of(status), found, above)
    elif not stat.S_ISREG(mode):
        found.left_out[name] = "neither a file nor a folder"
    # Asked of the system only where the mode leaves a doubt: a question takes as long as all else.
    elif mode & _EVERYBODY_READS != _EVERYBODY_READS and not os.access(entry.path, os.R_OK):
        found.left_out[name] = "it may not be read"
    else:
        found.kept[name] = File(entry.path, status)


def _enter(
    entry: os.DirEntry[str],
    name: str,
    identity: Identity,
    found: Files,
    above: tuple[Identity, ...],
) -> None:
    if identity in above:
        found.left_out[name] = "a link to a folder that it is in"
    elif entry.name not in SKIPPED_FOLDERS and entry.name not in found.skipped:
        _walk(entry.path, f"{name}/", found, (*above, identity))


def _is_noise(name: str) -> bool:
    return name.endswith(SKIPPED_SUFFIXES) or name.startswith(LOCK_LINK)
