"""Deployment packages from a folder or a file: the same files, the same bytes, the same sha256.

`deploy` sends them through the Lambda API, `manifests` to the artifact store; an unchanged hash
means that there is nothing to do. `dev` keeps its `Packages`, so that a save costs what it changed.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .archive import Entry, archive_of, entry_of
from .failures import USAGE, Failure
from .files import File, Files, Identity, files_of, identity_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["ARCHIVES", "Built", "Package", "Packages", "package_of"]

ARCHIVES = {".zip", ".jar"}
"""What a file is called that is a package already."""

SETTLED_NANOSECONDS = 50_000_000
"""How old a file must be to be known by its time: a clock's tick may hide a second change."""


@dataclass(frozen=True, slots=True)
class Package:
    """A zip and its address."""

    content: bytes = field(repr=False)
    left_out: dict[str, str] = field(default_factory=dict, compare=False)
    """Why an entry of the folder is not in it, by its path there."""
    linked: frozenset[Path] = field(default_factory=frozenset, compare=False)
    """Files and folders that links lead to; what they hold is in it."""

    @property
    def sha256(self) -> str:
        """The sha256 of the bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Built:
    """What a tool made of a folder (`builders`)."""

    entries: Mapping[str, Entry]
    """Files of the package, by their names there."""
    left_out: frozenset[str] = frozenset()
    """Paths of the folder that these stand for: they are not packed beside them."""
    whole: bool = False
    """Whether they are all that the package has: a program without its sources."""

    def package(self) -> Package:
        """Pack the entries alone."""
        return Package(archive_of(entry for _, entry in sorted(self.entries.items())))


class _Kept(NamedTuple):
    signature: tuple[int, ...]
    entry: Entry


class Packages:
    """Packages of folders, whose compressed files are kept from one time to the next."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, _Kept]] = {}

    def package_of(
        self, source: Path, *, without: Collection[Path] = (), built: Built | None = None
    ) -> Package:
        """Zip a folder's files or one file; a `.zip` or a `.jar` is taken as it is.

        Caches, version control and the files `without` stay out; what cannot be zipped is named in
        the package. The folder's files are laid over what was built of it. Raises Failure where
        there is nothing to zip.
        """
        if not source.exists():
            raise Failure(f"{source}: no such file or folder", USAGE)
        if source.is_dir():
            kept_out = {identity_of(path.stat()) for path in without if path.exists()}
            return self._package_of_folder(source.resolve(), kept_out, built)
        content = _read(source)
        if content is None:
            raise Failure(f"{source}: it went while it was read", USAGE)
        if source.suffix in ARCHIVES:
            return Package(content)
        mode = source.stat().st_mode
        return Package(archive_of([_compressed(source.name, content, mode)]))

    def _package_of_folder(
        self, folder: Path, without: Collection[Identity], built: Built | None
    ) -> Package:
        found = files_of(folder, without=built.left_out if built else ())
        kept = self._compress(folder, found, without)
        entries = {**(built.entries if built else {}), **kept}
        if not entries:
            raise Failure(f"{folder}: the folder holds no file to deploy", USAGE)
        content = archive_of(entry for _, entry in sorted(entries.items()))
        return Package(content, found.left_out, frozenset(map(Path, found.linked)))

    def _compress(
        self, folder: Path, found: Files, without: Collection[Identity]
    ) -> dict[str, Entry]:
        """Compress what is new or differs."""
        before = self._folders.get(folder, {})
        kept: dict[str, _Kept] = {}
        for name, file in found.kept.items():
            if identity_of(file.status) in without:
                continue
            one = before.get(name)
            if one is None or one.signature != _signature(file):
                one = _keep(name, file)
            if one is not None:
                kept[name] = one
        self._folders[folder] = kept
        return {name: one.entry for name, one in kept.items()}


def package_of(source: Path, *, without: Collection[Path] = ()) -> Package:
    """Zip a folder or a file once (`Packages.package_of`)."""
    return Packages().package_of(source, without=without)


def _keep(name: str, file: File) -> _Kept | None:
    """Compress a file; None where it went since it was found, as editors' files do."""
    settled = time.time_ns() - file.status.st_mtime_ns > SETTLED_NANOSECONDS
    content = _read(Path(file.path))
    if content is None:
        return None
    signature = _signature(file) if settled else ()  # which no file has: it is read once more
    return _Kept(signature, _compressed(name, content, file.status.st_mode))


def _signature(file: File) -> tuple[int, ...]:
    status = file.status
    return (
        *identity_of(status), status.st_size, status.st_mtime_ns, status.st_ctime_ns,
    )  # fmt: skip


def _compressed(name: str, content: bytes, mode: int) -> Entry:
    try:
        return entry_of(name, content, 0o755 if mode & 0o111 else 0o644)
    except ValueError as error:
        raise Failure(str(error), USAGE) from error


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", USAGE) from error
