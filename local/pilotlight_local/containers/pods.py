"""Pods of functions that are container images: the agent in a container, as on a cluster.

A file in a pod's folder says who runs the container, so that the next platform can remove what one
that was killed might have left.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.errors import StartFailedError
from pilotlight_operator.manifests.image import FOLDER, INTERPRETER
from pilotlight_wire.protocol import LOADER_VARIABLES

from .engine import Container, EngineError, Mount
from .engines import ENGINES, NoEngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pilotlight.compute import PodRequest

    from .agent_bundle import AgentBundle
    from .engine import Engine
    from .engines import Engines, Held

__all__ = ["ContainerPods", "RunningContainer", "left_behind"]

MARK = "engine"
"""The file that names who runs a pod's container."""


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container that runs, or is about to."""

    engine: Engine
    name: str

    async def remove(self) -> None:
        """Leave nothing of it."""
        await self.engine.remove(self.name)


class ContainerPods:
    """Makes what agents in images run in."""

    def __init__(self, engines: Engines, bundle: AgentBundle, environments_per_pod: int) -> None:
        self._engines = engines
        self._bundle = bundle
        self._environments_per_pod = environments_per_pod

    async def find(self, reference: str) -> Held:
        """Find an image, or fetch one that was deleted since it was pinned.

        Raises StartFailedError.
        """
        try:
            return await self._engines.find(reference) or await self._engines.pull(reference)
        except (EngineError, NoEngineError) as error:
            raise _does_not_start(reference, error) from error

    def begin(self, folder: Path, held: Held) -> RunningContainer:
        """Make a pod's folder and write down who runs its container, before there is one."""
        folder.mkdir(parents=True)
        (folder / MARK).write_text(held.engine.name)
        return RunningContainer(held.engine, _name(folder))

    async def prepare(
        self, container: RunningContainer, request: PodRequest, held: Held, options: Sequence[str]
    ) -> Sequence[str]:
        """Return the command that runs an agent with options in a container.

        Raises StartFailedError.
        """
        wanted = Container(
            name=container.name, image=held.image.identity,
            mounts=_mounts(await self._bundle.find(), request),
            storage=request.ephemeral_storage * self._environments_per_pod,
            variables=LOADER_VARIABLES,
            command=[*INTERPRETER, "-m", "pilotlight_agent", *_places(), *options],
        )  # fmt: skip
        try:
            return await held.engine.prepare(wanted)
        except EngineError as error:
            raise _does_not_start(request.image, error) from error


def left_behind(pods: Path) -> list[RunningContainer]:
    """Return the containers that may be there still of pods whose folders are."""
    engines = {engine.name: engine for engine in ENGINES}
    return [
        RunningContainer(engines[mark.read_text()], _name(mark.parent))
        for mark in pods.glob(f"*/{MARK}")
        if mark.read_text() in engines
    ]


def _does_not_start(reference: str, error: Exception) -> StartFailedError:
    return StartFailedError(f"image {reference} does not start: {error}", reason="InternalError")


def _mounts(bundle: Path, request: PodRequest) -> list[Mount]:
    """Return the agent, nothing in place of what would change it, and the function's folders."""
    return [
        Mount(bundle, FOLDER),
        Mount(bundle / "nothing", "/etc/ld.so.preload"),
        *(Mount(Path(one.path), one.path, one.read_only) for one in request.file_systems),
        *(Mount(Path(one.path), one.path) for one in request.secret_files),
    ]


def _name(folder: Path) -> str:
    """Return what the container of a pod is called; no two pods of a machine have one name."""
    return f"pilotlight-{folder.name}"


def _places() -> list[str]:
    """Return where things are in an image, as on a cluster."""
    return [
        *("--task-root", "/var/task", "--temporary", "/tmp"),  # noqa: S108  Lambda's own path
        *("--layers-root", "/opt", "--interpreter", f"{FOLDER}/bin/python3"),
    ]
