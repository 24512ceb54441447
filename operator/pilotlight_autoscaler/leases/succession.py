"""What a leader takes over from the one before: pods in the making, and environments that idle.

An environment whose gateway ended while the leader changed is nobody's: it was handed over to a
leader that is gone. Its agent says that it idles and who used it last. Where that gateway has told
what it holds, the environment waits for the next claim at once, else after a while in which it
still might tell; what runs something by then is stopped.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from pilotlight.claims import Start

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.claims import Lease
    from pilotlight.compute import Compute, Found
    from pilotlight_autoscaler.pods.left_pods import LeftPod
    from pilotlight_autoscaler.pods.starts import Starts
    from pilotlight_autoscaler.pools.keeper import PoolKeeper

    from .limits import Limits
    from .stock import Stock
    from .table import LeaseTable

__all__ = ["Succession"]

log = structlog.get_logger()


class Succession:
    """Takes over, once, at the beginning of a leader's term."""

    def __init__(  # noqa: PLR0913  its collaborators, put together by `Capacity`
        self,
        *,
        compute: Compute,
        starts: Starts,
        pools: PoolKeeper,
        stock: Stock,
        table: LeaseTable,
        limits: Limits,
        park: Callable[[Lease], None],
    ) -> None:
        """Give `park` what waits for whoever claims it."""
        self._compute = compute
        self._starts = starts
        self._pools = pools
        self._stock = stock
        self._table = table
        self._limits = limits
        self._park = park
        self._told: set[str] = set()
        self.done = asyncio.Event()
        """Set once what an earlier leader left is known."""

    def hear(self, gateway: str) -> None:
        """Note that a gateway has told all that it holds."""
        self._told.add(gateway)

    async def adopt(self) -> None:
        """Take over the pods that an earlier leader left, and has begun to make.

        Only once gateways have told what they hold.
        """
        left = await self._starts.adopt(self._table.pods())
        for pod in left:
            self._adopt(pod)
        await asyncio.gather(*(self._count(found) for found in await self._compute.ending()))
        self.done.set()

    async def stop_orphans(self) -> None:
        """Keep what idles and stop every other pod that nobody holds.

        Only once all gateways have told what they hold.
        """
        found = {one.name: one for one in await self._compute.found()}
        orphans = [pod for pod in await self._compute.running() if pod not in self._held()]
        await asyncio.gather(*(self._end(pod, found.get(pod)) for pod in orphans))

    def _held(self) -> set[str]:
        pods = self._table.pods() | self._pools.pods() | self._starts.pods()
        return pods | self._stock.pods()

    def _adopt(self, left: LeftPod) -> None:
        if self._table.holds_pod(left.found.name):
            return
        idle = left.idle()
        if idle and all(self._is_nobodys(*one) for one in idle):
            self._keep(idle)
        else:
            self._limits.suspect(left.found.name, left.revision)

    async def _count(self, found: Found) -> None:
        """Count what still runs in a pod that goes."""
        left = await self._starts.left.ask(found)
        if found.pod is not None and left.may_run:
            self._limits.suspect(found.name, left.revision)
            self._starts.spawn(self._stop(found.name))

    def _is_nobodys(self, holder: str, lease: Lease) -> bool:
        """Say whether no gateway holds it: who had it says so, or it stood ready and is missed."""
        return holder in self._told or (not holder and self._is_missed(lease))

    def _is_missed(self, lease: Lease) -> bool:
        return bool(self._stock.decide(lease.revision).start)

    async def _end(self, pod: str, found: Found | None) -> None:
        idle = (await self._starts.left.ask(found)).idle() if found else []
        if pod in self._held():
            return
        if idle:
            self._limits.clear(pod)
            self._keep(idle)
        else:
            log.info("pod without a lease stopped", pod=pod)
            self._starts.forget(pod)
            self._starts.spawn(self._stop(pod))

    async def _stop(self, pod: str) -> None:
        """Stop a pod that may still run something, which counts until it is gone."""
        await self._compute.stop(pod)
        self._limits.clear(pod)

    def _keep(self, idle: list[tuple[str, Lease]]) -> None:
        for _, lease in idle:
            log.info("idle environment adopted", pod=lease.pod, revision=str(lease.revision))
            if self._is_missed(lease):
                self._stock.add(replace(lease, provisioned=True, start=Start("provisioned")))
            else:
                self._park(lease)
