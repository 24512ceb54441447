"""Turns of starts: few at once on each node, and one that is left for functions that come new.

A start is work for a node's processors. Twenty at once take each as long as all together; a
function that needs one would wait for the twenty of another. So they queue, and are served not by
order: accounts take turns, and within each its functions. A function's first start may take the
last turn; further ones leave it free, and so wait while another function's first has it, but for
those of an account that has less than its share of the turns, and for what was passed over as often
as there are turns: a flood of new functions, its own or another account's, does so for ever else.
Each function is first once until the node rests. Decides on its state; `starts` takes a turn for as
long as a start keeps processors busy.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pilotlight.resources import Key

__all__ = ["LEAST_STARTS", "Turns"]

LEAST_STARTS = 2
"""Starts at once on a node, however small. One takes a processor for about 20 ms: as many at once
as a node has processors are fifty a second from each."""


_Queues = OrderedDict["Key", deque[asyncio.Future[None]]]


@dataclass(slots=True)
class _Node:
    turns: int
    """How many there are."""
    running: Counter[Key] = field(default_factory=Counter)
    served: set[Key] = field(default_factory=set)
    """Functions that had a turn since the node rested."""
    passed: Counter[Key] = field(default_factory=Counter)
    """How often a function that waits was passed over: another one got the last turn."""
    waiting: OrderedDict[str, _Queues] = field(default_factory=OrderedDict)
    """By account's namespace and function; who waits longest for a turn comes first."""

    def queue(self, function: Key) -> deque[asyncio.Future[None]] | None:
        """Return who waits for a turn of a function; None where nobody does."""
        functions = self.waiting.get(function.namespace)
        return functions.get(function) if functions else None


class Turns:
    """The turns on all nodes."""

    def __init__(self, least: int = LEAST_STARTS) -> None:
        self._least = least
        self._processors: dict[str, int] = {}
        self._nodes: dict[str, _Node] = {}

    def learn(self, node: str, processors: int) -> None:
        """Note how many processors a node has; until then it has the fewest turns."""
        if self._processors.get(node) == processors:
            return
        self._processors[node] = processors
        if node in self._nodes:
            self._nodes[node].turns = self._turns(node)
            self._grant_all(self._nodes[node])

    def running(self, node: str, function: Key | None = None) -> int:
        """Count the turns that are taken on a node, by one function or by all."""
        if node not in self._nodes:
            return 0
        taken = self._nodes[node].running
        return taken.total() if function is None else taken[function]

    def waiting(self, node: str, namespace: str | None = None) -> Counter[Key]:
        """Count who waits for a turn on a node by function, of one account's or of all."""
        state = self._nodes.get(node)
        accounts = state.waiting if state else {}
        return Counter(
            {
                function: sum(not turn.done() for turn in turns)
                for account, functions in accounts.items()
                if namespace in {None, account}
                for function, turns in functions.items()
            }
        )

    def ahead(self, node: str, function: Key) -> int:
        """Count the turns before a function's first; 0 where it has one or waits for one."""
        state = self._nodes.get(node)
        if state is None or state.running[function] or state.queue(function):
            return 0
        if self._may_start(state, function):
            return 0
        sizes = {namespace: len(functions) for namespace, functions in state.waiting.items()}
        mine = sizes.get(function.namespace, 0) + 1
        return sum(min(mine, size) for size in sizes.values()) + 1

    @asynccontextmanager
    async def turn(self, node: str, function: Key) -> AsyncIterator[bool]:
        """Wait for a turn of a function on a node, and hold it; gives whether it is its first."""
        state = self._nodes.setdefault(node, _Node(self._turns(node)))
        first = function not in state.served and state.queue(function) is None
        if self._may_start(state, function):
            self._take(state, function)
        else:
            await self._wait(node, state, function)
        try:
            yield first
        finally:
            self._end(node, state, function)

    @contextmanager
    def hold(self, node: str, function: Key) -> Iterator[None]:
        """Hold a turn whether one is free or not, for what goes on already."""
        state = self._nodes.setdefault(node, _Node(self._turns(node)))
        self._take(state, function)
        try:
            yield
        finally:
            self._end(node, state, function)

    def _turns(self, node: str) -> int:
        return max(self._least, self._processors.get(node, 0))

    @staticmethod
    def _may_start(state: _Node, function: Key) -> bool:
        """Whether a turn is free; a function's further starts leave the last one to others."""
        taken = state.running.total()
        if taken >= state.turns:
            return False
        is_last = taken >= max(1, state.turns - 1)
        is_first = function not in state.served or state.passed[function] >= state.turns
        return not is_last or is_first or _has_less(state, function.namespace)

    @staticmethod
    def _take(state: _Node, function: Key) -> None:
        state.running[function] += 1
        state.served.add(function)
        state.passed.pop(function, None)

    async def _wait(self, node: str, state: _Node, function: Key) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        functions = state.waiting.setdefault(function.namespace, OrderedDict())
        functions.setdefault(function, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just come
                self._end(node, state, function)
            raise

    def _end(self, node: str, state: _Node, function: Key) -> None:
        """Take a turn back, and give it to whoever waits for it."""
        state.running[function] -= 1
        if not state.running[function]:
            del state.running[function]
        self._grant_all(state)
        if not state.running:
            self._nodes.pop(node, None)

    def _grant_all(self, state: _Node) -> None:
        """Grant the turns that are free to whoever waits for them."""
        while self._grant(state):
            pass

    def _grant(self, state: _Node) -> bool:
        """Grant a turn to who waits longest of those that may; False where none may."""
        passed: list[Key] = []
        for namespace, functions in list(state.waiting.items()):
            granted = self._grant_one_of(state, functions, passed)
            if granted or not functions:
                del state.waiting[namespace]
            if granted:
                if functions:
                    state.waiting[namespace] = functions  # as the last
                state.passed.update(passed)
                return True
        return False

    def _grant_one_of(self, state: _Node, functions: _Queues, passed: list[Key]) -> bool:
        """Grant a turn to one of an account's functions; adds those that it passes over."""
        for function, turns in list(functions.items()):
            while turns and turns[0].done():  # who waited has gone
                turns.popleft()
            if turns and not self._may_start(state, function):
                passed.append(function)
                continue
            del functions[function]
            if turns:
                turns.popleft().set_result(None)
                self._take(state, function)
                if turns:
                    functions[function] = turns
                return True
        return False


def _has_less(state: _Node, namespace: str) -> bool:
    """Whether an account of several has less than its share of a node's turns."""
    taken: Counter[str] = Counter()
    for function, count in state.running.items():
        taken[function.namespace] += count
    accounts = taken.keys() | state.waiting.keys() | {namespace}
    return len(accounts) > 1 and taken[namespace] < state.turns / len(accounts)
