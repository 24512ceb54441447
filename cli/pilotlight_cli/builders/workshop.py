"""Where builds happen and what they made is kept: below `~/.cache/pilotlight/builds`.

What was built is one archive, named by what it was built from (`key_of`); it is put in its place
whole, so that a build that is interrupted leaves nothing half done. Tools that remember by
themselves what they compiled have a folder for each project instead (`place_of`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..archive import archive_of, entries_of
from ..failures import Failure
from .tool import Tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..archive import Entry

__all__ = ["Workshop", "build_folder", "key_of"]

KEPT_SECONDS = 30 * 86_400
"""How long what nobody asked for is kept."""
ABANDONED_SECONDS = 86_400
"""How old a folder is whose build was killed."""
_FORMAT = "2"
"""Of what is kept; another one is built anew."""


def build_folder() -> Path:
    """Return where builds are kept, for all projects of this person."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches, "pilotlight", "builds")


def key_of(*parts: str | bytes) -> str:
    """Name what is built from some texts and contents."""
    digest = hashlib.sha256(_FORMAT.encode())
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


class Workshop:
    """Tools, and what they made before; `fresh` builds anew what is kept."""

    def __init__(self, folder: Path | None = None, *, fresh: bool = False) -> None:
        self.tools = Tools()
        self._folder = folder or build_folder()
        self._fresh = fresh
        self._known: dict[str, dict[str, Entry]] = {}

    def kept(
        self, key: str | None, make: Callable[[Path], Mapping[str, Entry]]
    ) -> Mapping[str, Entry]:
        """Return what was made under a key, or have it made in a folder that goes afterwards.

        What has no key is made each time.
        """
        if key is None:
            return self._make(None, make)
        if key not in self._known:
            self._known[key] = self._read(key) or self._make(key, make)
        return self._known[key]

    @contextlib.contextmanager
    def place_of(self, project: Path, what: str) -> Iterator[Path]:
        """Lend a project's own folder, to one build at a time."""
        place = _made(self._folder / "projects" / key_of(str(project), what)[:16])
        with Path(place, ".lock").open("w", encoding="utf-8") as lock:
            _lock(lock)
            os.utime(place)
            yield place

    def _read(self, key: str) -> dict[str, Entry] | None:
        file = self._folder / f"{key}.zip"
        if self._fresh:
            return None
        try:
            entries = entries_of(file.read_bytes())
            os.utime(file)
        except (OSError, ValueError):
            return None  # made anew, as what is broken is
        return entries

    def _make(
        self, key: str | None, make: Callable[[Path], Mapping[str, Entry]]
    ) -> dict[str, Entry]:
        folder = _made(self._folder)
        self._forget_old()
        try:
            with tempfile.TemporaryDirectory(prefix="build-", dir=folder) as aside:
                work = Path(aside, "work")
                work.mkdir()
                entries = dict(sorted(make(work).items()))
                if key is not None:
                    made = Path(aside, "made.zip")
                    made.write_bytes(archive_of(entries.values()))
                    made.replace(folder / f"{key}.zip")
        except OSError as error:
            raise Failure(f"{error.filename or folder}: {error.strerror}") from error
        return entries

    def _forget_old(self) -> None:
        """Drop what nobody asked for in a month, and what a killed build left."""
        kept, abandoned = time.time() - KEPT_SECONDS, time.time() - ABANDONED_SECONDS
        for pattern, since in (("*.zip", kept), ("projects/*", kept), ("build-*", abandoned)):
            for old in self._folder.glob(pattern):
                with contextlib.suppress(OSError):  # another command drops it as well
                    if old.stat().st_mtime < since:
                        shutil.rmtree(old) if old.is_dir() else old.unlink()


def _lock(file: IO[str]) -> None:
    """Wait until nobody else has a file; where there is no such lock, be alone."""
    with contextlib.suppress(ImportError):
        import fcntl  # noqa: PLC0415  there is none on Windows

        fcntl.flock(file, fcntl.LOCK_EX)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"{folder}: builds are kept there: {error.strerror}; XDG_CACHE_HOME names another place"
        ) from error
    return folder
