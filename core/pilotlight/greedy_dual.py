"""Who goes first when memory is short: the idle environment that is cheapest to miss.

Greedy-dual with size and frequency, as Fuerst and Sharma, "FaasCache" (ASPLOS 2021), apply it:
priority = clock + uses x seconds of a cold start / size, lowest first. The clock rises to the
priority of whatever went last, so that what was popular once ages. Pure but for that clock;
`keep_alive` says who goes when memory is not short. Gateways rank what they hold by it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Candidate", "GreedyDual"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What speaks for keeping an environment."""

    uses: int
    """Calls that it answered itself: of several environments of a busy function the spare ones
    answered few, and are not kept for what the first one does."""
    cold_seconds: float
    """How long a call waits where the environment is missing."""
    megabytes: float


@dataclass(slots=True)
class GreedyDual:
    """The clock, and the priorities that it gives."""

    clock: float = 0.0

    def priority(self, candidate: Candidate) -> float:
        """Rank an environment at its use; the lowest goes first."""
        worth = candidate.uses * candidate.cold_seconds / candidate.megabytes
        return self.clock + worth

    def evicted(self, priority: float) -> None:
        """Age those that stay: what is used from now on ranks above what went."""
        self.clock = max(self.clock, priority)
