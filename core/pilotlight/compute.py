"""Where pods come from: subprocesses of this machine, or Kubernetes.

A third implementation is the simulator. The autoscaler asks for pods through this interface and
never learns which one stands behind it. A pod is generic when it starts and is specialised later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .claims import Demand, RevisionKey
    from .resources import Mount, Network, SecretFiles

__all__ = ["GENERIC_MEMORY", "GENERIC_STORAGE", "Compute", "Found", "Pod", "PodRequest"]


GENERIC_MEMORY = 1769
"""Megabytes of the size class that generic pods have; larger functions get pods of their own."""
GENERIC_STORAGE = 512
"""Megabytes of /tmp in a generic pod."""


@dataclass(frozen=True, slots=True)
class PodRequest:
    """What a pod must be able to run; generic where it names no revision."""

    namespace: str
    runtime: str
    memory: int
    """Megabytes of all environments that it may hold."""
    ephemeral_storage: int
    """Megabytes of /tmp."""
    expected_memory: int = 0
    """Megabytes that who gets a generic pod probably has, to prepare for; 0: nobody knows."""
    revision: RevisionKey | None = None
    function_uid: str = ""
    image: str = ""
    """The function's container image, which no generic pod has; empty where it has code."""
    file_systems: tuple[Mount, ...] = field(default=(), hash=False)
    """What is mounted below /mnt."""
    secret_files: tuple[SecretFiles, ...] = field(default=(), hash=False)
    """And which Secrets are."""
    network: Network | None = field(default=None, hash=False)
    """What it may reach, if not what all functions may."""

    @property
    def fits_generic(self) -> bool:
        """Whether a generic pod of the runtime can serve it."""
        small = self.memory <= GENERIC_MEMORY and self.ephemeral_storage == GENERIC_STORAGE
        mounts = self.file_systems or self.secret_files
        return small and not self.image and not mounts and self.network is None


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod whose agent answers."""

    name: str
    """`namespace/name`."""
    host: str
    """In local mode the path of a socket, which its agent listens on beside the port."""
    port: int
    node: str = ""
    """Where it runs."""


@dataclass(frozen=True, slots=True)
class Found:
    """A pod that is there, by what is written down of it; its agent knows better."""

    name: str
    runtime: str
    revision: RevisionKey | None
    """Whose it is, or is made for; None for a generic one."""
    pod: Pod | None
    """None while it is being made."""
    recipe: str = ""
    """How it was made (`RuntimeSpec.recipe`)."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """That nothing has room for a pod which starts."""

    namespace: str
    """Whose it is."""
    in_quota: bool = False
    """Whether it is the namespace's own room that is used up, and not the nodes'."""
    waited_for: bool = True
    """Whether somebody waits for the pod; nobody does for one of a pool."""
    urgent: bool = False
    """Whether it waits for long."""


class Compute(Protocol):
    """Starts and stops pods."""

    async def start(
        self, request: PodRequest, *, seconds: float, demand: Demand | None = None
    ) -> Pod:
        """Start a pod and wait for its agent; raises StartFailedError, leaving nothing behind.

        Raises WithdrawnError where its demand is withdrawn while nothing has room for it.
        """
        ...

    def leave(self) -> None:
        """Leave pods whose start is given up from now on to whoever leads next."""
        ...

    async def assign(self, pod: str, request: PodRequest) -> None:
        """Write down whose a generic pod is from now on; nobody waits for it."""
        ...

    async def stop(self, pod: str) -> None:
        """Stop a pod, if it is still there, and wait until it is gone; what runs ends first."""
        ...

    async def running(self) -> list[str]:
        """Name every pod that is there, whoever started it; waits until all are known."""
        ...

    def starting(self) -> Mapping[tuple[str, str], int]:
        """Count the pods that this process makes by namespace and state.

        That is `starting`, or `pending` where nothing has room for it.
        """
        ...

    async def found(self) -> list[Found]:
        """Return the pods that somebody else started, an earlier leader, and that do not go.

        Waits until all are known.
        """
        ...

    async def ending(self) -> list[Found]:
        """Return the pods that somebody else stopped, and in which something may run still.

        Waits until all are known.
        """
        ...

    async def join(self, pod: str, *, seconds: float) -> Pod:
        """Wait for a pod that somebody else starts, as `start` does for its own."""
        ...

    def give_way(self, quiet: Callable[[], Awaitable[None]]) -> None:
        """Ask that what can wait waits until `quiet` returns: processors are for starts first."""
        ...

    def on_crowded(self, make_space: Callable[[Crowd], Awaitable[bool]]) -> None:
        """Ask to be told that a pod which starts finds no room, so that something may go.

        It says whether something goes; it is told again while the pod waits, at once where nothing
        does.
        """
        ...

    def on_gone(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Ask to be told the name of every pod that went without `stop`."""
        ...
