"""Answers claims: starts a pod for each, up to the account's limit, and stops what comes back.

The simple policy of a first version: scale up on demand, one environment a pod. Gateways give
environments back after they idled (`keep_alive`), so nothing here runs on a clock. Pools, recall
and reserved concurrency take this class's place behind the same interface, and nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from pilotlight.claims import Lease, ReleaseReason, RevisionKey
from pilotlight.errors import StartFailedError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pilotlight.compute import Compute, Pod

    from .agents import Agents
    from .revisions import Placement, Revisions

__all__ = ["ACCOUNT_LIMIT", "Capacity"]

ACCOUNT_LIMIT = 1000
"""Environments of an account, busy or idle (AWS Lambda Developer Guide, "Lambda quotas")."""

log = structlog.get_logger()


class Capacity:
    """The lease table, and the pods behind it."""

    def __init__(
        self,
        compute: Compute,
        revisions: Revisions,
        agents: Agents,
        *,
        limit: int = ACCOUNT_LIMIT,
        generation: int = 0,
    ) -> None:
        self._compute = compute
        self._revisions = revisions
        self._agents = agents
        self._limit = limit
        # A later leader's epochs are above all of an earlier one's.
        self._epochs = itertools.count((generation << 32) + 1)
        self._leases: dict[str, tuple[str, Lease]] = {}
        self._taken: Counter[str] = Counter()
        self._stopping: set[asyncio.Task[None]] = set()
        compute.on_gone(self._pod_gone)

    async def claim(self, revision: RevisionKey, *, gateway: str, seconds: float) -> Lease:
        """Start one environment for a gateway.

        Raises ThrottledError at the account's limit, RevisionGoneError, StartFailedError.
        """
        self._admit(revision.namespace)
        try:
            lease = await self._start(revision, seconds)
        except BaseException:
            self._taken[revision.namespace] -= 1
            raise
        self._leases[lease.id] = (gateway, lease)
        return lease

    async def release(self, lease_id: str, reason: ReleaseReason) -> None:
        """Take an environment back and stop its pod; unknown leases were taken back before."""
        entry = self._leases.pop(lease_id, None)
        if entry is None:
            return
        _, lease = entry
        self._taken[lease.revision.namespace] -= 1
        log.info("environment released", revision=str(lease.revision), reason=reason)
        self._stop(lease.pod)

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
                self._taken[lease.revision.namespace] += 1

    def leases_of(self, gateway: str) -> list[Lease]:
        """Give a gateway's leases."""
        return [lease for holder, lease in self._leases.values() if holder == gateway]

    async def stop_orphans(self) -> None:
        """Stop every pod that nobody holds; only once all gateways have told what they hold."""
        held = {lease.pod for _, lease in self._leases.values()}
        for pod in await self._compute.running():
            if pod not in held:
                log.info("pod without a lease stopped", pod=pod)
                self._stop(pod)

    async def close(self) -> None:
        """Stop every pod and wait until they are gone."""
        for lease_id in list(self._leases):
            await self.release(lease_id, "ended")
        await asyncio.gather(*self._stopping, return_exceptions=True)

    def _admit(self, namespace: str) -> None:
        if self._taken[namespace] >= self._limit:
            raise ThrottledError("Rate Exceeded.", reason="ConcurrentInvocationLimitExceeded")
        self._taken[namespace] += 1

    async def _start(self, revision: RevisionKey, seconds: float) -> Lease:
        placement = await self._revisions.place(revision)
        pod = await self._compute.start(placement.pod, seconds=seconds)
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
            id=str(uuid.uuid4()),
            revision=revision,
            environment=specialised.environments[0].id,
            pod=pod.name,
            host=pod.host,
            port=pod.port,
            epoch=next(self._epochs),
        )

    def _stop(self, pod: str) -> None:
        task = asyncio.create_task(self._compute.stop(pod))
        self._stopping.add(task)
        task.add_done_callback(self._stopped)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._stopping.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("pod not stopped", error=str(error))

    async def _pod_gone(self, pod: str) -> None:
        for lease_id in [key for key, (_, lease) in self._leases.items() if lease.pod == pod]:
            _, lease = self._leases.pop(lease_id)
            self._taken[lease.revision.namespace] -= 1
