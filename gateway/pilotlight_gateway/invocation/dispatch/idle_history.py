"""How long a function has idled between its calls, and what follows for its last environment.

`queue` notes here when a function's last invocation ends and the next one comes; `idling` asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pilotlight.keep_alive import IdleTimes, KeepAlive, KeepAliveSpec, Rule

__all__ = ["IdleHistory"]


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
    _decision: KeepAlive | None = None
    """On the last environment; holds until the next call, and is asked for every few seconds."""

    def called(self, now: float) -> None:
        """Note a call, the first one after the function idled."""
        if self.idle_since is not None:
            self.times.add(now - self.idle_since)
            self._decision = None
        self.idle_since = self.prewarm_at = None
        self.prewarmed = False

    def decide(self, rule: Rule, spec: KeepAliveSpec, *, others: int) -> KeepAlive:
        """Say how long an environment waits whose function has so many others."""
        if others:
            return rule(self.times, spec, others=others)
        self._decision = self._decision or rule(self.times, spec)
        return self._decision
