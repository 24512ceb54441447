"""Deployment packages in a directory: one file each, named by the sha256 of its bytes.

A file appears under its name only when it is whole, on the disk and what it was announced as; a
write that was cut off leaves a partial file that `collect` sweeps up. A file with a suffix names
what was compiled of a package for the interpreter of that tag. `owners` has a folder for each
account, with an empty file for each package that it brought.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..errors import ArtifactMismatchError, NotFoundError, UnavailableError
from .interfaces import Artifact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

__all__ = ["DirectoryArtifacts"]

_CHUNK = 256 * 1024
_OWNERS = "owners"
_EVERYBODY = "*"
"""No namespace is called so."""
_PARTIAL = ".partial-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DirectoryArtifacts:
    """An `ArtifactStore` on the local disk."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._owners = directory / _OWNERS
        if not self._owners.exists():
            self._give_to_all()

    def _give_to_all(self) -> None:
        """Let everybody have what was kept before owners were noted."""
        present = [path.name for path in self._directory.iterdir()]
        (self._owners / _EVERYBODY).mkdir(parents=True)
        for name in filter(_SHA256.fullmatch, present):
            (self._owners / _EVERYBODY / name).touch(mode=0o600)

    async def put(self, sha256: str, content: AsyncIterator[bytes]) -> int:
        """Keep an artifact and give its size; raises ArtifactMismatchError, keeping nothing."""
        partial = self._directory / f"{_PARTIAL}{secrets.token_hex(8)}"
        try:
            came, size = await _spool(partial, content)
            if came != sha256:
                raise ArtifactMismatchError(
                    f"the artifact's bytes have sha256 {came}, {sha256} was announced"
                )
            # The name is safe to use from here on: it is a sha256, since it is equal to one.
            await asyncio.to_thread(_publish, partial, self._directory / sha256)
        except OSError as error:
            raise UnavailableError(f"cannot keep artifact {sha256}: {error}") from error
        finally:
            partial.unlink(missing_ok=True)
        return size

    async def size(self, sha256: str) -> int | None:
        """Return an artifact's size in bytes, or None where it is not there."""
        try:
            return self.path(sha256).stat().st_size
        except (NotFoundError, FileNotFoundError):
            return None

    def path(self, sha256: str) -> Path:
        """Say where an artifact is, or would be; raises NotFoundError where it is no sha256."""
        if not _SHA256.fullmatch(sha256):
            raise NotFoundError(f"{sha256!r} is no artifact: 64 hex digits are expected")
        return self._directory / sha256

    async def read(self, sha256: str) -> Artifact:
        """Begin to read an artifact; raises NotFoundError."""
        size = await self.size(sha256)
        if size is None:
            raise _missing(sha256)
        return Artifact(size, self._content(sha256))

    async def _content(self, sha256: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self.path(sha256).open, "rb")
        except FileNotFoundError as error:
            raise _missing(sha256) from error
        with file:
            os.utime(file.fileno())  # what was read is in use: `collect` goes by this time
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk

    async def note_owner(self, sha256: str, namespace: str) -> None:
        """Note that an account brought an artifact's bytes; raises NotFoundError."""
        if await self.size(sha256) is None:
            raise _missing(sha256)
        note = self._owners / namespace / sha256
        note.parent.mkdir(exist_ok=True)
        note.touch(mode=0o600)

    async def belongs(self, sha256: str, namespace: str) -> bool:
        """Whether an artifact is there, and an account brought its bytes."""
        owners = (self._owners / one / sha256 for one in (namespace, _EVERYBODY))
        return await self.size(sha256) is not None and any(note.exists() for note in owners)

    async def compiled(self, sha256: str, tag: str) -> str | None:
        """Name the artifact that stands for a package where an interpreter runs it."""
        try:
            return self._note(sha256, tag).read_text()
        except FileNotFoundError:
            return None

    async def note_compiled(self, sha256: str, tag: str, compiled: str) -> None:
        """Keep that name, and the artifact as long as the package; raises NotFoundError."""
        for one in (sha256, compiled):
            if await self.size(one) is None:
                raise _missing(one)
        partial = self._directory / f"{_PARTIAL}{secrets.token_hex(8)}"
        with _create(partial) as file:
            file.write(compiled.encode())
        _publish(partial, self._note(sha256, tag))

    def _note(self, sha256: str, tag: str) -> Path:
        return self.path(sha256).with_suffix(f".{tag}")

    async def incarnation(self) -> str:
        """Say nothing: a folder that is lost takes the process's other files with it."""
        return ""

    async def collect(self, referenced: Collection[str], *, unused_seconds: float) -> int:
        """Delete what nobody refers to and nobody wrote or read for that long; give how many."""
        before = time.time() - unused_seconds
        return await asyncio.to_thread(self._collect, frozenset(referenced), before)

    def _collect(self, referenced: frozenset[str], before: float) -> int:
        used = {
            path.name: path.stat().st_mtime for path in self._directory.iterdir() if path.is_file()
        }
        notes = [name for name in used if Path(name).suffix]
        kept = set(referenced)
        for note in notes:
            package, made = Path(note).stem, (self._directory / note).read_text()
            used[package] = max(used.get(package, 0.0), used.get(made, 0.0))
            kept |= {made} - {package}
        old = {name for name, at in used.items() if name not in kept and at <= before}
        old -= {note for note in notes if Path(note).stem not in old}
        for name in old:
            (self._directory / name).unlink(missing_ok=True)
            for owner in self._owners.glob(f"*/{name}"):
                owner.unlink(missing_ok=True)
        return sum(_SHA256.fullmatch(name) is not None for name in old)


def _missing(sha256: str) -> NotFoundError:
    return NotFoundError(f"there is no artifact {sha256}")


async def _spool(partial: Path, content: AsyncIterator[bytes]) -> tuple[str, int]:
    """Write content to a file and to the disk below it; give its sha256 and size."""
    digest = hashlib.sha256()
    with await asyncio.to_thread(_create, partial) as file:
        async for chunk in content:
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
        return digest.hexdigest(), file.tell()


def _create(path: Path) -> BinaryIO:
    """Make a file that is its owner's alone: packages hold code."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _publish(partial: Path, path: Path) -> None:
    """Give a whole file its name, durably."""
    partial.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
