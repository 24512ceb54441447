"""Turns of starts: few at once on each node, functions by turns.

A start is work for a node's processors. Twenty at once take each as long as all together; a
function that needs one would wait for the twenty of another. So they queue, and who waits is served
by function, not by order. Decides on its state; `starts` takes a turn around each specialisation.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pilotlight.resources import Key

__all__ = ["STARTS_PER_NODE", "Lanes"]

STARTS_PER_NODE = 2
"""A start takes about 20 ms of a processor: two at once are a hundred a second, on any node."""


@dataclass(slots=True)
class _Node:
    running: int = 0
    waiting: OrderedDict[Key, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)


class Lanes:
    """The turns on all nodes."""

    def __init__(self, per_node: int = STARTS_PER_NODE) -> None:
        self._per_node = per_node
        self._nodes: dict[str, _Node] = {}

    def running(self, node: str) -> int:
        """Count the turns that are taken on a node."""
        return self._nodes[node].running if node in self._nodes else 0

    @asynccontextmanager
    async def turn(self, node: str, function: Key) -> AsyncIterator[None]:
        """Wait for a turn of a function on a node, and hold it."""
        state = self._nodes.setdefault(node, _Node())
        if state.running < self._per_node:
            state.running += 1
        else:
            await self._wait(node, state, function)
        try:
            yield
        finally:
            self._pass_on(node, state)

    async def _wait(self, node: str, state: _Node, function: Key) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        state.waiting.setdefault(function, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just come
                self._pass_on(node, state)
            raise

    def _pass_on(self, node: str, state: _Node) -> None:
        """Give a turn that ended to the function that waits longest for one."""
        while state.waiting:
            function, turns = state.waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                state.waiting[function] = turns
            if not turn.done():
                turn.set_result(None)
                return
        state.running -= 1
        if not state.running:
            self._nodes.pop(node, None)
