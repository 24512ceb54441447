"""What local mode asks of a tool for containers, and how such a tool is asked: by its commands."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "CHECKING_SECONDS",
    "USER",
    "Container",
    "Engine",
    "EngineError",
    "ImageMissingError",
    "LocalImage",
    "Mount",
    "ask",
    "complained",
    "understood",
]

USER = "993:990"
"""Whom functions run as: the ids that Lambda's user has, and nobody's here."""
ASKING_SECONDS = 60.0
CHECKING_SECONDS = 10.0
"""For how it stands with a tool: a daemon may be far away, or hang."""


class EngineError(Exception):
    """A tool did not do what it was asked for; the text is the last that it said of it."""


class ImageMissingError(EngineError):
    """An image is nowhere."""


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that a tool has on this machine."""

    identity: str
    """By which the tool finds it whatever becomes of its names."""
    digest: str
    """What a registry calls it; the identity of one that was in none."""
    document: Mapping[str, Any]
    """`architecture` and `config`, as an image's configuration has them (OCI Image Format)."""


class Mount(NamedTuple):
    """What a container sees of this machine."""

    source: Path
    target: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class Container:
    """What is to run of an image."""

    name: str
    image: str
    """Its identity."""
    mounts: Sequence[Mount]
    storage: int
    """MB of /tmp."""
    variables: Mapping[str, str]
    """Over the image's own."""
    command: Sequence[str]


class Engine(Protocol):
    """A tool that has images and runs them."""

    name: str
    """Of its command, too."""

    async def check(self) -> None:
        """Raise EngineError where it can run nothing."""

    async def find(self, reference: str) -> LocalImage | None:
        """Return an image that it has, by its name or its name and digest."""

    async def pull(self, reference: str) -> None:
        """Fetch an image; raises EngineError. However long that takes."""

    async def prepare(self, container: Container) -> Sequence[str]:
        """Return the command that runs a container until it ends, whose input is the container's.

        Raises EngineError.
        """

    async def remove(self, name: str) -> None:
        """Leave nothing of a container that has ended or has not, if there is one."""


async def ask(*command: str, seconds: float | None = ASKING_SECONDS) -> bytes:
    """Return what a command prints; raises EngineError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is ours to act on
        )
    except OSError as error:
        raise EngineError(f"{command[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(seconds):
            said, complaint = await process.communicate()
    except TimeoutError as error:
        raise EngineError(f"{' '.join(command[:3])}: no answer in {seconds:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise EngineError(complained(complaint) or f"it ended with status {process.returncode}")
    return said


@contextmanager
def understood(name: str) -> Iterator[None]:
    """Raise EngineError where what a tool said of an image is not what such tools say."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EngineError(f"{name} says of an image what cannot be read: {error!r}") from error


def complained(text: bytes) -> str:
    """Return what a tool says of its failure: its last line that says something."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("Error: ") if lines else ""
