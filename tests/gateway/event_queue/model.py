"""The queue's protocol as a state machine, small enough to visit every state that it can reach.

One event, a client, and two dispatchers of one or two gateways, each of which may be cut off at any
moment. `explore` visits all states breadth first and gives the first path to one that breaks a
promise of docs/events.md. `Variant` holds the mistakes that the check must find.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Broken", "Explored", "Variant", "explore"]

MOST_EPOCHS = 4
MOST_TRIES = 2
WORKERS = (0, 1)


class Variant(Enum):
    """The protocol, and ways to get it wrong."""

    RIGHT = auto()
    ACK_BEFORE_COMMIT = auto()
    SETTLE_WITHOUT_EPOCH = auto()
    LEASE_WITHOUT_NEW_EPOCH = auto()
    RETRY_FORGETS_THE_LEASE = auto()
    COUNT_WITHOUT_THE_EVENT = auto()


class Row(Enum):
    """Where the event is, on disk."""

    ABSENT = auto()
    WAITING = auto()
    LEASED = auto()
    EXPIRED = auto()
    FORGOTTEN = auto()
    """In flight, and no lease that could end: only a mistake leads there."""
    DONE = auto()
    DEAD = auto()


class State(NamedTuple):
    """Everything that there is."""

    row: Row = Row.ABSENT
    epoch: int = 0
    tries: int = 0
    enqueued: int = 0
    ended: int = 0
    """How often the event was counted as done or dead."""
    sent: bool = False
    """Whether the gateway holds the event in memory, not committed yet."""
    answered: bool = False
    """Whether the client has its 202."""
    held: tuple[int, int] = (0, 0)
    """The epoch that each dispatcher holds; 0 is none."""
    newest: int = -1
    """The dispatcher that leased last."""
    overruled: bool = False
    """Whether somebody settled over the head of the newest lease."""


@dataclass(frozen=True)
class Broken:
    """A promise that does not hold, and the way there."""

    promise: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class Explored:
    """What a visit of all states found."""

    states: int
    broken: Broken | None


def explore(variant: Variant) -> Explored:
    """Visit every state that can be reached."""
    paths: dict[State, tuple[str, ...]] = {State(): ()}
    before: dict[State, set[State]] = {}
    waiting = deque(paths)
    while waiting:
        state = waiting.popleft()
        if promise := _broken_promise(state):
            return Explored(len(paths), Broken(promise, paths[state]))
        for action, after in _steps(state, variant):
            before.setdefault(after, set()).add(state)
            if after not in paths:
                paths[after] = (*paths[state], action)
                waiting.append(after)
    return Explored(len(paths), _stuck(paths, before))


def _broken_promise(state: State) -> str | None:
    there = state.row is not Row.ABSENT
    alive = there and state.row not in {Row.DONE, Row.DEAD}
    if state.answered and not there:
        return "what was answered with 202 is kept"
    if state.ended > 1:
        return "an event ends once"
    if state.overruled:
        return "only the newest lease settles"
    if state.enqueued != alive + state.ended:
        return "every event that came is somewhere"
    return None


def _stuck(paths: dict[State, tuple[str, ...]], before: dict[State, set[State]]) -> Broken | None:
    """Find a state from which the event cannot end any more."""
    # At the bound it is the exploration that ends, not the event.
    ending = {state for state in paths if state.ended or state.epoch == MOST_EPOCHS}
    waiting = deque(ending)
    while waiting:
        for earlier in before.get(waiting.popleft(), set()) - ending:
            ending.add(earlier)
            waiting.append(earlier)
    for state, path in paths.items():
        if state.answered and state not in ending:
            return Broken("what was answered with 202 can still end", path)
    return None


def _steps(state: State, variant: Variant) -> Iterator[tuple[str, State]]:
    yield from _client_steps(state, variant)
    if state.row is Row.LEASED:
        yield "the lease ends", state._replace(row=Row.EXPIRED)
    yield "the gateway is killed", state._replace(sent=False, held=(0, 0))
    for worker in WORKERS:
        if not state.held[worker] and state.row in {Row.WAITING, Row.EXPIRED}:
            yield from _lease(state, worker, variant)
        if state.held[worker]:
            yield from _settle(state, worker, variant)
            yield f"{worker} is cut off", state._replace(held=_put(state.held, worker, 0))


def _client_steps(state: State, variant: Variant) -> Iterator[tuple[str, State]]:
    if not state.sent and not state.enqueued:
        yield "the client sends", state._replace(sent=True)
    if state.sent and not state.enqueued:
        yield "commit", state._replace(row=Row.WAITING, enqueued=1)
    committed = state.enqueued or variant is Variant.ACK_BEFORE_COMMIT
    if state.sent and committed and not state.answered:
        yield "202", state._replace(answered=True)


def _lease(state: State, worker: int, variant: Variant) -> Iterator[tuple[str, State]]:
    epoch = state.epoch + 1
    if variant is Variant.LEASE_WITHOUT_NEW_EPOCH:
        epoch = 1
    if epoch <= MOST_EPOCHS:
        held = _put(state.held, worker, epoch)
        after = state._replace(row=Row.LEASED, epoch=epoch, held=held, newest=worker)
        yield f"{worker} leases epoch {epoch}", after


def _settle(state: State, worker: int, variant: Variant) -> Iterator[tuple[str, State]]:
    dropped = state._replace(held=_put(state.held, worker, 0))
    if not _in_force(state, worker, variant):
        late = int(variant is Variant.COUNT_WITHOUT_THE_EVENT)
        yield f"{worker} is too late", dropped._replace(ended=state.ended + late)
        return
    dropped = dropped._replace(overruled=state.newest != worker)
    ended = dropped._replace(ended=state.ended + 1)
    yield f"{worker}: done", ended._replace(row=Row.DONE)
    yield f"{worker}: dead", ended._replace(row=Row.DEAD)
    if state.tries < MOST_TRIES:
        forgets = variant is Variant.RETRY_FORGETS_THE_LEASE
        row = Row.FORGOTTEN if forgets else Row.WAITING
        yield f"{worker}: again", dropped._replace(row=row, tries=state.tries + 1)


def _in_force(state: State, worker: int, variant: Variant) -> bool:
    if variant is Variant.SETTLE_WITHOUT_EPOCH:
        return state.row not in {Row.ABSENT, Row.DONE}
    leased = state.row in {Row.LEASED, Row.EXPIRED}
    return leased and state.held[worker] == state.epoch


def _put(held: tuple[int, int], worker: int, epoch: int) -> tuple[int, int]:
    return (epoch, held[1]) if worker == 0 else (held[0], epoch)
