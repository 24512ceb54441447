"""The state folder of a local platform: whose it is, and which format it has.

One process holds it at a time, by a lock that the kernel gives back however that process ends.
What is in the folder is written by `pilotlight.storage`'s embedded half.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from pilotlight.errors import StateInUseError, StateVersionError

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path
    from types import TracebackType

__all__ = ["FORMAT", "StateFolder"]

PRIVATE = 0o700
"""The folder holds code, variables and Secrets: it is its owner's alone."""
KEY_BYTES = 32
FORMAT = 1
"""The format that this Pilotlight writes; raised by every change that an older one cannot read."""


class StateFolder:
    """A folder that this process holds until it closes it.

    Raises StateInUseError where another process has it, StateVersionError where a newer
    Pilotlight wrote it; the folder is as it was then.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        path.chmod(PRIVATE)  # one of an earlier Pilotlight was everybody's to read
        self.path = path
        self._lock = self._take()
        try:
            self._check_format()
        except BaseException:
            self.close()
            raise

    @property
    def resources(self) -> Path:
        """The database of resources."""
        return self.path / "resources.sqlite"

    @property
    def logs(self) -> Path:
        """The database of log lines."""
        return self.path / "logs.sqlite"

    @property
    def artifacts(self) -> Path:
        """The directory of deployment packages."""
        return self.path / "artifacts"

    def platform_key(self) -> bytes:
        """Return the key of this installation, made at the first time; variables outlive a run."""
        file = self.path / "platform-key"
        file.touch(mode=0o600)
        key = file.read_bytes()
        if len(key) != KEY_BYTES:  # none yet, or not written whole
            key = secrets.token_bytes(KEY_BYTES)
            file.write_bytes(key)
        return key

    def close(self) -> None:
        """Let others have the folder."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self) -> TextIOWrapper:
        file = os.fdopen(
            _private(str(self.path / "lock"), os.O_CREAT | os.O_APPEND | os.O_WRONLY), "a"
        )
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise StateInUseError(
                f"another process uses the state folder {self.path}; "
                "stop it or give another folder with --state"
            ) from error
        return file

    def _check_format(self) -> None:
        file = self.path / "format"
        written = FORMAT
        with suppress(FileNotFoundError):
            written = _read_format(file)
        if written > FORMAT:
            raise StateVersionError(
                f"the state folder {self.path} has format {written}, written by a newer "
                f"Pilotlight; this one reads formats up to {FORMAT}"
            )
        _write_format(file)


def _private(path: str, flags: int) -> int:
    """Open a file for its owner alone (`open`'s opener)."""
    return os.open(path, flags, 0o600)


def _read_format(file: Path) -> int:
    text = file.read_text(encoding="ascii").strip()
    if not text.isdigit():
        raise StateVersionError(f"{file} says {text!r}, a number is expected")
    return int(text)


def _write_format(file: Path) -> None:
    whole = file.with_name("format.new")
    with open(whole, "w", encoding="ascii", opener=_private) as writing:
        writing.write(f"{FORMAT}\n")
    whole.replace(file)
