"""Answers claims: specialises a generic pod for each or starts one, within exact limits.

Every lease, busy or idle, counts against a cap (`caps`), so what runs never exceeds it. An idle
lease never causes a throttle: before a claim is refused, an idle environment of the same revision
is recalled from another gateway and handed over, or one of another revision under the same cap is
ended to make room. Gateways give environments back after they idled, so nothing here has a clock.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.claims import Holders, Lease, ReleaseReason, RevisionKey
from pilotlight.errors import StartFailedError, ThrottledError

from .pools import PoolKey

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from pilotlight.compute import Compute, Pod, PodRequest

    from .agents import Agents
    from .caps import Cap, CapKey, Caps
    from .pool_keeper import PoolKeeper
    from .revisions import Placement, Revisions

__all__ = ["Capacity"]

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
    ) -> None:
        self._compute = compute
        self._revisions = revisions
        self._agents = agents
        self._caps = caps
        self._pools = pools
        self._holders: Holders | None = None
        # A later leader's epochs are above all of an earlier one's.
        self._epochs = itertools.count((generation << 32) + 1)
        self._leases: dict[str, tuple[str, Lease]] = {}
        # Environments that count though nobody holds them: they start, or may still run something.
        self._unheld: Counter[CapKey] = Counter()
        self._work: set[asyncio.Task[None]] = set()
        compute.on_gone(self._pod_gone)
        caps.on_change(self._cap_changed)

    def ask(self, holders: Holders) -> None:
        """Ask these gateways for what they do not use."""
        self._holders = holders

    async def claim(self, revision: RevisionKey, *, gateway: str, seconds: float) -> Lease:
        """Give one environment to a gateway.

        Raises ThrottledError with the limit's reason, RevisionGoneError, StartFailedError.
        """
        recalled = await self._make_room(revision, gateway)
        if recalled is not None:
            return self._grant(gateway, recalled)
        key = self._caps.of(revision).key
        try:
            lease = await self._start(revision, seconds)
        finally:
            self._unheld[key] -= 1
        return self._grant(gateway, lease)

    async def release(self, lease_id: str, reason: ReleaseReason) -> None:
        """Take an environment back and stop its pod; unknown leases were taken back before."""
        entry = self._leases.pop(lease_id, None)
        if entry is None:
            return
        _, lease = entry
        log.info("environment released", revision=str(lease.revision), reason=reason)
        # Only an environment that ended, or whose gateway did, may still run something.
        self._spawn(self._end(lease) if reason == "ended" else self._compute.stop(lease.pod))

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

    def leases_of(self, gateway: str) -> list[Lease]:
        """Give a gateway's leases."""
        return [lease for holder, lease in self._leases.values() if holder == gateway]

    async def stop_orphans(self) -> None:
        """Stop every pod that nobody holds; only once all gateways have told what they hold."""
        held = {lease.pod for _, lease in self._leases.values()} | self._pools.pods()
        for pod in await self._compute.running():
            if pod not in held:
                log.info("pod without a lease stopped", pod=pod)
                self._stop(pod)

    async def close(self) -> None:
        """Stop every pod and wait until they are gone."""
        for lease_id in list(self._leases):
            await self.release(lease_id, "ended")
        await asyncio.gather(*self._work, return_exceptions=True)

    def taken(self, key: CapKey) -> int:
        """Count the environments under a cap, those that start or end included."""
        return len(self._under(key)) + self._unheld[key]

    def _under(self, key: CapKey) -> list[tuple[str, Lease]]:
        return [
            entry for entry in self._leases.values() if self._caps.of(entry[1].revision).key == key
        ]

    async def _make_room(self, revision: RevisionKey, gateway: str) -> Lease | None:
        """Reserve a start under the cap, or give an idle environment of the revision itself.

        Between the last look at the table and the reservation nothing is awaited.
        """
        while True:
            cap = self._caps.of(revision)
            if self.taken(cap.key) < cap.limit:
                self._unheld[cap.key] += 1
                return None
            lease = await self._recall(cap, revision, gateway)
            if lease is None:
                raise ThrottledError("Rate Exceeded.", reason=cap.reason)
            if lease.revision == revision:
                return lease
            self._stop(lease.pod)

    async def _recall(self, cap: Cap, revision: RevisionKey, gateway: str) -> Lease | None:
        """Take one idle environment back: of the revision from another gateway, else any."""
        if self._holders is None:
            return None
        entries = self._under(cap.key)
        same = [e for e in entries if e[1].revision == revision and e[0] != gateway]
        other = [e for e in entries if e[1].revision != revision]
        for candidates in (same, other):
            for holder in {holder for holder, _ in candidates}:
                ids = [lease.id for held_by, lease in candidates if held_by == holder]
                found = await self._holders.recall(holder, ids)
                if found is not None and found in self._leases:
                    return self._leases.pop(found)[1]
        return None

    def _grant(self, gateway: str, lease: Lease) -> Lease:
        granted = replace(lease, id=str(uuid.uuid4()), epoch=next(self._epochs))
        self._leases[granted.id] = (gateway, granted)
        return granted

    async def _start(self, revision: RevisionKey, seconds: float) -> Lease:
        """Start an environment: in a generic pod if one waits, else in a pod of its own.

        A generic pod that fails half-way is discarded, and a pod of its own is tried.
        """
        placement = await self._revisions.place(revision)
        generic = self._take_generic(placement.pod)
        if generic is not None:
            try:
                lease = await self._specialise_or_burn(revision, placement, generic, seconds)
            except StartFailedError as error:
                log.warning("generic pod discarded", pod=generic.name, error=str(error))
            else:
                self._spawn(self._compute.assign(generic.name, placement.pod))
                return lease
        with self._pools.demand():
            pod = await self._compute.start(placement.pod, seconds=seconds)
        return await self._specialise_or_burn(revision, placement, pod, seconds)

    def _take_generic(self, request: PodRequest) -> Pod | None:
        if not request.fits_generic:
            return None
        return self._pools.take(PoolKey(request.namespace, request.runtime))

    async def _specialise_or_burn(
        self, revision: RevisionKey, placement: Placement, pod: Pod, seconds: float
    ) -> Lease:
        try:
            return await self._specialise(revision, placement, pod, seconds)
        except BaseException:
            # A pod that was half specialised is burnt, whoever asked for it.
            self._stop(pod.name)
            raise

    async def _specialise(
        self, revision: RevisionKey, placement: Placement, pod: Pod, seconds: float
    ) -> Lease:
        specialised = await self._agents.specialise(pod, placement.specialisation, seconds=seconds)
        if not specialised.environments:
            raise StartFailedError(
                f"pod {pod.name} was specialised and started no environment", reason="InternalError"
            )
        return Lease(
            id="",
            revision=revision,
            environment=specialised.environments[0].id,
            pod=pod.name,
            host=pod.host,
            port=pod.port,
            epoch=0,
        )

    def _cap_changed(self, key: CapKey) -> None:
        if self._holders is not None:
            self._spawn(self._shed(key))

    async def _shed(self, key: CapKey) -> None:
        """Ask gateways for what a cap that fell no longer allows."""
        entries = self._under(key)
        if not entries or self._holders is None:
            return
        cap = self._caps.of(entries[0][1].revision)
        excess = self.taken(key) - cap.limit
        for holder in {holder for holder, _ in entries}:
            if excess <= 0:
                return
            ids = [lease.id for held_by, lease in entries if held_by == holder]
            excess -= await self._holders.shed(holder, ids, excess)

    async def _end(self, lease: Lease) -> None:
        """Stop a pod that may still run something, which counts until it is gone."""
        key = self._caps.of(lease.revision).key
        self._unheld[key] += 1
        try:
            await self._compute.stop(lease.pod)
        finally:
            self._unheld[key] -= 1

    def _stop(self, pod: str) -> None:
        self._spawn(self._compute.stop(pod))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("pod not stopped", error=repr(error))

    async def _pod_gone(self, pod: str) -> None:
        self._pools.forget(pod)
        for lease_id in [key for key, (_, lease) in self._leases.items() if lease.pod == pod]:
            del self._leases[lease_id]
