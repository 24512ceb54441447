"""Starts environments, wherever that is quickest.

That is in a pod of the revision that has a place, else in a generic pod of the pool, else in a pod
of its own.

`capacity` has counted the start against its cap before and makes a lease of the result.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from pilotlight.claims import Demand, Lease, RevisionKey, Start
from pilotlight.errors import PilotlightError, PodLostError, StartFailedError
from pilotlight.resources import Key
from pilotlight_autoscaler.pools.decide import PoolKey
from pilotlight_autoscaler.turns import Turns

from .left_pods import LeftPod, LeftPods
from .shared_pods import SharedPod, SharedPods, Sharing
from .started import Started, identities

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from pilotlight.agent.client import Agents
    from pilotlight.compute import Compute, Found, Pod, PodRequest
    from pilotlight_autoscaler.creations import Creations
    from pilotlight_autoscaler.pods.revisions import Placement, Revisions
    from pilotlight_autoscaler.pools.keeper import PoolKeeper
    from pilotlight_wire.specialisation import Specialisation

__all__ = ["Starts"]

JOIN_SECONDS = MADE_SECONDS = 30.0
"""How long a pod that an earlier leader began to make may take still, and how long one that is
there waits for a claim of its revision."""
SETTLING_SECONDS = 0.05
"""How long an environment that initialises keeps its turn: what takes longer, others need not
wait for."""

log = structlog.get_logger()


class Starts:
    """Pods and environments, started and stopped."""

    def __init__(
        self,
        compute: Compute,
        revisions: Revisions,
        agents: Agents,
        pools: PoolKeeper,
        creations: Creations,
    ) -> None:
        self.left = LeftPods(agents)
        self._shared = SharedPods()
        self._preparing: set[str] = set()  # until their lease is in the table
        self._made: dict[str, tuple[RevisionKey, Pod]] = {}
        """Pods that an earlier leader made for a revision and gave to nobody."""
        self._turns = Turns()
        self._creations = creations
        self._compute = compute
        self._revisions = revisions
        self._agents = agents
        self._pools = pools
        self._work: set[asyncio.Task[None]] = set()
        compute.give_way(pools.quiet.wait)

    async def start(
        self, revision: RevisionKey, seconds: float, demand: Demand, *, provisioned: bool = False
    ) -> Lease:
        """Start an environment; gives a lease that nobody holds yet.

        Raises RevisionGoneError, StartFailedError, ThrottledError and, where the demand is
        withdrawn before a pod is begun, WithdrawnError; leaves nothing behind then.
        """
        placement = await self._revisions.place(revision, provisioned=provisioned)
        if placement.is_shared(provisioned=provisioned):
            started = await self._start_in_shared((revision, provisioned), placement, seconds)
        else:
            started = await self._start_pod(placement, seconds, demand)
        if provisioned:
            await self._wait_until_initialised(started, seconds)
        return started.lease(revision, provisioned=provisioned)

    @property
    def are_full(self) -> bool:
        """Whether no more pods may be made now."""
        return self._creations.free == 0

    def handed_over(self, pod: str) -> None:
        """Note that a pod's environment has a lease, or stands in the stock."""
        self._preparing.discard(pod)

    def give_back(self, pod: str, environment: str) -> bool:
        """Note an environment that nobody holds any more; True where its pod is not needed."""
        return self._shared.give_back(pod, environment)

    def forget(self, pod: str) -> None:
        """Note that a pod is gone, or goes: nobody may be placed in it any more."""
        self._shared.close(pod)
        self._made.pop(pod, None)

    def pods(self) -> set[str]:
        """Return the names of pods that are being prepared or shared."""
        return self._preparing | self._shared.pods() | self._made.keys()

    def stop(self, pod: str) -> None:
        """Stop a pod; nobody waits for it."""
        self._preparing.discard(pod)
        self.forget(pod)
        self.spawn(self._compute.stop(pod))

    async def adopt(self, held: set[str]) -> list[LeftPod]:
        """Use what an earlier leader left: pods that nobody got yet, and those being made.

        Those in `held` somebody has. Returns those that somebody else may have.
        """
        found = [one for one in await self._compute.found() if one.name not in held]
        for one in found:
            if one.pod is None:
                self.spawn(self._join(one))
        there = [(one, one.pod) for one in found if one.pod]
        adopted = await asyncio.gather(*(self._adopt(*one) for one in there))
        return [one for one in adopted if not one.is_generic]

    async def _join(self, found: Found) -> None:
        with self._creations.under_way(_key(found.revision)):
            try:
                pod = await self._compute.join(found.name, seconds=JOIN_SECONDS)
            except PilotlightError as error:
                log.info("pod of an earlier leader did not start", error=str(error))
                return
        await self._adopt(found, pod)

    async def _adopt(self, found: Found, pod: Pod) -> LeftPod:
        left = await self.left.ask(replace(found, pod=pod))
        if not left.is_generic:
            return left
        log.info("pod adopted", pod=pod.name)
        if found.revision is None:
            key = PoolKey(pod.name.partition("/")[0], found.runtime)
            self._pools.adopt(key, pod, found.recipe)
        else:
            self._made[pod.name] = found.revision, pod
            self.spawn(self._expire(pod.name))
        return left

    async def _expire(self, pod: str) -> None:
        await asyncio.sleep(MADE_SECONDS)
        if pod in self._made:
            self.stop(pod)

    def _take_made(self, revision: RevisionKey | None) -> Pod | None:
        """Return a pod that an earlier leader made for a revision and gave to nobody."""
        for name, (made_for, pod) in self._made.items():
            if made_for == revision:
                del self._made[name]
                return pod
        return None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something about pods that nobody waits for."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)

    async def finish(self) -> None:
        """Wait until all such work is done."""
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)

    async def _start_in_shared(
        self, sharing: Sharing, placement: Placement, seconds: float
    ) -> Started:
        shared = self._shared.find(sharing)
        if shared is None:
            return await self._open_shared(sharing, placement, seconds)
        began = time.monotonic()
        pod = await _wait_for(shared)
        start = Start("shared", pod=time.monotonic() - began)
        if shared.spare:
            return Started(pod, [shared.spare.pop()], start)
        shared.taken += 1
        try:
            async with self._turn(pod, placement):
                environment = await self._agents.fork(pod, seconds=seconds)
        except BaseException:
            shared.taken -= 1
            raise
        return Started(pod, [environment.id], start)

    async def _open_shared(self, sharing: Sharing, placement: Placement, seconds: float) -> Started:
        shared: SharedPod = self._shared.open(sharing, placement.places)
        try:
            # Who comes until the pod is there is served by the same request.
            started = await self._start_pod(
                placement, seconds, Demand(), lambda: 1 + shared.waiting
            )
        except BaseException as error:
            failure = error if isinstance(error, Exception) else _abandoned(sharing[0])
            self._shared.failed(shared, failure)
            raise
        self._shared.opened(shared, started.pod, started.environments[1:])
        return started

    async def _start_pod(
        self,
        placement: Placement,
        seconds: float,
        demand: Demand,
        count: Callable[[], int] = lambda: 1,
    ) -> Started:
        """Start environments in a pod of their own, and in another one where that was lost."""
        now = asyncio.get_running_loop().time
        until = now() + seconds
        try:
            return await self._start_in_pod(placement, seconds, demand, count)
        except PodLostError as error:
            log.info("another pod is tried", error=str(error))
            if now() >= until:
                raise
            return await self._start_in_pod(placement, until - now(), demand, count)

    async def _start_in_pod(
        self, placement: Placement, seconds: float, demand: Demand, count: Callable[[], int]
    ) -> Started:
        """Start environments in a generic pod if there is one, else in one made for the revision.

        A generic pod that fails half-way is discarded, and a pod made for the revision is tried.
        """
        began, pod = time.monotonic(), self._take_generic(placement.pod)
        is_generic = pod is not None
        if pod is None:
            pod, is_generic = await self._make(placement, seconds, demand, or_generic=True)
        if is_generic:
            started = await self._in_generic(placement, pod, seconds, count)
            if started is not None:
                return started
            pod, _ = await self._make(placement, seconds, demand, or_generic=False)
        start = Start("pod", pod=time.monotonic() - began)
        return await self._by_turns(placement, pod, seconds, start, count)

    async def _make(
        self, placement: Placement, seconds: float, demand: Demand, *, or_generic: bool
    ) -> tuple[Pod, bool]:
        """Make a pod in its turn, unless one came meanwhile; gives whether it is a generic one."""
        with self._pools.demand(placement.pod.namespace):
            async with self._creations.turn(_function(placement), seconds, demand) as left:
                if (made := self._take_made(placement.pod.revision)) is not None:
                    return made, False
                if or_generic and (generic := self._take_late(placement.pod)) is not None:
                    return generic, True
                start = self._compute.start(placement.pod, seconds=left, demand=demand)
                return await self._creations.timed("function", start), False

    async def _in_generic(
        self, placement: Placement, pod: Pod, seconds: float, count: Callable[[], int]
    ) -> Started | None:
        try:
            started = await self._by_turns(placement, pod, seconds, Start("pool"), count)
        except StartFailedError as error:
            log.warning("generic pod discarded", pod=pod.name, error=str(error))
            return None
        self.spawn(self._assign(pod, placement))
        return started

    async def _assign(self, pod: Pod, placement: Placement) -> None:
        await self._pools.quiet.wait()
        await self._compute.assign(pod.name, placement.pod)

    def _take_generic(self, request: PodRequest) -> Pod | None:
        if not request.fits_generic:
            return None
        return self._pools.take(PoolKey(request.namespace, request.runtime))

    def _take_late(self, request: PodRequest) -> Pod | None:
        """Return a generic pod that came while its own was waited for."""
        if not request.fits_generic:
            return None
        return self._pools.take_late(PoolKey(request.namespace, request.runtime))

    async def _by_turns(
        self,
        placement: Placement,
        pod: Pod,
        seconds: float,
        start: Start,
        count: Callable[[], int],
    ) -> Started:
        self._preparing.add(pod.name)
        try:
            async with self._turn(pod, placement):
                specialisation = replace(placement.specialisation, environments=count())
                return await self._specialise(specialisation, pod, seconds, start)
        except BaseException:
            # A pod that was half specialised is burnt, whoever asked for it.
            self.stop(pod.name)
            raise

    @asynccontextmanager
    async def _turn(self, pod: Pod, placement: Placement) -> AsyncIterator[None]:
        """Keep the processors of a pod's node busy for a function, when it is its turn.

        After the block, too, while what it started initialises. A function's first start does not
        wait for that; further ones do, so that their calls are no burden on other functions' first.
        """
        function = _function(placement)
        async with AsyncExitStack() as turn:
            turn.enter_context(self._pools.quiet.start())
            first = await turn.enter_async_context(self._turns.turn(pod.node, function))
            yield
            settling = self._settle(pod, turn.pop_all())
            if first:
                self.spawn(settling)
            else:
                await settling

    async def _settle(self, pod: Pod, turn: AsyncExitStack) -> None:
        async with turn:
            await self._agents.settle(pod, seconds=SETTLING_SECONDS)

    async def _specialise(
        self, specialisation: Specialisation, pod: Pod, seconds: float, start: Start
    ) -> Started:
        began = time.monotonic()
        specialised = await self._agents.specialise(pod, specialisation, seconds=seconds)
        self._turns.learn(pod.node, specialised.processors)
        self._creations.saw(pod.node, specialised.processors)
        steps = replace(
            start,
            specialise=time.monotonic() - began,
            fetch=specialised.fetch_milliseconds / 1000,
            unpack=specialised.unpack_milliseconds / 1000,
        )
        return Started(pod, identities(pod, specialised), steps)

    async def _wait_until_initialised(self, started: Started, seconds: float) -> None:
        pod, environment = started.pod, started.environments[0]
        try:
            await self._agents.wait_until_initialised(pod, environment, seconds=seconds)
        except BaseException:
            self.stop(pod.name)
            raise

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("pod not stopped", error=repr(error))


async def _wait_for(shared: SharedPod) -> Pod:
    shared.waiting += 1
    try:
        return await asyncio.shield(shared.opened)
    finally:
        shared.waiting -= 1


def _function(placement: Placement) -> Key:
    return _key(placement.pod.revision)


def _key(revision: RevisionKey | None) -> Key:
    return Key(revision.namespace, revision.function) if revision else Key("", "")


def _abandoned(revision: RevisionKey) -> StartFailedError:
    return StartFailedError(
        f"the start of a pod of {revision} was abandoned", reason="InternalError"
    )
