"""Keeps the pilot light burning: starts generic pods before anyone asks, and hands them out.

`decide` says how many; this carries it out and gives way: nothing is refilled while somebody waits
for a pod of his own, nor while environments start on the same cores (`quiet`), and refills count
among all pods that are made at once (`creations`). While those who wait are of other accounts,
refills take turns with them, behind claims of their own account: a flood of functions empties its
own account's pools alone.
A pod is handed out once and never comes back.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from pilotlight.compute import GENERIC_MEMORY, GENERIC_STORAGE, PodRequest
from pilotlight.errors import PilotlightError
from pilotlight.resources import Function
from pilotlight_autoscaler.quiet import CLOCK_STEP, LONGEST_SECONDS, Quiet

from .decide import ClaimRate, PoolKey, PoolObserved, PoolSpec, decide

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from pilotlight.cache import Cache
    from pilotlight.compute import Compute, Pod
    from pilotlight_autoscaler.creations import Creations
    from pilotlight_autoscaler.metrics import AutoscalerMetrics

__all__ = ["PoolKeeper"]

TICK_SECONDS = 5.0
REFILLS_BESIDE_CLAIMS = 1
"""Generic pods that an account may have made at once while claims of others wait."""
START_SECONDS = 60.0
FIRST_GUESS_SECONDS = 3.0
"""How long a pod takes to start, before one has."""
SMOOTHING = 0.3
FAILURE_SECONDS = 10.0
"""How long a pool rests after a start that failed."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Pool:
    ready: deque[Pod] = field(default_factory=deque)
    stale: deque[Pod] = field(default_factory=deque)
    """Made as the runtime was before; each serves until there is a newer one in its place."""
    recipe: str = ""
    starting: int = 0
    rate: ClaimRate = field(default_factory=ClaimRate)
    refill_seconds: float = FIRST_GUESS_SECONDS
    last_interest: float | None = None
    resting_until: float = 0.0
    memories: Counter[int] = field(default_factory=Counter)
    """How many functions have so many MB."""

    @property
    def expected_memory(self) -> int:
        """What most functions have that fit, of which the next one is probably one."""
        fit = (memory for memory in self.memories if memory <= GENERIC_MEMORY)
        return max(fit, key=self.memories.__getitem__, default=0)


class PoolKeeper:
    """All pools of generic pods."""

    def __init__(
        self,
        compute: Compute,
        spec_of: Callable[[str], Awaitable[PoolSpec | None]],
        metrics: AutoscalerMetrics,
        creations: Creations,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Ask `spec_of` for a runtime's bounds; None means that it has no pool.

        The clock is the running loop's unless another is given.
        """
        self._compute = compute
        self._spec_of = spec_of
        self._metrics = metrics
        self._creations = creations
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self.quiet = Quiet(self._clock)
        self._pools: dict[PoolKey, _Pool] = {}
        self._owing_since: float | None = None
        self._demands: Counter[str] = Counter()
        """Who waits for a pod of his own, by account's namespace."""
        self._needed = asyncio.Event()
        self._starts: set[asyncio.Task[None]] = set()
        self._stops: set[asyncio.Task[None]] = set()

    def take(self, key: PoolKey) -> Pod | None:
        """Hand out a generic pod, the one that waited longest; None where none is ready."""
        pool = self._pool(key)
        now = self._clock()
        pool.rate.add(now)
        pool.last_interest = now
        self._owing_since = now if self._owing_since is None else self._owing_since
        self._needed.set()
        return self.take_late(key)

    def take_late(self, key: PoolKey) -> Pod | None:
        """Hand out a generic pod that came after `take` had found none."""
        pool = self._pool(key)
        waiting = pool.ready or pool.stale
        return waiting.popleft() if waiting else None

    def interest(self, key: PoolKey) -> None:
        """Note that a function that the pool can serve has come or changed."""
        self._pool(key).last_interest = self._clock()
        self._needed.set()

    def adopt(self, key: PoolKey, pod: Pod, recipe: str) -> None:
        """Let a pod serve that an earlier leader started, made as `recipe` says.

        Where the runtime is made otherwise by now, until there is one of ours in its place.
        """
        pool = self._pool(key)
        pool.recipe = pool.recipe or recipe
        (pool.ready if recipe == pool.recipe else pool.stale).append(pod)
        self._creations.saw(pod.node)
        self._needed.set()

    def give_up(self, accounts: set[str]) -> Pod | None:
        """Take a generic pod that nobody waits for out of these accounts' largest pool, if any."""
        pools = [pool for key, pool in self._pools.items() if key.namespace in accounts]
        waiting = [kind for pool in pools for kind in (pool.stale, pool.ready)]
        largest = max(waiting, key=len, default=None)
        return largest.pop() if largest else None

    def forget(self, pod: str) -> None:
        """Note that a pod went by itself."""
        for pool in self._pools.values():
            for waiting in (pool.ready, pool.stale):
                for gone in [one for one in waiting if one.name == pod]:
                    waiting.remove(gone)
                    self._needed.set()

    def pods(self) -> set[str]:
        """Name the pods that wait."""
        return {pod.name for pool in self._pools.values() for pod in (*pool.ready, *pool.stale)}

    def accounts(self) -> Counter[str]:
        """Count the pods that wait, by account's namespace."""
        ready: Counter[str] = Counter()
        for key, (count, _) in self.sizes().items():
            ready[key.namespace] += count
        return ready

    def measure(self) -> None:
        """Bring the gauges up to date, for who reads them now."""
        self._metrics.measure_pools((*key, *size) for key, size in self.sizes().items())

    def sizes(self) -> dict[PoolKey, tuple[int, int]]:
        """Return each pool's ready and starting pods."""
        return {
            key: (len(pool.ready) + len(pool.stale), pool.starting)
            for key, pool in self._pools.items()
        }

    @contextmanager
    def demand(self, namespace: str) -> Iterator[None]:
        """Hold refills back while somebody waits for a pod of his own."""
        self._demands[namespace] += 1
        try:
            with self.quiet.demand():
                yield
        finally:
            self._demands[namespace] -= 1
            self._needed.set()

    async def run(self) -> None:
        """Decide again whenever something changed, and now and then; for ever."""
        while True:
            self._needed.clear()
            for key in list(self._pools):
                await self._adjust(key)
            try:
                async with asyncio.timeout(self._patience()):
                    await self._needed.wait()
            except TimeoutError:
                continue

    def follow(self, cache: Cache) -> None:
        """Take an interest in every function that comes or changes."""
        cache.on_change(Function, self._function_changed)

    def _function_changed(self, before: Function | None, after: Function | None) -> None:
        if before is not None and (key := _key_of(before)) is not None:
            memories = self._pool(key).memories
            memories[before.spec.memory] -= 1
            memories += Counter()  # which keeps what is above zero
        if after is not None and (key := _key_of(after)) is not None:
            self._pool(key).memories[after.spec.memory] += 1
            self.interest(key)

    async def close(self) -> None:
        """Stop every generic pod."""
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        pods, self._pools = self.pods(), {}
        await asyncio.gather(*self._stops, *(self._compute.stop(pod) for pod in pods))

    def _pool(self, key: PoolKey) -> _Pool:
        return self._pools.setdefault(key, _Pool())

    async def _adjust(self, key: PoolKey) -> None:
        pool = self._pool(key)
        now = self._clock()
        spec = await self._spec_of(key.runtime)
        if spec is None or now < pool.resting_until:
            return
        _follow_recipe(pool, spec.recipe)
        observed = PoolObserved(
            ready=len(pool.ready),
            starting=pool.starting,
            rate=pool.rate.at(now),
            refill_seconds=pool.refill_seconds,
            last_interest=pool.last_interest,
        )
        decision = decide(now, observed, spec)
        missing = decision.start + pool.starting
        for _ in range(min(decision.start, self._free_starts(key.namespace))):
            self._start(key, pool)
        for _ in range(min(decision.stop, len(pool.ready))):
            self._stop(pool.ready.pop())
        # What is missing still has a stale pod in its place: nobody finds the pool empty meanwhile.
        while len(pool.stale) > missing:
            self._stop(pool.stale.popleft())

    def _stop(self, pod: Pod) -> None:
        """Stop a pod; nobody waits for it."""
        task = asyncio.create_task(self._compute.stop(pod.name))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    def _held(self) -> float:
        """Return how long refills are held back, in seconds, but for a demand."""
        now = self._clock()
        owing_since = now if self._owing_since is None else self._owing_since
        return min(self.quiet.left(), owing_since + LONGEST_SECONDS - now)

    def _patience(self) -> float:
        """Return how long nothing changes by itself."""
        held = self._held()
        return held + CLOCK_STEP if held > 0 else TICK_SECONDS

    def _free_starts(self, namespace: str) -> int:
        """Return how many refills an account may begin now."""
        if self._held() > 0:
            return 0
        if any(count for other, count in self._demands.items() if other != namespace):
            waits = self._creations.is_waited_for(namespace)
            return 0 if waits else REFILLS_BESIDE_CLAIMS - self._starting(namespace)
        if self._demands[namespace]:
            return 0
        most = self._creations.limit // 2  # claims that come find turns free
        return min(most - self._starting(), self._creations.free)

    def _starting(self, namespace: str | None = None) -> int:
        """Count the refills of one account or of all.

        Not by the tasks: one that has just ended tells so before it is out of their set.
        """
        pools = self._pools.items()
        return sum(pool.starting for key, pool in pools if namespace in {None, key.namespace})

    def _start(self, key: PoolKey, pool: _Pool) -> None:
        pool.starting += 1
        self._owing_since = None
        turn = self._creations.refill(key.namespace)
        task = asyncio.create_task(self._refill(key, pool, turn))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _refill(
        self, key: PoolKey, pool: _Pool, turn: AbstractAsyncContextManager[object]
    ) -> None:
        began, recipe = self._clock(), pool.recipe
        request = PodRequest(
            namespace=key.namespace,
            runtime=key.runtime,
            memory=GENERIC_MEMORY,
            ephemeral_storage=GENERIC_STORAGE,
            expected_memory=pool.expected_memory,
        )
        try:
            async with turn:
                start = self._compute.start(request, seconds=START_SECONDS)
                pod = await self._creations.timed("pool", start)
                (pool.ready if recipe == pool.recipe else pool.stale).append(pod)
        except PilotlightError as error:
            log.warning("generic pod not started", pool=str(key), error=str(error))
            self._metrics.pool_starts_failed.labels(*key).inc()
            pool.resting_until = self._clock() + FAILURE_SECONDS
        else:
            took = self._clock() - began
            pool.refill_seconds += SMOOTHING * (took - pool.refill_seconds)
        finally:
            pool.starting -= 1
            self._needed.set()


def _key_of(function: Function) -> PoolKey | None:
    """Return the pool that can serve a function; None where it brings an image."""
    runtime = function.spec.runtime
    return PoolKey(function.metadata.namespace, runtime) if runtime else None


def _follow_recipe(pool: _Pool, recipe: str) -> None:
    """Let what waits be stale once the runtime is made in another way."""
    if recipe != pool.recipe:
        pool.stale.extend(pool.ready)
        pool.ready.clear()
        pool.recipe = recipe
