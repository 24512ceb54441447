"""How long a function has idled between its calls, and what follows for its last environment.

`queue` notes here when a function's last invocation ends and the next one comes; `idling` asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pilotlight.keep_alive import IdleTimes, KeepAlive, KeepAliveSpec, Rule

__all__ = ["IdleHistory"]

LEAST_REST_SECONDS, MOST_REST_SECONDS = 1.0, 5.0
"""Between which an environment must have idled that others are to have the room of."""
FORGETTING = 0.95
"""What a call leaves of the longest rest before it."""
RESTED = 3.0
"""So many times the longest rest of late is none between two calls: of calls that come by chance
(Poisson) one in 240 has a longer one before it; of once the longest it would be one in nine."""


@dataclass(slots=True)
class IdleHistory:
    """What is known of a function's idle times, whatever revisions it had."""

    idle_since: float | None = None
    """When the last of its invocations ended; None while one runs or before the first."""
    times: IdleTimes = field(default_factory=IdleTimes)
    prewarm_at: float | None = None
    """When to have an environment again though nobody calls."""
    prewarmed: bool = False
    """Whether the environment that idles was started for a call that is expected."""
    _rest: float = 0.0
    """How long environments idled lately that were used again: the longest, less what time took."""
    _decision: KeepAlive | None = None
    """On the last environment; holds until the next call, and is asked for every few seconds."""

    def called(self, now: float) -> None:
        """Note a call, the first one after the function idled."""
        if self.idle_since is not None:
            self.times.add(now - self.idle_since)
            self._decision = None
        self.idle_since = self.prewarm_at = None
        self.prewarmed = False

    def used(self, idled: float) -> None:
        """Note for how long an environment idled that a call has taken now."""
        self._rest = max(idled, self._rest * FORGETTING)

    def has_rested(self, idled: float) -> bool:
        """Say whether an environment that idles for so long is likely to be between no two calls.

        It idles three times as long as any did lately that was used again.
        """
        return idled >= min(max(RESTED * self._rest, LEAST_REST_SECONDS), MOST_REST_SECONDS)

    def decide(self, rule: Rule, spec: KeepAliveSpec, *, others: int) -> KeepAlive:
        """Say how long an environment waits whose function has so many others."""
        if others:
            return rule(self.times, spec, others=others)
        self._decision = self._decision or rule(self.times, spec)
        return self._decision
