"""Deployment packages: what a zip file must be before one byte of it is unpacked.

The limits are Lambda's (AWS Lambda Developer Guide, "Lambda quotas"); the rest is what hostile
archives try. `check` gives the verdict at the API's door; the agent asks `check_entries` and lets
`unpack` verify contents while it writes, which is the same verdict in one pass. What a directory
may cost in memory is bounded by `archive_directory`, before zipfile reads it.

Of entries for one place the last one counts. Symbolic links are kept, wherever they lead, and
nothing is ever written through one: they are made last, and no entry is below one.
"""

import io
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .archive_directory import NAMES_LIMIT, ArchiveError, check_directory

__all__ = [
    "PACKED_LIMIT",
    "UNPACKED_LIMIT",
    "ArchiveError",
    "EmptyArchiveError",
    "check",
    "check_entries",
    "is_link",
    "unpack",
    "unpacked_size",
]

PACKED_LIMIT = 52_428_800
UNPACKED_LIMIT = 262_144_000
_NAME_LIMIT = 255
_PATH_LIMIT = 1_024
_LINK_LIMIT = 4_095
_LOCAL_HEADER_SIZE = 30
_ENCRYPTED = 0x1
_CHUNK = 262_144
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class EmptyArchiveError(ArchiveError):
    """There is nothing in the package."""


def check(archive: Path | IO[bytes]) -> None:
    """Check everything about a package, contents included; ArchiveError if it is refused."""
    with _open(archive) as package:
        _check_entries(package)
        for entry, pieces in _contents(package):
            for piece in pieces:
                _check_link(entry, piece)


def check_entries(archive: Path | IO[bytes]) -> None:
    """Check all that can be told without unpacking; ArchiveError if the package is refused."""
    with _open(archive) as package:
        _check_entries(package)


def unpacked_size(archive: bytes) -> int:
    """Return the bytes of a checked package's files."""
    with _open(io.BytesIO(archive)) as package:
        return sum(entry.file_size for entry in package.infolist())


def is_link(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a symbolic link; its content is where it leads."""
    return _file_type(entry) == stat.S_IFLNK


def _file_type(entry: zipfile.ZipInfo) -> int:
    return stat.S_IFMT(entry.external_attr >> 16)


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
            is_folder = child.is_dir() and not child.is_symlink()
            shutil.rmtree(child) if is_folder else child.unlink()
        raise


def _open(archive: Path | IO[bytes]) -> zipfile.ZipFile:
    try:
        size = archive.stat().st_size if isinstance(archive, Path) else _size(archive)
        if size > PACKED_LIMIT:
            raise ArchiveError(f"the package has {size} bytes, at most {PACKED_LIMIT} are allowed")
        check_directory(archive)
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError) as error:
        raise ArchiveError(f"the package is not a readable zip file: {error}") from error


def _size(archive: IO[bytes]) -> int:
    size = archive.seek(0, os.SEEK_END)
    archive.seek(0)
    return size


def _check_entries(package: zipfile.ZipFile) -> None:
    entries = package.infolist()
    if not entries:
        raise EmptyArchiveError("Uploaded file must be a non-empty zip")
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
    kind = _file_type(entry)
    # A slash at the end makes a folder, whatever the mode is: in Maven's jars all its bits are set.
    if not entry.is_dir() and kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        raise ArchiveError(
            f"{name} is of file type {kind:#o}, a regular file, a folder or a link is expected"
        )
    if is_link(entry) and not 0 < entry.file_size <= _LINK_LIMIT:
        raise ArchiveError(
            f"{name} is a link to a path of {entry.file_size} bytes, 1 to {_LINK_LIMIT} are allowed"
        )


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


def _check_link(entry: zipfile.ZipInfo, leads_to: bytes) -> None:
    if is_link(entry) and b"\0" in leads_to:
        raise ArchiveError(f"{_shown(entry)} is a link to {leads_to!r}, which is no path")


def _check_places(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse files and links that are folders to others."""
    files: set[str] = set()
    folders: set[str] = set()
    size = 0
    for entry in entries:
        path = "/".join(_parts(entry))
        if not entry.is_dir():
            files.add(path)
            path = path.rpartition("/")[0]
        while path and path not in folders:  # what is above one that is known is known as well
            folders.add(path)
            size += len(path)
            if size > NAMES_LIMIT:
                raise ArchiveError(
                    f"the names of all folders have more than the {NAMES_LIMIT} bytes allowed"
                )
            path = path.rpartition("/")[0]
    for path in files & folders:
        raise ArchiveError(f"{path!r} is a file and a folder, one is expected")


def _check_overlap(entries: list[zipfile.ZipInfo], directory: int) -> None:
    """Refuse entries that share bytes, the way small archives unpack to huge ones."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [entry.header_offset for entry in ordered[1:]] + [directory]
    for entry, end in zip(ordered, ends, strict=False):
        size = _LOCAL_HEADER_SIZE + len(entry.orig_filename) + entry.compress_size
        if entry.header_offset + size > end:
            raise ArchiveError(f"{_shown(entry)} overlaps the next entry, none may overlap")


def _contents(package: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, Iterator[bytes]]]:
    """Read all files in pieces, counting; zipfile itself compares the checksums."""
    left = UNPACKED_LIMIT

    def counted(entry: zipfile.ZipInfo) -> Iterator[bytes]:
        nonlocal left
        for piece in _pieces(package, entry):
            left -= len(piece)
            if left < 0:
                raise ArchiveError(
                    f"{_shown(entry)} unpacks beyond the {UNPACKED_LIMIT} bytes that are allowed"
                )
            yield piece

    for entry in package.infolist():
        if not entry.is_dir():
            yield entry, counted(entry)


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
    links: dict[Path, bytes] = {}
    for entry, pieces in _contents(package):
        path = root.joinpath(*_parts(entry))
        if is_link(entry):
            links[path] = b"".join(pieces)
            _check_link(entry, links[path])
            continue
        links.pop(path, None)
        with _create(path, entry) as target:
            target.writelines(pieces)
    for path, leads_to in links.items():
        path.unlink(missing_ok=True)
        path.symlink_to(os.fsdecode(leads_to))


def _create(path: Path, entry: zipfile.ZipInfo) -> IO[bytes]:
    """Make a file; one that an earlier entry made goes."""
    path.unlink(missing_ok=True)
    mode = (entry.external_attr >> 16) & 0o777 | 0o644
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, mode | 0o755 if mode & 0o111 else mode)
    return os.fdopen(descriptor, "wb")


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    return tuple(part for part in entry.filename.split("/") if part not in {"", "."})


def _shown(entry: zipfile.ZipInfo) -> str:
    name = entry.orig_filename
    return repr(name if len(name) <= _NAME_LIMIT else name[:_NAME_LIMIT] + "…")
