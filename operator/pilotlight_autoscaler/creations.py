"""How many pods are made at once: as many as nodes start without harm, whatever is asked for.

A node that makes a hundred pods at once starts none of them in time, and what it runs suffers with
it. So who needs a pod made waits for a turn, accounts and their functions one after the other
(`turns`). Refills of pools are part of the same budget: an account's take its turns.
Whose turn cannot come in time is refused with nothing begun, a function's first at once; further
ones wait, for what is free meanwhile serves their callers too. A claim that nobody waits for any
more leaves. Pods that stand ready, of the pool and of the stock, are no part of this.
"""

from __future__ import annotations

import asyncio
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from typing import TYPE_CHECKING

from pilotlight.errors import ThrottledError, WithdrawnError
from pilotlight.resources import Key

from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from pilotlight.claims import Demand
    from pilotlight.compute import Pod

    from .metrics import AutoscalerMetrics

__all__ = ["MOST_PER_NODE", "PER_NODE", "Creations", "turns_of"]

PER_NODE, PER_PROCESSOR, MOST_PER_NODE = 4, 2, 16
"""Pods that are made at once for each node: at least, for each of its processors, and at most. One
of two processors starts one or two a second (docs/performance.md): with more at once none is there
earlier, and what runs there waits for all of them."""
LEAST_SECONDS = 3.0
"""A pod that must be there sooner is not begun."""
EVERYWHERE = ""
FIRST_GUESS_SECONDS = 1.0
"""How long a pod takes to be made, before one was."""
SMOOTHING = 0.2


class Creations:
    """The turns of all who need a pod made."""

    def __init__(self, metrics: AutoscalerMetrics) -> None:
        self._metrics = metrics
        self._nodes: dict[str, int] = {}
        """How many pods each node that was seen may make at once."""
        self._turns = Turns(PER_NODE)
        self._seconds = FIRST_GUESS_SECONDS
        """How long a pod takes to be made, on average."""

    @property
    def limit(self) -> int:
        """How many pods may be made at once."""
        return sum(self._nodes.values()) or PER_NODE

    @property
    def free(self) -> int:
        """Count the turns that nobody has nor waits for: refills may take them."""
        if self._turns.waiting(EVERYWHERE).total():
            return 0
        return max(0, self.limit - self._turns.running(EVERYWHERE))

    def saw(self, node: str, processors: int = 0) -> None:
        """Note a node that runs a pod, and its processors, if they are known: it starts others."""
        self._nodes[node] = max(turns_of(processors), self._nodes.get(node, 0))
        self._turns.learn(EVERYWHERE, self.limit)

    async def timed(self, kind: str, start: Awaitable[Pod]) -> Pod:
        """Wait for a pod that is made, and note how long that took and where."""
        began = asyncio.get_running_loop().time()
        pod = await start
        took = asyncio.get_running_loop().time() - began
        self._metrics.pod_seconds.labels(kind).observe(took)
        self.saw(pod.node)
        return pod

    def measure(self) -> None:
        """Bring the gauges up to date, for who reads them now."""
        running, waiting = self._turns.running(EVERYWHERE), self._turns.waiting(EVERYWHERE)
        self._metrics.measure_creations(running, waiting.total(), self.limit)

    @asynccontextmanager
    async def turn(self, function: Key, seconds: float, demand: Demand) -> AsyncIterator[float]:
        """Wait for a function's turn; gives the seconds that are left.

        Raises ThrottledError, and WithdrawnError where the demand is withdrawn before its turn.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        latest = max(clock(), deadline - LEAST_SECONDS)
        self._turns.learn(EVERYWHERE, self.limit)
        if clock() + self._wait(function) > latest:
            raise _too_late(latest - clock())
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(latest) as waiting:
                    with demand.waiting(lambda: _end(waiting)):
                        await stack.enter_async_context(self._turns.turn(EVERYWHERE, function))
            except TimeoutError as error:
                if not demand.withdrawn:
                    raise _too_late(seconds - LEAST_SECONDS) from error
            if demand.withdrawn:
                raise WithdrawnError("nobody waits for the pod any more")
            began = clock()
            try:
                yield deadline - began
            finally:
                self._seconds += SMOOTHING * (clock() - began - self._seconds)

    def is_waited_for(self, namespace: str) -> bool:
        """Say whether a claim of an account's functions waits for its turn."""
        waiting = self._turns.waiting(EVERYWHERE, namespace)
        return any(count for function, count in waiting.items() if function.name)

    def refill(self, namespace: str) -> AbstractAsyncContextManager[bool]:
        """Wait for an account's turn to refill its pool, for as long as that takes."""
        self._turns.learn(EVERYWHERE, self.limit)
        return self._turns.turn(EVERYWHERE, Key(namespace, ""))

    def under_way(self, function: Key) -> AbstractContextManager[None]:
        """Count a pod that is made without waiting: what an earlier leader began."""
        self._turns.learn(EVERYWHERE, self.limit)
        return self._turns.hold(EVERYWHERE, function)

    def _wait(self, function: Key) -> float:
        """Return how long a function that has no pod in creation is likely to wait, in seconds."""
        ahead = self._turns.ahead(EVERYWHERE, function)
        return ahead * self._seconds / self.limit


def turns_of(processors: int) -> int:
    """Return how many pods a node with so many processors may make at once."""
    return min(MOST_PER_NODE, max(PER_NODE, PER_PROCESSOR * processors))


def _end(waiting: asyncio.Timeout) -> None:
    if not waiting.expired():
        waiting.reschedule(asyncio.get_running_loop().time())


def _too_late(seconds: float) -> ThrottledError:
    left = max(0.0, seconds)  # who waited for a leader may have none
    return ThrottledError(
        f"Rate Exceeded: {left:.1f} s were too short to begin a pod, for others were being made",
        reason="ConcurrentInvocationLimitExceeded",
        retry_after=1,
        of_room=True,
    )
