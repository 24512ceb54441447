"""A gateway's request for execution environments, and the leases that answer it.

Gateways see only `Claims`; in local mode the autoscaler's capacity service stands behind it in the
same process, on the cluster one long-lived connection to the leader
(`pilotlight_gateway.claims_client` to `pilotlight_autoscaler.server`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from .resources import Key

__all__ = ["Claims", "Lease", "ReleaseReason", "RevisionKey"]

ReleaseReason = Literal["idle", "ended", "superseded"]
"""Why a gateway gives a lease back: idle too long, the environment is gone, the revision is old."""


class RevisionKey(NamedTuple):
    """A revision of a function: what an environment runs."""

    namespace: str
    function: str
    """The function's object name."""
    revision: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.function}@{self.revision}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one gateway to use one environment until it gives it back."""

    id: str
    revision: RevisionKey
    environment: str
    pod: str
    """`namespace/name`, from which the agent's token is derived."""
    host: str
    port: int
    epoch: int
    """The agent refuses a lease older than the newest it has seen."""


class Claims(Protocol):
    """Where a gateway gets environments from."""

    async def claim(self, revision: RevisionKey, *, seconds: float) -> Lease:
        """Give one environment within that time.

        Raises ThrottledError, RevisionGoneError, StartFailedError or UnavailableError.
        """
        ...

    async def release(self, lease: Lease, reason: ReleaseReason) -> None:
        """Give an environment back."""
        ...

    async def acknowledge(self, function: Key, revision: str) -> None:
        """Say that this gateway routes the function to that revision from now on."""
        ...
