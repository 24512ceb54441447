"""Answers claims within exact limits: what stands ready, or what `starts` starts.

Every lease, busy or idle, counts against a cap (`caps`), so what runs never exceeds it. An idle
lease never causes a throttle: before a claim is refused, an idle environment of the same revision
is recalled from another gateway and handed over, or one of another revision under the same cap is
ended to make room. How long environments idle is the gateways' affair.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
import uuid
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from pilotlight.claims import Start
from pilotlight.errors import PilotlightError, StartFailedError, ThrottledError
from pilotlight.resources import Key
from pilotlight_autoscaler.metrics import CLAIMS_REFUSED, LEASES
from pilotlight_autoscaler.pods.starts import Starts

from .burst import Burst
from .caps import no_place
from .stock import Stock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pilotlight.agent.client import Agents
    from pilotlight.claims import Holders, Lease, ReleaseReason, RevisionKey
    from pilotlight.compute import Compute
    from pilotlight_autoscaler.pods.revisions import Revisions
    from pilotlight_autoscaler.pools.keeper import PoolKeeper

    from .caps import Cap, CapKey, Caps

__all__ = ["Capacity"]

NOBODY = ""
"""Holds what a gateway that ended left for others; sorts, and so is asked, before any gateway."""
PARKED_SECONDS = 30.0
"""How long that waits for a claim."""

log = structlog.get_logger()


class Capacity:
    """The lease table, and the pods behind it."""

    def __init__(  # noqa: PLR0913  its collaborators
        self,
        compute: Compute,
        revisions: Revisions,
        agents: Agents,
        caps: Caps,
        pools: PoolKeeper,
        *,
        generation: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stock = Stock()
        self._compute = compute
        self._caps = caps
        self._pools = pools
        self._clock = clock
        self._starts = Starts(compute, revisions, agents, pools)
        self._bursts: dict[Key, Burst] = {}
        self._holders: Holders | None = None
        # A later leader's epochs are above all of an earlier one's.
        self._epochs = itertools.count((generation << 32) + 1)
        self._leases: dict[str, tuple[str, Lease]] = {}
        # Environments that count though nobody holds them: they start, or may still run something.
        self._unheld: Counter[CapKey] = Counter()
        compute.on_crowded(self.make_space)
        compute.on_gone(self._pod_gone)
        caps.on_change(self._cap_changed)

    def ask(self, holders: Holders) -> None:
        """Ask these gateways for what they do not use."""
        self._holders = holders

    async def claim(self, revision: RevisionKey, *, gateway: str, seconds: float) -> Lease:
        """Return one environment to a gateway.

        Raises ThrottledError with the limit's reason, RevisionGoneError, StartFailedError.
        """
        try:
            return self._grant(gateway, await self._find_or_start(revision, gateway, seconds))
        except PilotlightError as error:
            CLAIMS_REFUSED.labels(revision.namespace, error.code).inc()
            raise

    async def _find_or_start(self, revision: RevisionKey, gateway: str, seconds: float) -> Lease:
        ready = self.stock.take(revision) or self._take_parked(revision)
        ready = ready or await self._make_room(revision, gateway)
        if ready is not None:
            return ready
        key = self._caps.key_of(revision)
        try:
            return await self._starts.start(revision, seconds)
        finally:
            self._unheld[key] -= 1

    async def provision(self, revision: RevisionKey, *, seconds: float) -> None:
        """Start one provisioned environment; it stands in the stock.

        Raises ThrottledError while others still run in its place, RevisionGoneError,
        StartFailedError: also where neither cap nor nodes allow it.
        """
        cap = self._caps.of(revision)
        while self._running(cap.key) >= cap.limit:
            lease = await self._recall_of(self._on_demand(cap.key))
            if lease is None:
                raise no_place(cap, others=self._plain(cap.key))
            self._vacate(lease)
        self.stock.starting[revision] += 1
        try:
            lease = await self._starts.start(revision, seconds, provisioned=True)
        except ThrottledError as error:
            raise StartFailedError(str(error), reason="InsufficientCapacity") from error
        finally:
            self.stock.starting[revision] -= 1
        self.stock.add(lease)
        self._starts.preparing.discard(lease.pod)

    async def give_way(self, revision: RevisionKey) -> None:
        """Have one started on demand given up where a provisioned one stands ready."""
        if not self.stock.ready(revision):
            return
        held = [entry for entry in self._leases.values() if entry[1].revision == revision]
        for holder, lease in held:
            if not lease.provisioned and await self._shed_from(holder, [lease.id], 1):
                return

    def unprovision(self, revision: RevisionKey) -> None:
        """Stop one provisioned environment that nobody holds."""
        lease = self.stock.take(revision)
        if lease is not None:
            self.stock.forget(lease.pod)
            self._starts.stop(lease.pod)

    async def make_space(self) -> None:
        """End what is missed least: somebody waits for a pod that no node has room for.

        A generic pod that nobody waits for, else an idle environment (`pilotlight.greedy_dual`).
        """
        generic = self._pools.give_up()
        if generic is not None:
            self._starts.stop(generic.name)
            return
        held = [entry for entry in self._leases.values() if not entry[1].provisioned]
        lease = await self._recall_of(held)
        if lease is not None:
            log.info("idle environment evicted", revision=str(lease.revision))
            self._vacate(lease)

    async def release(self, lease_id: str, reason: ReleaseReason) -> None:
        """Take an environment back; it is stopped unless it is wanted by others.

        Unknown leases were taken back before.
        """
        entry = self._leases.pop(lease_id, None)
        if entry is None:
            return
        _, lease = entry
        log.info("environment released", revision=str(lease.revision), reason=reason)
        if reason == "ended":
            # Only an environment that ended, or whose gateway did, may still run something.
            self.stock.forget(lease.pod)
            self._starts.rooms.close(lease.pod)
            self._starts.spawn(self._end(lease))
        elif not self.stock.take_back(lease):
            if reason == "handover":
                self._park(lease)
            else:
                self._vacate(lease)

    def _park(self, lease: Lease) -> None:
        """Keep an environment whose gateway ends for whoever claims its revision next."""
        self._leases[lease.id] = (NOBODY, lease)
        expire = functools.partial(self._expire, lease.id)
        asyncio.get_running_loop().call_later(PARKED_SECONDS, expire)

    def _expire(self, lease_id: str) -> None:
        if self._leases.get(lease_id, ("",))[0] == NOBODY:
            self._starts.spawn(self.release(lease_id, "idle"))

    def _take_parked(self, revision: RevisionKey) -> Lease | None:
        for holder, lease in self._leases.values():
            if holder == NOBODY and lease.revision == revision:
                return self._take(lease.id)
        return None

    def _take(self, lease_id: str) -> Lease:
        """Take a lease out of the table to grant it anew."""
        return replace(self._leases.pop(lease_id)[1], start=Start("recalled"))

    async def release_all(self, gateway: str) -> None:
        """Take back what a gateway held that will not come back."""
        for lease in self.leases_of(gateway):
            await self.release(lease.id, "ended")

    async def learn(self, gateway: str, leases: Iterable[Lease]) -> None:
        """Believe a gateway's word for what it holds.

        What an earlier leader granted is taken over; what it does not know of (an answer or a
        release that was lost with a connection) is taken back.
        """
        told = {lease.id: lease for lease in leases}
        for lease in self.leases_of(gateway):
            if lease.id not in told:
                await self.release(lease.id, "ended")
        for lease in told.values():
            if lease.id not in self._leases:
                self._leases[lease.id] = (gateway, lease)
                if lease.provisioned:
                    self.stock.learn(lease)

    def measure(self) -> None:
        """Bring the gauges up to date, for who reads them now."""
        self._pools.measure()
        counts = Counter(lease.revision.namespace for _, lease in self._leases.values())
        LEASES.clear()
        for namespace, count in counts.items():
            LEASES.labels(namespace).set(count)

    def leases_of(self, gateway: str) -> list[Lease]:
        """Return a gateway's leases."""
        return [lease for holder, lease in self._leases.values() if holder == gateway]

    async def adopt(self) -> None:
        """Take over the generic pods that an earlier leader left, so that no pool begins empty."""
        await self._starts.adopt()

    async def stop_orphans(self) -> None:
        """Stop every pod that nobody holds; only once all gateways have told what they hold."""
        held = {lease.pod for _, lease in self._leases.values()}
        held |= {*self._pools.pods(), *self.stock.pods()}
        held |= {*self._starts.preparing, *self._starts.rooms.pods()}
        for pod in await self._compute.running():
            if pod not in held:
                log.info("pod without a lease stopped", pod=pod)
                self._starts.stop(pod)

    async def close(self) -> None:
        """Stop every pod and wait until they are gone."""
        for lease_id in list(self._leases):
            await self.release(lease_id, "ended")
        for pod in list(self.stock.pods()):
            self._starts.stop(pod)
        await self._starts.finish()

    def taken(self, key: CapKey) -> int:
        """Count what has its place under a cap: all environments, and the provisioned to come."""
        return self._plain(key) + sum(map(self.stock.reserved, self._provisioned(key)))

    def _running(self, key: CapKey) -> int:
        """Count the environments under a cap that are, start or end."""
        return self._plain(key) + sum(map(self.stock.there, self._provisioned(key)))

    def _plain(self, key: CapKey) -> int:
        return len(self._on_demand(key)) + self._unheld[key]

    def _on_demand(self, key: CapKey) -> list[tuple[str, Lease]]:
        return [entry for entry in self._under(key) if not entry[1].provisioned]

    def _provisioned(self, key: CapKey) -> Iterable[RevisionKey]:
        return (one for one in self.stock.revisions() if self._caps.key_of(one) == key)

    def _under(self, key: CapKey) -> list[tuple[str, Lease]]:
        return [
            entry for entry in self._leases.values() if self._caps.key_of(entry[1].revision) == key
        ]

    async def _make_room(self, revision: RevisionKey, gateway: str) -> Lease | None:
        """Reserve a start under the cap, or give an idle environment of the revision itself.

        Between the last look at the table and the reservation nothing is awaited.
        """
        if self.stock.live(revision):
            lease = await self._recall_same(revision, gateway, provisioned=True)
            if lease is not None:
                return lease
        while True:
            cap = self._caps.of(revision)
            if self.taken(cap.key) < cap.limit:
                self._burst(revision).take(self._clock())
                self._unheld[cap.key] += 1
                return None
            lease = await self._recall(cap, revision, gateway)
            if lease is None:
                raise ThrottledError("Rate Exceeded.", reason=cap.reason)
            if lease.revision == revision:
                return lease
            self._vacate(lease)

    def _burst(self, revision: RevisionKey) -> Burst:
        key = Key(revision.namespace, revision.function)
        if key not in self._bursts:
            now = self._clock()
            self._bursts = {key: one for key, one in self._bursts.items() if not one.is_full(now)}
            self._bursts[key] = Burst(now)
        return self._bursts[key]

    async def _recall(self, cap: Cap, revision: RevisionKey, gateway: str) -> Lease | None:
        """Take one idle environment back: of the revision from another gateway, else any.

        Provisioned ones are not taken from their version.
        """
        same = await self._recall_same(revision, gateway)
        if same is not None:
            return same
        others = [e for e in self._on_demand(cap.key) if e[1].revision != revision]
        return await self._recall_of(others)

    async def _recall_same(
        self, revision: RevisionKey, gateway: str, *, provisioned: bool = False
    ) -> Lease | None:
        held = [e for e in self._leases.values() if e[1].revision == revision and e[0] != gateway]
        return await self._recall_of([e for e in held if e[1].provisioned or not provisioned])

    async def _recall_of(self, candidates: list[tuple[str, Lease]]) -> Lease | None:
        for holder in sorted({holder for holder, _ in candidates}):
            ids = [lease.id for held_by, lease in candidates if held_by == holder]
            found = await self._recall_from(holder, ids)
            if found is not None and found in self._leases:
                return self._take(found)
        return None

    async def _recall_from(self, holder: str, ids: list[str]) -> str | None:
        if holder == NOBODY:
            return ids[0]
        return await self._holders.recall(holder, ids) if self._holders else None

    def _vacate(self, lease: Lease) -> None:
        """Stop the pod of an environment that nobody wants, unless others are in it."""
        self.stock.forget(lease.pod)
        shared = any(other.pod == lease.pod for _, other in self._leases.values())
        if self._starts.rooms.give_back(lease.pod, lease.environment) and not shared:
            self._starts.stop(lease.pod)

    def _grant(self, gateway: str, lease: Lease) -> Lease:
        granted = replace(lease, id=str(uuid.uuid4()), epoch=next(self._epochs))
        self._leases[granted.id] = (gateway, granted)
        self._starts.preparing.discard(lease.pod)
        return granted

    def _cap_changed(self, key: CapKey) -> None:
        if self._holders is not None:
            self._starts.spawn(self._shed(key))

    async def shed_under(self, revision: RevisionKey) -> None:
        """Ask gateways for what the cap of a revision no longer allows."""
        await self._shed(self._caps.key_of(revision))

    async def _shed(self, key: CapKey) -> None:
        """Ask gateways for what a cap that fell no longer allows."""
        entries = self._on_demand(key)
        if not entries:
            return
        cap = self._caps.of(entries[0][1].revision)
        excess = self.taken(key) - cap.limit
        for holder in sorted({holder for holder, _ in entries}):
            if excess <= 0:
                return
            ids = [lease.id for held_by, lease in entries if held_by == holder]
            excess -= await self._shed_from(holder, ids, excess)

    async def _shed_from(self, holder: str, ids: list[str], count: int) -> int:
        if holder == NOBODY:
            for lease_id in ids[:count]:
                await self.release(lease_id, "shed")
            return min(count, len(ids))
        return await self._holders.shed(holder, ids, count) if self._holders else 0

    async def _end(self, lease: Lease) -> None:
        """Stop a pod that may still run something, which counts until it is gone."""
        key = self._caps.key_of(lease.revision)
        self._unheld[key] += 1
        try:
            await self._compute.stop(lease.pod)
        finally:
            self._unheld[key] -= 1

    async def _pod_gone(self, pod: str) -> None:
        self._pools.forget(pod)
        self.stock.forget(pod)
        self._starts.rooms.close(pod)
        for lease_id in [key for key, (_, lease) in self._leases.items() if lease.pod == pod]:
            del self._leases[lease_id]
