"""Answers claims within exact limits: what stands ready, or what `pods.starts` starts.

An idle lease never causes a throttle: before a claim is refused, an idle environment of the same
revision is recalled from another gateway and handed over, or one of another revision under the same
cap is ended to make room. How long environments idle is the gateways' affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from typing import TYPE_CHECKING

import structlog

from pilotlight.claims import Demand
from pilotlight.compute import Pod
from pilotlight.errors import (
    PilotlightError,
    StartFailedError,
    ThrottledError,
    WithdrawnError,
)

from .caps import no_place
from .elsewhere import ELSEWHERE_SECONDS, SOON_SECONDS, Elsewhere
from .limits import Limits
from .recalls import Recalls
from .room import who_gives_room
from .succession import Succession
from .table import NOBODY, LeaseTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pilotlight.claims import Holders, Lease, ReleaseReason, RevisionKey
    from pilotlight.compute import Compute, Crowd
    from pilotlight_autoscaler.metrics import AutoscalerMetrics
    from pilotlight_autoscaler.pods.starts import Starts
    from pilotlight_autoscaler.pools.keeper import PoolKeeper

    from .caps import Cap, CapKey, Caps
    from .stock import Stock

__all__ = ["Capacity"]

PARKED_SECONDS = 30.0
"""How long what no gateway has waits for a claim."""
KEPT_SECONDS = 10.0
"""And how long what an ended gateway left does, whoever wants its room."""

log = structlog.get_logger()


class Capacity:
    """Grants environments and takes them back."""

    def __init__(  # noqa: PLR0913  its collaborators, put together by `Autoscaler`
        self,
        *,
        compute: Compute,
        starts: Starts,
        caps: Caps,
        pools: PoolKeeper,
        stock: Stock,
        metrics: AutoscalerMetrics,
        tell: Callable[[RevisionKey, PilotlightError], None] = lambda *_: None,
        generation: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compute = compute
        self._starts = starts
        self._pools = pools
        self._stock = stock
        self._metrics = metrics
        self._tell = tell
        self._table = LeaseTable(generation)
        self._limits = Limits(caps, self._table, stock, clock=clock)
        self._recalls = Recalls(self._table, self.release)
        self._elsewhere = Elsewhere(self._table, self._recalls)
        self._asked: dict[asyncio.Task[bool], CapKey] = {}
        """Questions to agents whose environments have ended, by what they count under."""
        self.succession = Succession(
            compute=compute, starts=starts, pools=pools, stock=stock, table=self._table,
            limits=self._limits, recalls=self._recalls, release=self.release, park=self._park,
        )  # fmt: skip
        compute.on_crowded(self.make_space)
        compute.on_gone(self._pod_gone)
        caps.on_change(self._cap_changed)

    def ask(self, holders: Holders) -> None:
        """Ask these gateways for what they do not use."""
        self._recalls.ask(holders)

    async def claim(
        self,
        revision: RevisionKey,
        *,
        gateway: str,
        seconds: float,
        demand: Demand | None = None,
    ) -> Lease:
        """Grant one environment to a gateway.

        Raises ThrottledError with the limit's reason, RevisionGoneError, StartFailedError, and
        WithdrawnError where its demand is withdrawn before a pod is begun.
        """
        try:
            found = await self._find_or_start(revision, gateway, seconds, demand or Demand())
        except WithdrawnError:
            raise
        except PilotlightError as error:
            self._metrics.claims_refused.labels(revision.namespace, error.code).inc()
            self._tell(revision, error)
            raise
        granted = self._table.grant(gateway, found)
        self._starts.handed_over(found.pod)
        return granted

    async def _find_or_start(
        self, revision: RevisionKey, gateway: str, seconds: float, demand: Demand
    ) -> Lease:
        ready = self._stock.take(revision) or self._table.parked(revision)
        ready = ready or await self._make_room(revision, gateway)
        if ready is not None:
            return ready
        key = self._limits.key_of(revision)
        try:
            return await self._start_or_recall(revision, gateway, seconds, demand)
        finally:
            self._limits.free(key)

    async def _start_or_recall(
        self, revision: RevisionKey, gateway: str, seconds: float, demand: Demand
    ) -> Lease:
        """Start one; while there is no room for it, take one that comes to idle elsewhere."""
        start = asyncio.create_task(self._starts.start(revision, seconds, demand))
        try:
            look = SOON_SECONDS
            while not (await asyncio.wait({start}, timeout=look))[0]:
                look = ELSEWHERE_SECONDS
                lease = await self._elsewhere.take_for_waiting(
                    revision, gateway, full=self._starts.are_full
                )
                if lease is not None:
                    demand.withdraw()
                    self._starts.spawn(self._let_go(revision, start))
                    return lease
        except BaseException:
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            raise
        try:
            return start.result()
        except ThrottledError:
            lease = await self._elsewhere.take_last(revision, gateway)
            if lease is None:
                raise
            return lease

    async def _let_go(self, revision: RevisionKey, start: asyncio.Task[Lease]) -> None:
        """Keep what was started for a claim that was served otherwise, where there is room for it.

        Where its function's calls need one more than there are, claims would else take those of
        each other for ever, and pods be made and stopped.
        """
        with self._limits.counted(revision), contextlib.suppress(PilotlightError):
            lease = await start
            self._starts.handed_over(lease.pod)
            if self._elsewhere.is_crowded(revision.namespace):
                self._vacate(lease)
            else:
                self._expire_later(self._table.grant(NOBODY, lease))

    async def provision(self, revision: RevisionKey, *, seconds: float) -> None:
        """Start one provisioned environment; it stands in the stock.

        Raises ThrottledError while others still run in its place, RevisionGoneError,
        StartFailedError: also where neither cap nor nodes allow it.
        """
        cap = self._limits.cap(revision)
        while self._limits.running(cap.key) >= cap.limit:
            lease = await self._recalls.recall(self._limits.on_demand(cap.key))
            if lease is None:
                raise no_place(cap, others=self._limits.plain(cap.key))
            self._vacate(lease)
        with self._stock.starting_one(revision):
            try:
                lease = await self._starts.start(revision, seconds, Demand(), provisioned=True)
            except ThrottledError as error:
                raise StartFailedError(str(error), reason="InsufficientCapacity") from error
        self._stock.add(lease)
        self._starts.handed_over(lease.pod)

    async def give_way(self, revision: RevisionKey) -> None:
        """Have one started on demand given up where a provisioned one stands ready."""
        if not self._stock.ready(revision):
            return
        held = [one for one in self._table.of_revision(revision) if not one.lease.provisioned]
        await self._recalls.shed(held, 1)

    def unprovision(self, revision: RevisionKey) -> None:
        """Stop one provisioned environment that nobody holds."""
        lease = self._stock.take(revision)
        if lease is not None:
            self._vacate(lease)

    async def make_space(self, crowd: Crowd) -> bool:
        """End what is missed least of accounts that may be asked for room (`room`).

        A generic pod that nobody waits for, else an idle environment (`pilotlight.greedy_dual`)
        that is not just between two calls: a cold start rather waits than makes another one. False
        where there is none; a moment later there may be.
        """
        if crowd.waited_for:
            self._elsewhere.note_crowd(crowd.namespace if crowd.in_quota else "")
        accounts = who_gives_room(crowd, self._table.accounts() + self._pools.accounts())
        if not accounts:
            return False
        generic = self._pools.give_up(accounts)
        if generic is not None:
            self._starts.stop(generic.name)
            return True

        def may_go(lease: Lease) -> bool:
            return not lease.provisioned and lease.revision.namespace in accounts

        lease = await self._recalls.recall(self._table.entries(may_go), rested=True)
        if lease is None:
            return False
        log.info("idle environment evicted", revision=str(lease.revision))
        self._vacate(lease)
        return True

    async def release(self, lease_id: str, reason: ReleaseReason) -> None:
        """Take an environment back; it is stopped unless it is wanted by others.

        Unknown leases were taken back before.
        """
        lease = self._table.remove(lease_id)
        if lease is None:
            return
        log.info("environment released", revision=str(lease.revision), reason=reason)
        if reason == "ended":
            # Only an environment that ended, or whose gateway did, may still run something.
            self._stock.close(lease.pod)
            self._stock.leave(lease)
            self._starts.forget(lease.pod)
            self._starts.spawn(self._end(lease))
        elif not self._stock.take_back(lease):
            if reason == "handover":
                self._park(lease)
            else:
                self._vacate(lease)

    async def release_all(self, gateway: str) -> None:
        """Take back what a gateway held that will not come back."""
        for lease in self._table.of(gateway):
            await self.release(lease.id, "ended")

    def measure(self) -> None:
        """Bring the gauges up to date, for who reads them now."""
        self._pools.measure()
        self._metrics.measure_leases(entry.lease for entry in self._table.entries())

    def leases_of(self, gateway: str) -> list[Lease]:
        """Return a gateway's leases."""
        return self._table.of(gateway)

    def taken(self, key: CapKey) -> int:
        """Count what has its place under a cap."""
        return self._limits.taken(key)

    async def shed_under(self, revision: RevisionKey) -> None:
        """Ask gateways for what the cap of a revision no longer allows."""
        await self._shed(self._limits.key_of(revision))

    async def close(self) -> None:
        """Stop every pod and wait until they are gone."""
        for entry in self._table.entries():
            await self.release(entry.lease.id, "ended")
        for pod in list(self._stock.pods()):
            self._starts.stop(pod)
        await self._starts.finish()

    async def _make_room(self, revision: RevisionKey, gateway: str) -> Lease | None:
        """Reserve a start under the cap, or return an idle environment of the revision itself.

        Between the last look at the table and the reservation nothing is awaited.
        """
        if self._stock.live(revision):
            ask = functools.partial(self._elsewhere.take, revision, gateway, provisioned=True)
            lease = await self._recalls.in_turn((revision, gateway), ask)
            if lease is not None:
                return lease
        while True:
            cap = self._limits.cap(revision)
            if self._limits.has_room(cap):
                self._limits.reserve(revision)
                return None
            recall = functools.partial(self._recall, cap, revision, gateway)
            lease = await self._recalls.in_turn(cap.key, recall)
            if lease is None:
                if self._limits.has_room(self._limits.cap(revision)):  # since it was asked
                    continue
                if await self._end_left_room(revision):
                    continue
                raise ThrottledError("Rate Exceeded.", reason=cap.reason)
            if lease.revision == revision:
                return lease
            self._vacate(lease)

    async def _recall(self, cap: Cap, revision: RevisionKey, gateway: str) -> Lease | None:
        """Take one idle environment back: of the revision from another gateway, else any.

        One that rests rather than one that is between two calls; but a limit counts what runs, so
        what idles at all is no reason for a throttle. Provisioned ones are not taken from their
        version.
        """
        same = await self._elsewhere.take(revision, gateway)
        if same is not None:
            return same
        others = [e for e in self._limits.on_demand(cap.key) if e.lease.revision != revision]
        rested = await self._recalls.recall(others, rested=True)
        return rested or await self._recalls.recall(others)

    def _park(self, lease: Lease) -> None:
        """Keep an environment whose gateway ends for whoever claims its revision next."""
        self._table.add(NOBODY, lease)
        self._recalls.keep(lease.id, KEPT_SECONDS)
        self._expire_later(lease)

    def _expire_later(self, lease: Lease) -> None:
        expire = functools.partial(self._expire, lease.id)
        asyncio.get_running_loop().call_later(PARKED_SECONDS, expire)

    def _expire(self, lease_id: str) -> None:
        if self._table.is_parked(lease_id):
            self._starts.spawn(self.release(lease_id, "idle"))

    def _vacate(self, lease: Lease) -> None:
        """Stop the pod of an environment that nobody wants, unless others are in it."""
        self._stock.leave(lease)
        shared = self._table.holds_pod(lease.pod)
        if self._starts.give_back(lease.pod, lease.environment) and not shared:
            self._starts.stop(lease.pod)

    def _cap_changed(self, key: CapKey) -> None:
        if self._recalls.can_ask:
            self._starts.spawn(self._shed(key))

    async def _shed(self, key: CapKey) -> None:
        """Ask gateways for what a cap that fell no longer allows."""
        excess, entries = self._limits.excess(key)
        await self._recalls.shed(entries, excess)

    async def _end(self, lease: Lease) -> None:
        """Stop a pod; what still runs in it counts until it is gone."""
        with self._limits.counted(lease.revision):
            if await self._end_leases(lease):
                await self._compute.stop(lease.pod)
                return
        await self._compute.stop(lease.pod)

    async def _end_leases(self, lease: Lease) -> bool:
        """End all leases of a pod whose environment has ended; whether something may run in it."""
        pod = Pod(lease.pod, lease.host, lease.port)
        asked = asyncio.create_task(self._starts.left.end_leases(pod, self._table.next_epoch()))
        self._asked[asked] = self._limits.key_of(lease.revision)
        asked.add_done_callback(self._asked.pop)
        return await asked

    async def _end_left_room(self, revision: RevisionKey) -> bool:
        """Wait for what is asked about environments that have ended; whether one left its place."""
        cap = self._limits.cap(revision)
        if questions := [asked for asked, key in self._asked.items() if key == cap.key]:
            await asyncio.wait(questions)
        return self._limits.has_room(cap)

    async def _pod_gone(self, pod: str) -> None:
        self._limits.clear(pod)
        self._pools.forget(pod)
        self._stock.forget(pod)
        self._starts.forget(pod)
        self._table.drop_pod(pod)
