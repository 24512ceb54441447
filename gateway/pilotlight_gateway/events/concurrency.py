"""How many events of a function run at once: as many as the rate that is wanted keeps busy.

Little's law: what is in work is the rate times how long each takes. So a backlog of events of ten
milliseconds gets a few environments, not one for each event, and one of events of minutes gets all
there may be. The rate that is wanted doubles while events that come in work have waited too long,
and falls back where twice as many at once did not do more: on a full node, or before a slow
database, more of them only take longer. What waits for pods is not helped by asking for more of
them: so no more are in work than twice as many as had an environment at once lately, and a wait
counts from the first one's being there.

How long events take is measured, and counts as it is where nothing holds them up (`Quickest`);
while none ends, what runs says how long it takes at least.
`dispatcher` tells all this, and leases what there is room for.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
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
GROWTH = 1.5
"""By so much more must run at once before a step can be judged."""
GAIN = 1.2
"""And so much more must end in a second for it to stand."""
ENOUGH = 20
"""Events that are counted for it."""
COUNTED_SECONDS = 5.0
"""Or those of so long, where fewer end."""
PATIENCE_SECONDS = 10.0
"""For so long a step waits for its environments, and for the next one where it did not stand."""
SPAN_SECONDS = 10.0
SPANS = 6
"""Of so many the one with the shortest events counts."""
ROUNDING = 1e-9
"""Of an average."""
MOST_FUNCTIONS = 10_000
"""Functions that are remembered; the one unused longest is forgotten first."""


class Quickest:
    """How long events take when nothing holds them up: the lowest average of the last few spans.

    Crowded processors lengthen them all, and more at once would crowd those more.
    """

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float, int]] = deque(maxlen=SPANS)
        """When each ends, and the sum and the count of what ended in it."""

    @property
    def seconds(self) -> float:
        """The average, 0 while nothing has ended."""
        return min((total / count for _, total, count in self._spans), default=0.0)

    def note(self, seconds: float, now: float) -> None:
        """Take note of one that ended."""
        end, total, count = self._spans[-1] if self._spans else (-math.inf, 0.0, 0)
        if now < end:
            self._spans[-1] = end, total + seconds, count + 1
        else:
            self._spans.append((now + SPAN_SECONDS, seconds, 1))


@dataclass(slots=True)
class Step:
    """A doubling of the rate that is not judged yet: how it was before."""

    pace: float
    """Events that ended in a second."""
    together: int
    """How many ran at once."""
    at: float
    grown: bool = False
    """Whether more run at once since."""


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
    _quickest: Quickest = field(default_factory=Quickest)
    _rate: float = RATE
    _step: Step | None = None
    _useful: float = math.inf
    """More at once did not have more of them end; infinite once events wait no longer."""
    _rests_until: float = -math.inf
    _looked_at: float = -math.inf
    """When it was last seen how long events wait."""
    _counted_since: float = 0.0
    _ended: int = 0
    """Events since then."""
    _ended_at: float = -math.inf
    """When the last one did."""
    _busy_since: float = math.inf
    """When the first of those began that ran one after the other until now."""
    _began_last: float = -math.inf

    def limit(self, now: float) -> int:
        """Return how many may be in work."""
        return int(min(self._wanted(now), self.most, max(START, 2 * self._together(now))))

    def room(self, now: float) -> int:
        """Return how many more may come in work."""
        return max(0, self.limit(now) - self.holding)

    def rises_at(self, now: float) -> float:
        """Return when the limit rises if nothing happens but that what runs goes on running."""
        limit = self.limit(now)
        if not self._began or limit >= min(self.most, self._useful, 2 * self._together(now)):
            return math.inf
        until = self._oldest(now) + INITIALISING_SECONDS + limit / self._rate
        return max(until, self._ended_at + REMEMBERED_SECONDS)

    def leased(self, now: float, waited: float) -> None:
        """Take note of an event that comes in work, and how long it waited since it was due."""
        if now - self._looked_at >= STEP_SECONDS:
            self._look(now, min(waited, max(0.0, now - self._busy_since)))
        self.holding += 1

    def began(self, event: str, now: float) -> None:
        """Take note that an event has an environment."""
        if not self._began and now - self._began_last > REMEMBERED_SECONDS:
            self._busy_since = now
        self._began_last = now
        self._began.setdefault(event, now)
        if len(self._began) >= self._together(now):
            self._ran_at_once, self._ran_at = len(self._began), now

    def ended(self, event: str, seconds: float | None, now: float) -> None:
        """Take note that an event ran, and for how long; None where it did not."""
        self.holding -= 1
        self._began.pop(event, None)
        if seconds is not None:
            self._ended += 1
            self._ended_at = now
            self._quickest.note(seconds, now)

    def _look(self, now: float, waited: float) -> None:
        """Have more where events wait, and fewer where they do not."""
        self._looked_at = now
        if waited > DRAIN_SECONDS:
            self._judge(now)
            return
        self._count_anew(now)
        if waited < DRAIN_SECONDS / 2:
            self._rate, self._step, self._useful = max(RATE, self._rate / 2), None, math.inf

    def _judge(self, now: float) -> None:
        """Take the next step if the last one made more of them end, back if it did not."""
        step, counted = self._step, now - self._counted_since
        if now < self._rests_until:
            return
        if step is not None and not step.grown and now - step.at < PATIENCE_SECONDS:
            step.grown = self._together(now) >= GROWTH * step.together
            self._count_anew(now)
        elif step is None and self._wanted(now) > self.limit(now):
            self._count_anew(now)  # others than the rate keep it from running more
        elif self._ended >= ENOUGH or counted >= COUNTED_SECONDS:
            pace = self._ended / counted
            self._count_anew(now)
            if step is None or pace >= GAIN * step.pace:
                self._rise(now, pace)
            else:
                self._step, self._rests_until = None, now + PATIENCE_SECONDS
                self._rate, self._useful = max(RATE, self._rate / 2), max(START, step.together)

    def _rise(self, now: float, pace: float) -> None:
        self._step = Step(pace, self._together(now), now)
        needed = self.limit(now) / self._duration(now) if self._duration(now) else 0.0
        self._rate = min(2 * max(self._rate, needed), self._highest_rate(now))
        self._useful *= 2

    def _count_anew(self, now: float) -> None:
        self._counted_since, self._ended = now, 0

    def _wanted(self, now: float) -> float:
        """Return how many the rate keeps busy, but no more than do more."""
        busy = math.ceil(self._rate * self._duration(now) - ROUNDING)
        return min(self._useful, max(START, busy))

    def _highest_rate(self, now: float) -> float:
        """Return the rate at which all run that may."""
        duration = self._duration(now)
        return max(RATE, self.most / duration) if duration else self._rate

    def _duration(self, now: float) -> float:
        """Return how long an event takes, as far as is known, in seconds."""
        if now - self._ended_at < REMEMBERED_SECONDS:
            return self._quickest.seconds
        return max(self._quickest.seconds, now - self._oldest(now) - INITIALISING_SECONDS)

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
        self._concurrency.ended(self._event, self._seconds, loop_time())
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
