"""Where pods come from: subprocesses of this machine, or Kubernetes.

A third implementation is the simulator. The autoscaler asks for pods through this interface and
never learns which one stands behind it. A pod is generic when it starts and is specialised later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .claims import RevisionKey

__all__ = ["Compute", "Pod", "PodRequest"]


@dataclass(frozen=True, slots=True)
class PodRequest:
    """What a pod must be able to run."""

    revision: RevisionKey
    function_uid: str
    runtime: str
    memory: int
    """Megabytes of one environment."""
    ephemeral_storage: int
    """Megabytes of /tmp."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod whose agent answers."""

    name: str
    """`namespace/name`."""
    host: str
    port: int


class Compute(Protocol):
    """Starts and stops pods."""

    async def start(self, request: PodRequest, *, seconds: float) -> Pod:
        """Start a pod and wait for its agent; raises StartFailedError, leaving nothing behind."""
        ...

    async def stop(self, pod: str) -> None:
        """Stop a pod, if it is still there; a running invocation ends first."""
        ...

    async def running(self) -> list[str]:
        """Name every pod that is there, whoever started it."""
        ...

    def on_gone(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Ask to be told the name of every pod that went without `stop`."""
        ...
