"""Deployment packages: what a zip file must be before one byte of it is unpacked.

The limits are Lambda's (AWS Lambda Developer Guide, "Lambda quotas"); the rest is what hostile
archives try. `check` gives the verdict at the API's door; the agent asks `check_entries` and lets
`unpack` verify contents while it writes, which is the same verdict in one pass.
"""

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PACKED_LIMIT = 52_428_800
UNPACKED_LIMIT = 262_144_000
ENTRY_LIMIT = 100_000
_NAME_LIMIT = 255
_PATH_LIMIT = 1_024
_LOCAL_HEADER_SIZE = 30
_ENCRYPTED = 0x1
_CHUNK = 262_144
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class ArchiveError(Exception):
    """The package is refused; the message names the entry, what came and what was expected."""


def check(archive: Path | IO[bytes]) -> None:
    """Check everything about a package, contents included; ArchiveError if it is refused."""
    with _open(archive) as package:
        _check_entries(package)
        for _ in _contents(package):
            pass


def check_entries(archive: Path | IO[bytes]) -> None:
    """Check all that can be told without unpacking; ArchiveError if the package is refused."""
    with _open(archive) as package:
        _check_entries(package)


def unpack(archive: Path | IO[bytes], root: Path) -> None:
    """Write a checked package below `root`, verifying sizes and checksums on the way.

    Files get at least mode 0644, 0755 if any execute bit is set. On ArchiveError nothing of the
    package is left.
    """
    root.mkdir(parents=True, exist_ok=True)
    try:
        with _open(archive) as package:
            _write(package, root)
    except BaseException:
        for child in root.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        raise


def _open(archive: Path | IO[bytes]) -> zipfile.ZipFile:
    try:
        size = archive.stat().st_size if isinstance(archive, Path) else _size(archive)
        if size > PACKED_LIMIT:
            raise ArchiveError(f"the package has {size} bytes, at most {PACKED_LIMIT} are allowed")
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise ArchiveError(f"the package is not a readable zip file: {error}") from error


def _size(archive: IO[bytes]) -> int:
    size = archive.seek(0, os.SEEK_END)
    archive.seek(0)
    return size


def _check_entries(package: zipfile.ZipFile) -> None:
    entries = package.infolist()
    if len(entries) >= ENTRY_LIMIT:
        raise ArchiveError(f"{len(entries)} entries came, fewer than {ENTRY_LIMIT} are allowed")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > UNPACKED_LIMIT:
        raise ArchiveError(
            f"the entries unpack to {unpacked} bytes, at most {UNPACKED_LIMIT} are allowed"
        )
    for entry in entries:
        _check_kind(entry)
        _check_name(entry)
    _check_places(entries)
    _check_overlap(entries, package.start_dir)


def _check_kind(entry: zipfile.ZipInfo) -> None:
    name = _shown(entry)
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{name} is encrypted, plain entries are expected")
    if entry.compress_type not in _METHODS:
        raise ArchiveError(
            f"{name} uses compression method {entry.compress_type}, stored (0) or deflate (8) "
            "is expected"
        )
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        came = "a symbolic link" if kind == stat.S_IFLNK else f"of file type {kind:#o}"
        raise ArchiveError(f"{name} is {came}, a regular file or folder is expected")


def _check_name(entry: zipfile.ZipInfo) -> None:
    name, shown = entry.filename, _shown(entry)
    if "\0" in entry.orig_filename or any("\ud800" <= c <= "\udfff" for c in name):
        raise ArchiveError(f"{shown} has an unusable character in its name")
    if name.startswith("/"):
        raise ArchiveError(f"{shown} is an absolute path, a relative one is expected")
    parts = name.split("/")
    if ".." in parts:
        raise ArchiveError(f"{shown} leads upwards, a path below the root is expected")
    if not name or (not _parts(entry) and not entry.is_dir()):
        raise ArchiveError(f"{shown} names no file")
    longest = max(len(part.encode()) for part in parts)
    if longest > _NAME_LIMIT or len(name.encode()) > _PATH_LIMIT:
        raise ArchiveError(
            f"{shown} is too long: at most {_NAME_LIMIT} bytes a name and {_PATH_LIMIT} a path"
        )


def _check_places(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse two entries for one place, and files that are folders to others."""
    files: set[tuple[str, ...]] = set()
    folders: set[tuple[str, ...]] = set()
    for entry in entries:
        parts = _parts(entry)
        if not entry.is_dir():
            if parts in files:
                raise ArchiveError(f"{_shown(entry)} comes twice, once is expected")
            files.add(parts)
        folders.update(parts[:depth] for depth in range(1, len(parts) + entry.is_dir()))
    for parts in files & folders:
        raise ArchiveError(f"{'/'.join(parts)!r} is a file and a folder, one is expected")


def _check_overlap(entries: list[zipfile.ZipInfo], directory: int) -> None:
    """Refuse entries that share bytes, the way small archives unpack to huge ones."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [entry.header_offset for entry in ordered[1:]] + [directory]
    for entry, end in zip(ordered, ends, strict=False):
        size = _LOCAL_HEADER_SIZE + len(entry.orig_filename) + entry.compress_size
        if entry.header_offset + size > end:
            raise ArchiveError(f"{_shown(entry)} overlaps the next entry, none may overlap")


def _contents(package: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    """Read all files in pieces, counting; zipfile itself compares the checksums."""
    left = UNPACKED_LIMIT
    for entry in package.infolist():
        if entry.is_dir():
            continue
        for piece in _pieces(package, entry):
            left -= len(piece)
            if left < 0:
                raise ArchiveError(
                    f"{_shown(entry)} unpacks beyond the {UNPACKED_LIMIT} bytes that are allowed"
                )
            yield entry, piece


def _pieces(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Read one file; what zipfile says about a broken one is worded for the package's owner."""
    try:
        with package.open(entry) as source:
            yield b""  # an empty file is written too
            while piece := source.read(_CHUNK):
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise ArchiveError(f"{_shown(entry)} cannot be unpacked: {error}") from error


def _write(package: zipfile.ZipFile, root: Path) -> None:
    for entry in package.infolist():
        parts = _parts(entry)
        folder = root.joinpath(*(parts if entry.is_dir() else parts[:-1]))
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    target: IO[bytes] | None = None
    current: zipfile.ZipInfo | None = None
    try:
        for entry, piece in _contents(package):
            if entry is not current or target is None:
                if target is not None:
                    target.close()
                target, current = _create(root, entry), entry
            target.write(piece)
    finally:
        if target is not None:
            target.close()


def _create(root: Path, entry: zipfile.ZipInfo) -> IO[bytes]:
    path = root.joinpath(*_parts(entry))
    mode = (entry.external_attr >> 16) & 0o777 | 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, mode | 0o755 if mode & 0o111 else mode)
    return os.fdopen(descriptor, "wb")


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    return tuple(part for part in entry.filename.split("/") if part not in {"", "."})


def _shown(entry: zipfile.ZipInfo) -> str:
    name = entry.orig_filename
    return repr(name if len(name) <= _NAME_LIMIT else name[:_NAME_LIMIT] + "…")
