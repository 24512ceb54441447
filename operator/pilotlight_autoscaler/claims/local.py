"""Claims without a wire: gateway and autoscaler in one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.claims import Demand, Holder, Lease, ReleaseReason, RevisionKey
    from pilotlight.resources import Key
    from pilotlight_autoscaler.leases.capacity import Capacity

    from .acknowledgements import Acknowledgements

__all__ = ["LocalClaims"]


@dataclass(slots=True)
class LocalClaims:
    """The one gateway's claims, answered in its own process."""

    capacity: Capacity
    acknowledgements: Acknowledgements
    gateway: str = "local"

    _holder: Holder | None = None

    def __post_init__(self) -> None:
        self.acknowledgements.connect(self.gateway)

    def bind(self, holder: Holder) -> None:
        """Let the lease table ask the gateway for what it does not use."""
        self._holder = holder
        self.capacity.ask(self)

    async def claim(
        self, revision: RevisionKey, *, seconds: float, demand: Demand | None = None
    ) -> Lease:
        """Start one environment (`Capacity.claim`)."""
        return await self.capacity.claim(
            revision, gateway=self.gateway, seconds=seconds, demand=demand
        )

    async def withdraw(self, demand: Demand) -> None:
        """Say that nobody waits any more."""
        demand.withdraw()

    async def release(self, lease: Lease, reason: ReleaseReason) -> None:
        """Give an environment back."""
        await self.capacity.release(lease.id, reason)

    async def recall(self, gateway: str, leases: list[str], *, rested: bool = False) -> str | None:
        """Ask the gateway for one idle environment (`pilotlight.claims.Holders`)."""
        del gateway  # there is one
        return self._holder.recall(leases, rested=rested) if self._holder else None

    async def shed(self, gateway: str, leases: list[str], count: int) -> int:
        """Ask the gateway for that many environments."""
        del gateway
        return self._holder.shed(leases, count) if self._holder else 0

    async def acknowledge(self, function: Key, revision: str) -> None:
        """Say that the gateway routes to that revision."""
        self.acknowledgements.acknowledge(self.gateway, function, revision)
