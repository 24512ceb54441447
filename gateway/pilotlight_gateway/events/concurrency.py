"""How many events of a function run at once: as many as the rate that is wanted keeps busy.

Little's law: what is in work is the rate times how long each takes. So a backlog of events of ten
milliseconds gets a few environments, not one for each event, and one of events of minutes gets all
there may be. The rate that is wanted rises by steps while events that come in work have waited too
long. What waits for pods is not helped by asking for more of them: so no more are in work than
twice as many as had an environment at once lately, and a wait counts from the first one's being
there.

How long events take is measured; until one has ended, what runs says how long it takes at least.
`dispatcher` tells all this, and leases what there is room for.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pilotlight_gateway.event_queue.interface import EventLease, FunctionKey

__all__ = ["Concurrencies", "Concurrency", "Place"]

START = 2
"""Events that run at once of a function of which nothing is known."""
RATE = 100.0
"""Events a second that are wanted of every function, so that those that take long are not limited:
where each takes 0.64 s, 64 run at once."""
DRAIN_SECONDS = 2.0
"""An event should wait no longer than that; while one does, the rate rises."""
STEP_SECONDS = 1.0
"""After which the rate may double or halve again."""
INITIALISING_SECONDS = 1.0
"""Of what runs, so much may be the start of its environment."""
REMEMBERED_SECONDS = 5.0
"""For how long it counts how many ran at once."""
WEIGHT = 0.3
"""Of the newest duration in their average."""
MOST_FUNCTIONS = 10_000
"""Functions that are remembered; the one unused longest is forgotten first."""


@dataclass(slots=True)
class Concurrency:
    """The limit of one function in this gateway; times are seconds on any one clock."""

    most: int
    holding: int = 0
    """Events in work: they wait for an environment, or run."""
    _began: dict[str, float] = field(default_factory=dict)
    """When each event began that runs."""
    _ran_at_once: int = 0
    _ran_at: float = -math.inf
    _seconds: float | None = None
    """How long events take, on average."""
    _rate: float = RATE
    _stepped_at: float = -math.inf
    _busy_since: float = math.inf
    """When the first of those began that ran one after the other until now."""
    _began_last: float = -math.inf

    def limit(self, now: float) -> int:
        """Return how many may be in work."""
        wanted = math.ceil(self._rate * self._duration(now))
        return min(self.most, max(START, min(wanted, 2 * self._together(now))))

    def room(self, now: float) -> int:
        """Return how many more may come in work."""
        return max(0, self.limit(now) - self.holding)

    def rises_at(self, now: float) -> float:
        """Return when the limit rises if nothing happens but that what runs goes on running."""
        limit = self.limit(now)
        if not self._began or limit >= min(self.most, 2 * self._together(now)):
            return math.inf
        return self._oldest(now) + INITIALISING_SECONDS + limit / self._rate

    def leased(self, now: float, waited: float) -> None:
        """Take note of an event that comes in work, and how long it waited since it was due."""
        if now - self._stepped_at >= STEP_SECONDS:
            self._step(now, min(waited, max(0.0, now - self._busy_since)))
        self.holding += 1

    def began(self, event: str, now: float) -> None:
        """Take note that an event has an environment."""
        if not self._began and now - self._began_last > REMEMBERED_SECONDS:
            self._busy_since = now
        self._began_last = now
        self._began.setdefault(event, now)
        if len(self._began) >= self._together(now):
            self._ran_at_once, self._ran_at = len(self._began), now

    def ended(self, event: str, seconds: float | None) -> None:
        """Take note that an event ran, and for how long; None where it did not."""
        self.holding -= 1
        self._began.pop(event, None)
        if seconds is not None:
            before = seconds if self._seconds is None else self._seconds
            self._seconds = before + WEIGHT * (seconds - before)

    def _step(self, now: float, waited: float) -> None:
        if waited > DRAIN_SECONDS:
            self._rate = min(2 * self._rate, self._highest_rate(now))
        elif waited < DRAIN_SECONDS / 2:
            self._rate = max(RATE, self._rate / 2)
        else:
            return
        self._stepped_at = now

    def _highest_rate(self, now: float) -> float:
        """Return the rate at which all run that may."""
        duration = self._duration(now)
        return max(RATE, self.most / duration) if duration else self._rate

    def _duration(self, now: float) -> float:
        """Return how long an event takes, as far as is known, in seconds."""
        return max(self._seconds or 0.0, now - self._oldest(now) - INITIALISING_SECONDS)

    def _oldest(self, now: float) -> float:
        """Return when the event began that runs longest."""
        return next(iter(self._began.values()), now)

    def _together(self, now: float) -> int:
        """Return how many ran at once lately."""
        recently = now - self._ran_at <= REMEMBERED_SECONDS
        return max(len(self._began), self._ran_at_once if recently else 0)


class Place:
    """The place of one event among those of its function that are in work."""

    def __init__(
        self, concurrency: Concurrency, lease: EventLease, now: float, more: Callable[[], None]
    ) -> None:
        """Call `more` when there is room for more."""
        self._concurrency = concurrency
        self._event = lease.event.id
        self._more = more
        self._seconds: float | None = None
        concurrency.leased(loop_time(), now - lease.event.due_at)

    def began(self) -> None:
        """Take note that the event has an environment, or needs none."""
        self._concurrency.began(self._event, loop_time())
        self._tell()

    def took(self, seconds: float | None) -> None:
        """Take note of how long it ran, where that is known."""
        self._seconds = seconds

    def leave(self) -> None:
        """Make room: it has run, or does not."""
        self._concurrency.ended(self._event, self._seconds)
        self._tell()

    def _tell(self) -> None:
        if self._concurrency.room(loop_time()):
            self._more()


class Concurrencies:
    """Those of all functions."""

    def __init__(self, most: int) -> None:
        """`most` is what any function gets."""
        self._most = most
        self._of: OrderedDict[FunctionKey, Concurrency] = OrderedDict()

    def of(self, function: FunctionKey) -> Concurrency:
        """Return a function's."""
        found = self._of.setdefault(function, Concurrency(self._most))
        self._of.move_to_end(function)
        if len(self._of) > MOST_FUNCTIONS:
            self._of.popitem(last=False)
        return found

    def rooms(self, working: Iterable[FunctionKey]) -> Callable[[FunctionKey], int]:
        """Return what says how many more events of a function may come in work, as of now.

        It may be asked in another thread, for what changes, that of those in work, is counted here.
        """
        now = loop_time()
        counted = {function: self.of(function).room(now) for function in working}

        def room(function: FunctionKey) -> int:
            if function in counted:
                return counted[function]
            return (self._of.get(function) or Concurrency(self._most)).room(now)

        return room

    def seconds_until_more(self, functions: Iterable[FunctionKey]) -> float:
        """Return when the limit of one of these rises if nothing happens; infinite where none."""
        now = loop_time()
        rises = (self.of(function).rises_at(now) for function in functions)
        return min(rises, default=math.inf) - now


def loop_time() -> float:
    """Return the running loop's clock, in seconds."""
    return asyncio.get_running_loop().time()
