"""What a leader takes over from the one before: leases, pods in the making, what idles.

Gateways tell what they hold. An environment whose gateway ended while the leader changed is
nobody's: it was handed over to a leader that is gone. Its agent says that it idles and who used it
last. Where that gateway has told what it holds, the environment waits for the next claim at once,
else after a while in which it still might tell; what runs something by then is stopped. Who was
silent for so long may wake and call: before an environment waits for others, its agent is told of a
newer epoch, and refuses every lease that there was.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from pilotlight.claims import Start
from pilotlight_autoscaler.pods.left_pods import ASK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pilotlight.claims import Lease
    from pilotlight.compute import Compute, Found
    from pilotlight_autoscaler.pods.left_pods import LeftPod
    from pilotlight_autoscaler.pods.starts import Starts
    from pilotlight_autoscaler.pools.keeper import PoolKeeper

    from .limits import Limits
    from .recalls import Recalls, Release
    from .stock import Stock
    from .table import LeaseTable

__all__ = ["Succession"]

FENCE_SECONDS = 0.5
"""How long an agent may take while every claim waits; a slow one is asked again later."""

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
        recalls: Recalls,
        release: Release,
        park: Callable[[Lease], None],
    ) -> None:
        """Give `release` what is taken back, `park` what waits for whoever claims it."""
        self._compute = compute
        self._starts = starts
        self._pools = pools
        self._stock = stock
        self._table = table
        self._limits = limits
        self._recalls = recalls
        self._release = release
        self._park = park
        self._told: set[str] = set()
        self.done = asyncio.Event()
        """Set once what an earlier leader left is known."""

    async def learn(self, gateway: str, leases: Iterable[Lease]) -> None:
        """Believe a gateway's word for what it holds.

        What an earlier leader granted is taken over, unless somebody else got it since: it gives
        that up. What it does not know of (an answer or a release that was lost with a connection)
        is taken back.
        """
        self._told.add(gateway)
        told = {lease.id: lease for lease in leases}
        for lease in self._table.of(gateway):
            if lease.id not in told:
                await self._release(lease.id, "ended")
        news = [lease for lease in told.values() if lease.id not in self._table]
        lost = [lease.id for lease in news if not self._take_over(gateway, lease)]
        if lost:
            self._starts.spawn(self._recalls.take_from(gateway, lost))

    def _take_over(self, gateway: str, lease: Lease) -> bool:
        if not self._table.make_way(lease):
            return False
        self._table.add(gateway, lease)
        self._limits.clear(lease.pod)
        if lease.provisioned:
            self._stock.learn(lease)
        return True

    async def adopt(self) -> None:
        """Take over the pods that an earlier leader left, and has begun to make.

        Only once gateways have told what they hold.
        """
        left = await self._starts.adopt(self._table.pods())
        await asyncio.gather(*map(self._adopt, left))
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

    async def _adopt(self, left: LeftPod) -> None:
        pod, idle = left.found.name, left.idle()
        nobodys = bool(idle) and all(self._is_nobodys(*one) for one in idle)
        if self._table.holds_pod(pod) or (nobodys and await self._keep(left.found, FENCE_SECONDS)):
            return
        self._limits.suspect(pod, left.revision)

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
        if found is None or not await self._keep(found):
            log.info("pod without a lease stopped", pod=pod)
            self._starts.forget(pod)
            self._starts.spawn(self._stop(pod))

    async def _stop(self, pod: str) -> None:
        """Stop a pod that may still run something, which counts until it is gone."""
        await self._compute.stop(pod)
        self._limits.clear(pod)

    async def _keep(self, found: Found, seconds: float = ASK_SECONDS) -> bool:
        """Have what idles wait for others, or leave it to who told of it at this moment.

        False where something runs, or where the agent does not say that nothing does.
        """
        epoch = self._table.next_epoch()
        idle = (await self._starts.left.fence(found, epoch, seconds=seconds)).idle()
        if found.name in self._held():
            return True
        if idle:
            self._limits.clear(found.name)
        for _, lease in idle:
            log.info("idle environment adopted", pod=lease.pod, revision=str(lease.revision))
            if self._is_missed(lease):
                self._stock.add(replace(lease, provisioned=True, start=Start("provisioned")))
            else:
                self._park(lease)
        return bool(idle)
