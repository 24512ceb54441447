"""Who gets which environment: the waiting invocations and free environments of one revision.

Decides on its state and does no I/O. Environments pull: one that becomes free goes to the
invocation that waits longest. There are as many claims under way as invocations wait, up to a
bound: environments that become free meanwhile make the claims beyond it unnecessary. Those that
were more than waited for a while are withdrawn (`excess`), the newest first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from pilotlight.errors import ThrottledError

from .idle_history import IdleHistory

if TYPE_CHECKING:
    from pilotlight.claims import Demand

    from .environment import Environment

__all__ = ["LONGEST_QUEUE", "MOST_CLAIMS", "RevisionQueue"]

LONGEST_QUEUE = 1000
"""Invocations that may wait for one revision; more are throttled at once."""
MOST_CLAIMS = 64
"""Claims of one revision that may be under way."""
MOST_FAILED = 3
"""Calls in a row before which a function had to be initialised and could not be."""
FEW = 2
"""Environments of one that fails so."""
PATIENCE_SECONDS = 1.0
"""For how long calls wait for environments that run others, where no new one can be started."""
SMOOTHING = 0.2
"""Weight of the last call in how long calls take."""


class RevisionQueue:
    """The free environments and the waiting invocations of one revision."""

    def __init__(
        self, most_claims: int = MOST_CLAIMS, idle_history: IdleHistory | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.most_claims = most_claims
        self.idle_history = idle_history or IdleHistory()
        """The function's."""
        self.free: deque[Environment] = deque()
        """The one used last is at the right and is taken first; the left idles longest."""
        self.busy = 0
        self.claims = 0
        """Claims under way."""
        self.retired = False
        """Whether the revision is served no more; then nothing becomes free again."""
        self.demands: dict[Demand, None] = {}
        """Of the claims that are under way for who waits; a claim ahead of its call has none."""
        self._waiting: OrderedDict[asyncio.Future[Environment], float] = OrderedDict()
        """Since when each waits; the first waits longest."""
        self._most_waiting = 0
        """Since `excess` was asked last."""
        self._failed = 0
        """How often in a row a call was answered by a failed initialisation."""
        self._call_seconds = 0.0
        """How long calls have taken lately."""
        self._patient = False
        """Whether those wait for environments that run others who would else have claims made."""

    @property
    def waiting(self) -> int:
        """How many invocations wait."""
        return len(self._waiting)

    @property
    def needs_claim(self) -> bool:
        """Whether one more claim should be made."""
        if self.retired or self._patient:
            return False
        return self.claims < min(self.waiting, self.most_claims, self._wanted)

    @property
    def _wanted(self) -> int:
        """How many environments more may be claimed for a function that cannot be initialised."""
        if self._failed < MOST_FAILED:
            return self.most_claims
        return max(0, FEW - self.busy - len(self.free))

    def note(self, *, initialised: bool) -> None:
        """Note whether a call found the function initialised, or could have it so."""
        self._failed = 0 if initialised else self._failed + 1

    @property
    def empty(self) -> bool:
        """Whether nothing of the revision is left here."""
        return not (self.free or self.busy or self.claims or self._waiting)

    def take(self) -> Environment | None:
        """Take a free environment."""
        if not self.free:
            return None
        now = self._loop.time()
        self._called(now)
        self.busy += 1
        environment = self.free.pop()
        environment.busy_since = now
        self.idle_history.used(now - environment.idle_since)
        return environment

    def wait(self) -> asyncio.Future[Environment]:
        """Stand in the queue; raises ThrottledError where it is full."""
        if len(self._waiting) >= LONGEST_QUEUE:
            raise ThrottledError(
                "Rate Exceeded.", reason="ConcurrentInvocationLimitExceeded", retry_after=1
            )
        now = self._loop.time()
        self._called(now)
        waiter: asyncio.Future[Environment] = self._loop.create_future()
        self._waiting[waiter] = now
        self._most_waiting = max(self._most_waiting, self.waiting)
        return waiter

    def excess(self) -> list[Demand]:
        """Return the demands of claims that nobody waited for since this was asked last."""
        needed, self._most_waiting = min(self._most_waiting, self._wanted), self.waiting
        return [one for one in list(self.demands)[needed:] if not one.withdrawn]

    def leave(self, waiter: asyncio.Future[Environment]) -> Environment | None:
        """Stop waiting; returns the environment that came at that very moment, to be given back."""
        if waiter in self._waiting:
            del self._waiting[waiter]
        elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            return waiter.result()
        return None

    def claimed(self, demand: Demand) -> None:
        """Note that a claim has been answered."""
        self.claims -= 1
        self.demands.pop(demand, None)

    def add(self, environment: Environment) -> bool:
        """Take in an environment that was just granted; False where it is not wanted any more."""
        return not environment.ended and self._offer(environment)

    def remove(self, environment: Environment) -> bool:
        """Take out a free environment that went away; False where it is not free."""
        if environment not in self.free:
            return False
        self.free.remove(environment)
        return True

    def retire(self) -> list[Environment]:
        """Let nothing become free any more; returns what was free."""
        self.retired = True
        environments = list(self.free)
        self.free.clear()
        return environments

    def give_back(self, environment: Environment) -> bool:
        """Take back a busy environment; False where it must be released."""
        self.busy -= 1
        now = self._loop.time()
        self._call_seconds += SMOOTHING * (now - environment.busy_since - self._call_seconds)
        if not self.busy:
            self.idle_history.idle_since = now
        return not environment.ended and not environment.shed and self._offer(environment)

    def fail(self, error: Exception, since: float) -> None:
        """Tell the failure of a claim that was made then to the newest who has no other under way.

        Not to who came since: the environments that there are may serve him in a moment.
        """
        if len(self._waiting) <= self.claims:
            return
        for waiter in [one for one, came in self._waiting.items() if came <= since][-1:]:
            del self._waiting[waiter]
            _fail(waiter, error)

    def refuse(self, error: ThrottledError) -> bool:
        """Tell a refusal to all who have no claim under way: it is theirs as well.

        Where there is only no room, as many wait on as the environments that there are take in a
        moment. Returns whether some do that did not: `lose_patience` is to follow.
        """
        served = self._served_soon if error.of_room else 0
        while len(self._waiting) > self.claims + served:
            _fail(self._waiting.popitem()[0], error)
        was_patient, self._patient = self._patient, len(self._waiting) > self.claims
        return self._patient and not was_patient

    def lose_patience(self, error: ThrottledError, since: float) -> None:
        """Refuse who has waited in vain since then, and have claims made for who came later.

        Those who wait longest have the claims that are under way.
        """
        self._patient = False
        old = [one for one, came in self._waiting.items() if came <= since]
        for waiter in old[self.claims :]:
            del self._waiting[waiter]
            _fail(waiter, error)

    def fail_all(self, error: Exception) -> None:
        """Tell a failure to everybody who waits."""
        while self._waiting:
            _fail(self._waiting.popitem(last=False)[0], error)

    @property
    def _served_soon(self) -> int:
        """How many calls the environments that run others are likely to take in a moment."""
        return int(self.busy * PATIENCE_SECONDS / max(self._call_seconds, 0.001))

    def _called(self, now: float) -> None:
        if not self.busy:
            self.idle_history.called(now)

    def _offer(self, environment: Environment) -> bool:
        if self._failed >= MOST_FAILED and self.busy + len(self.free) >= FEW:
            return False
        while self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            if not waiter.done():  # who gave up just now has not left yet
                self.busy += 1
                environment.busy_since = self._loop.time()
                waiter.set_result(environment)
                return True
        if self.retired:
            return False
        environment.idle_since = self._loop.time()
        self.free.append(environment)
        return True


def _fail(waiter: asyncio.Future[Environment], error: Exception) -> None:
    if not waiter.done():
        waiter.set_exception(error)
