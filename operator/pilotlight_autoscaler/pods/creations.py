"""How many pods are made at once: as many as nodes start without harm, whatever is asked for.

A node that makes a hundred pods at once starts none of them in time, and what it runs suffers with
it. So who needs a pod made waits for a turn, accounts and their functions one after the other
(`turns`). Whose turn cannot come in time is refused with nothing begun, a function's first at once;
further ones wait, for what is free meanwhile serves their callers too. A claim that nobody waits
for any more leaves. Pods that stand ready, of the pool and of the stock, are no part of this.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from pilotlight.errors import ThrottledError, WithdrawnError

from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pilotlight.claims import Demand
    from pilotlight.resources import Key

__all__ = ["PER_NODE", "Creations"]

PER_NODE = 8
"""Pods that are made at once for each node. A node of two processors starts one or two a second
(docs/performance.md): with more at once none is there earlier."""
LEAST_SECONDS = 3.0
"""A pod that must be there sooner is not begun."""
EVERYWHERE = ""
FIRST_GUESS_SECONDS = 1.0
"""How long a pod takes to be made, before one was."""
SMOOTHING = 0.2


class Creations:
    """The turns of all who need a pod made."""

    def __init__(self, nodes: Callable[[], int]) -> None:
        """Ask `nodes` how many nodes have been seen to run pods."""
        self._nodes = nodes
        self._turns = Turns(PER_NODE)
        self._seconds = FIRST_GUESS_SECONDS
        """How long a pod takes to be made, on average."""

    @asynccontextmanager
    async def turn(self, function: Key, seconds: float, demand: Demand) -> AsyncIterator[float]:
        """Wait for a function's turn; gives the seconds that are left.

        Raises ThrottledError, and WithdrawnError where the demand is withdrawn before its turn.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        latest = max(clock(), deadline - LEAST_SECONDS)
        self._turns.learn(EVERYWHERE, PER_NODE * self._nodes())
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

    def under_way(self, function: Key) -> AbstractContextManager[None]:
        """Count a pod that an earlier leader has made: it keeps a node as busy as any."""
        self._turns.learn(EVERYWHERE, PER_NODE * self._nodes())
        return self._turns.hold(EVERYWHERE, function)

    def _wait(self, function: Key) -> float:
        """Return how long a function that has no pod in creation is likely to wait, in seconds."""
        ahead = self._turns.ahead(EVERYWHERE, function)
        return ahead * self._seconds / (PER_NODE * self._nodes())


def _end(waiting: asyncio.Timeout) -> None:
    if not waiting.expired():
        waiting.reschedule(asyncio.get_running_loop().time())


def _too_late(seconds: float) -> ThrottledError:
    return ThrottledError(
        f"Rate Exceeded: {seconds:.0f} s were too short to begin a pod, for others were being made",
        reason="ConcurrentInvocationLimitExceeded",
        retry_after=1,
    )
