"""Plays a trace against a policy: calls, environments, pools and memory as events in virtual time.

A call takes an idle environment of its function, else one is started: from a generic pod where one
is ready (`pools.decide` keeps them), else in a new pod. Memory is one amount for all nodes; where
on them something runs is not modelled. `report` condenses what came out.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pilotlight.greedy_dual import Candidate
from pilotlight.keep_alive import IdleTimes

from .clock import VirtualClock
from .outcome import Outcome, Tally
from .pool import GenericPool, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .policies import Policy
    from .trace import Call, Profile

__all__ = ["Cluster", "Simulation"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What there is to run on."""

    nodes: int = 1000
    node_megabytes: float = 65_536.0

    @property
    def megabytes(self) -> float:
        """Memory of all nodes."""
        return self.nodes * self.node_megabytes


@dataclass(slots=True, eq=False)
class _Environment:
    function: _Function
    since: float
    """When it became idle."""
    until: float = math.inf
    priority: float = 0.0
    uses: int = 1
    """Calls that it answered; to be pre-warmed counts as one."""
    idle: bool = False
    watched: bool = False
    """Whether an event looks after its end."""


@dataclass(slots=True, eq=False)
class _Function:
    profile: Profile
    calls: Iterator[Call]
    tally: Tally
    idle: list[_Environment] = field(default_factory=list)
    running: int = 0
    history: IdleTimes = field(default_factory=IdleTimes)
    quiet_since: float | None = None
    """When it last stopped running; None: it runs, or never ran."""
    next_call: float = math.inf
    turn: int = 0
    """Counts quiet times, so that a pre-warming knows whether it is late."""


class Simulation:
    """One policy on one trace."""

    def __init__(
        self, policy: Policy, cluster: Cluster, timing: Timing, *, counted_from: float = 0.0
    ) -> None:
        """Learn from the beginning, and count from `counted_from` on."""
        self._policy = policy
        self._eviction = policy.eviction()
        self._cluster = cluster
        self._timing = timing
        self._clock = VirtualClock()
        self._order = itertools.count()
        self._pools: dict[str, GenericPool] = {}
        self._used = 0.0
        self._evictable: list[tuple[float, int, _Environment]] = []
        self._waiting: deque[tuple[_Function, Call]] = deque()
        self._outcome = Outcome(policy.name, counted_from)

    def run(
        self, profiles: list[Profile], *, seconds: float, most_per_day: float = math.inf
    ) -> Outcome:
        """Play the first `seconds` of these functions' calls."""
        for profile in profiles:
            calls = profile.calls(seconds=seconds, most_per_day=most_per_day)
            self._next_call(_Function(profile, calls, self._outcome.tally()))
        self._clock.run_until(seconds)
        self._close()
        return self._outcome

    def _next_call(self, function: _Function) -> None:
        call = next(function.calls, None)
        function.next_call = call.at if call else math.inf
        if call is not None:
            self._clock.at(call.at, self._arrive, (function, call))

    def _arrive(self, subject: tuple[_Function, Call]) -> None:
        function, call = subject
        self._next_call(function)
        if function.quiet_since is not None:
            function.history.add(self._clock.now - function.quiet_since)
            function.quiet_since = None
            function.turn += 1
        if function.idle:
            self._reuse(function, call)
        elif self._make_room(function.profile.megabytes):
            self._start(function, call)
        else:
            self._waiting.append((function, call))
            function.running += 1

    def _reuse(self, function: _Function, call: Call) -> None:
        """Take the environment that was used last, so that what is too many comes to its end."""
        environment = function.idle.pop()
        self._waste(environment)
        environment.idle = False
        environment.uses += 1
        self._outcome.warm(function.tally, call.at)
        function.running += 1
        self._clock.at(self._clock.now + call.seconds, self._finish, environment)

    def _start(self, function: _Function, call: Call) -> None:
        self._used += function.profile.megabytes
        function.running += 1
        delay = self._start_delay(function.profile)
        self._outcome.started(self._clock.now)
        self._outcome.cold(function.tally, call.at, self._clock.now + delay - call.at)
        environment = _Environment(function, self._clock.now)
        self._clock.at(self._clock.now + delay + call.seconds, self._finish, environment)

    def _start_delay(self, profile: Profile) -> float:
        pooled = self._pool(profile.runtime).take()
        pod = self._timing.specialise_seconds if pooled else self._timing.pod_seconds
        return pod + profile.init_seconds

    def _pool(self, runtime: str) -> GenericPool:
        if runtime not in self._pools:
            self._pools[runtime] = GenericPool(self._clock, self._timing, self._outcome)
        return self._pools[runtime]

    def _finish(self, environment: _Environment) -> None:
        function = environment.function
        function.running -= 1
        if not function.running:
            function.quiet_since = self._clock.now
        self._idle(environment)
        self._serve_waiting()

    def _idle(self, environment: _Environment) -> None:
        """Let an environment wait as long as the policy says."""
        function = environment.function
        others = function.running + len(function.idle)
        keep = self._policy.keep(function.history, others)
        if keep.prewarm_after:
            self._clock.at(
                self._clock.now + keep.prewarm_after, self._prewarm, (function, function.turn, keep)
            )
            self._stop(environment)
            return
        self._keep(environment, keep.keep_for)

    def _keep(self, environment: _Environment, seconds: float) -> None:
        function = environment.function
        environment.idle = True
        environment.since = self._clock.now
        environment.until = self._clock.now + seconds
        next_use = math.inf if function.idle else function.next_call
        environment.priority = self._eviction.priority(
            self._clock.now, next_use, _candidate(environment)
        )
        function.idle.append(environment)
        entry = (environment.priority, next(self._order), environment)
        heapq.heappush(self._evictable, entry)
        self._watch(environment)

    def _watch(self, environment: _Environment) -> None:
        if not environment.watched and environment.until < math.inf:
            environment.watched = True
            self._clock.at(environment.until, self._expire, environment)

    def _expire(self, environment: _Environment) -> None:
        environment.watched = False
        if not environment.idle:
            return
        if environment.until > self._clock.now:
            self._watch(environment)
            return
        self._discard(environment)

    def _prewarm(self, subject: tuple[_Function, int, Any]) -> None:
        function, turn, keep = subject
        if (
            function.turn != turn
            or function.idle
            or not self._make_room(function.profile.megabytes)
        ):
            return
        self._used += function.profile.megabytes
        self._outcome.started(self._clock.now)
        self._start_delay(function.profile)
        self._keep(_Environment(function, self._clock.now), keep.keep_for)

    def _make_room(self, megabytes: float) -> bool:
        """End idle environments until so much is free; tells whether it is."""
        while self._used + megabytes > self._cluster.megabytes:
            if not self._evictable:
                return False
            priority, _, environment = heapq.heappop(self._evictable)
            if environment.idle and environment.priority == priority:
                self._eviction.evicted(priority)
                self._discard(environment)
        return True

    def _serve_waiting(self) -> None:
        while self._waiting and self._make_room(self._waiting[0][0].profile.megabytes):
            function, call = self._waiting.popleft()
            function.running -= 1
            self._start(function, call)

    def _discard(self, environment: _Environment) -> None:
        environment.function.idle.remove(environment)
        self._waste(environment)
        self._stop(environment)

    def _stop(self, environment: _Environment) -> None:
        environment.idle = False
        self._used -= environment.function.profile.megabytes

    def _waste(self, environment: _Environment) -> None:
        megabytes = environment.function.profile.megabytes
        self._outcome.wasted(megabytes, environment.since, self._clock.now)

    def _close(self) -> None:
        for environment in {entry[2] for entry in self._evictable if entry[2].idle}:
            self._waste(environment)
        for pool in self._pools.values():
            pool.settle()


def _candidate(environment: _Environment) -> Candidate:
    profile = environment.function.profile
    return Candidate(environment.uses, profile.init_seconds, profile.megabytes)
