"""Which tools for containers this machine has, and which of them has an image.

Docker's images and those of podman and buildah are kept apart: whoever has an image runs it, and
the first that works fetches what nobody has. What works is asked for when there is an image to run,
since a daemon may be started after the platform.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, NamedTuple

from .buildah import Buildah
from .docker import Docker, Podman
from .engine import EngineError, ImageMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .engine import Engine, LocalImage

__all__ = ["ENGINES", "Engines", "Held", "NoEngineError"]

ENGINES: tuple[Engine, ...] = (Podman(), Docker(), Buildah())
"""In the order in which they are asked."""
LOCAL = "localhost/"
"""Names of images that no registry has begin with it."""
ADVICE = (
    "one of them is expected: install podman (https://podman.io/docs/installation; on Debian and "
    "Ubuntu: sudo apt-get install podman) or start Docker's daemon"
)


class NoEngineError(Exception):
    """Nothing here runs images; the text says of each tool why, and how to get one."""


class Held(NamedTuple):
    """An image, and who has it."""

    engine: Engine
    image: LocalImage


class Engines:
    """The tools that work here; `only` names one that is to be used."""

    def __init__(self, tell: Callable[[str], None], only: str = "") -> None:
        self._tell = tell
        self._candidates = [one for one in ENGINES if only in {"", one.name}]
        self._working: list[Engine] = []
        self._checking = asyncio.Lock()
        self._told = ""

    async def find(self, reference: str) -> Held | None:
        """Return an image that is here; raises NoEngineError."""
        for engine in await self._work():
            image = await engine.find(reference)
            if image is not None:
                return Held(engine, image)
        return None

    async def pull(self, reference: str) -> Held:
        """Fetch an image that nobody has; raises EngineError and NoEngineError."""
        working = await self._work(again=True)  # who has ended since has nothing, either
        if reference.startswith(LOCAL):
            names = ", ".join(one.name for one in working)
            raise ImageMissingError(
                f"no registry has it, and none of this machine's tools: {names}"
            )
        self._tell(f"{working[0].name} pulls {reference}")
        await working[0].pull(reference)
        image = await working[0].find(reference)
        if image is None:
            raise EngineError(f"{working[0].name} pulled {reference}, and has it not")
        return Held(working[0], image)

    async def _work(self, *, again: bool = False) -> Sequence[Engine]:
        """Return those that work, asked again as long as none does; raises NoEngineError."""
        async with self._checking:
            if again or not self._working:
                problems = await asyncio.gather(*map(_problem, self._candidates))
                self._working = [
                    engine
                    for engine, problem in zip(self._candidates, problems, strict=True)
                    if not problem
                ]
                self._say(problems)
        return self._working

    def _say(self, problems: Sequence[str]) -> None:
        """Say once who works; raises NoEngineError where nobody does."""
        if not self._working:
            said = "; ".join(
                f"{engine.name}: {problem}"
                for engine, problem in zip(self._candidates, problems, strict=True)
            )
            raise NoEngineError(f"nothing here runs container images ({said}); {ADVICE}")
        names = " or ".join(engine.name for engine in self._working)
        if names != self._told:
            self._tell(f"container images run with {names}")
            self._told = names


async def _problem(engine: Engine) -> str:
    """Return why a tool does not work; empty where it does."""
    if shutil.which(engine.name) is None:
        return "not installed"
    try:
        await engine.check()
    except EngineError as error:
        return str(error)
    return ""
