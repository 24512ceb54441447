"""Buildah with its isolation `chroot`: where nothing else runs containers, as in one.

An image's files are the root of what is started, which otherwise is a process like any other of
this machine. The agent ends with its input, and all that it started with it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from .engine import CHECKING_SECONDS, USER, EngineError, LocalImage, ask, understood

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .engine import Container

__all__ = ["Buildah"]


class Buildah:
    """Has images where podman has them."""

    name = "buildah"

    async def check(self) -> None:
        """Ask how it stands with it, its files included."""
        await ask(self.name, "info", seconds=CHECKING_SECONDS)

    async def find(self, reference: str) -> LocalImage | None:
        """Return an image that is here, also one that lost its name, by its digest."""
        try:
            said = await ask(self.name, "inspect", "--type", "image", reference)
        except EngineError:
            return None
        with understood(self.name):
            found = json.loads(said)
            return LocalImage(found["FromImageID"], found["FromImageDigest"], found["OCIv1"])

    async def pull(self, reference: str) -> None:
        """Fetch an image for this machine."""
        await ask(self.name, "pull", "--quiet", reference, seconds=None)

    async def prepare(self, container: Container) -> Sequence[str]:
        """Make the files to run in, and return how that is done."""
        await ask(self.name, "from", "--pull=never", "--name", container.name, container.image)
        return [
            *(self.name, "run", "--isolation", "chroot", "--network", "host", "--user", USER),
            *_mounts(container),
            *(f"--env={name}={value}" for name, value in container.variables.items()),
            *(container.name, "--", *container.command),
        ]

    async def remove(self, name: str) -> None:
        """Forget the files; what ran in them has ended with its input."""
        with suppress(EngineError):
            await ask(self.name, "rm", name)


def _mounts(container: Container) -> Iterator[str]:
    yield f"--mount=type=tmpfs,destination=/tmp,tmpfs-mode=1777,tmpfs-size={container.storage}m"
    for source, target, read_only in container.mounts:
        way = "ro" if read_only else "rw"
        yield f"--mount=type=bind,source={source},destination={target},{way}"
