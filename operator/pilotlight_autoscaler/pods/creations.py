"""How many pods are made at once: as many as nodes start without harm, whatever is asked for.

A node that makes a hundred pods at once starts none of them in time, and what it runs suffers with
it. So who needs a pod made waits for a turn, functions one after the other (`turns`), and is
refused, with nothing begun, where it comes too late to be of use. Pods that stand ready, of the
pool and of the stock, are no part of this.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from pilotlight.errors import ThrottledError

from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pilotlight.resources import Key

__all__ = ["PER_NODE", "Creations"]

PER_NODE = 8
"""Pods that are made at once for each node. A node of two processors starts one or two a second
(docs/performance.md): with more at once none is there earlier."""
LEAST_SECONDS = 3.0
"""A pod that must be there sooner is not begun."""
EVERYWHERE = ""


class Creations:
    """The turns of all who need a pod made."""

    def __init__(self, nodes: Callable[[], int]) -> None:
        """Ask `nodes` how many nodes have been seen to run pods."""
        self._nodes = nodes
        self._turns = Turns(PER_NODE)

    @asynccontextmanager
    async def turn(self, function: Key, seconds: float) -> AsyncIterator[float]:
        """Wait for a function's turn; gives the seconds that are left; raises ThrottledError."""
        self._turns.learn(EVERYWHERE, PER_NODE * self._nodes())
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(max(clock(), deadline - LEAST_SECONDS)):
                    await stack.enter_async_context(self._turns.turn(EVERYWHERE, function))
            except TimeoutError as error:
                raise ThrottledError(
                    f"Rate Exceeded: {seconds - LEAST_SECONDS:.0f} s were too short to begin a "
                    "pod, for others were being made",
                    reason="ConcurrentInvocationLimitExceeded",
                    retry_after=1,
                ) from error
            yield deadline - clock()
