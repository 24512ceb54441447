"""How fast a function may grow: 1,000 environments more every 10 seconds.

AWS Lambda Developer Guide, "Lambda function scaling". `capacity` asks before each start.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.errors import ThrottledError

__all__ = ["BURST", "Burst"]

BURST = 1000
"""Environments that a function may start at once, and again after `WINDOW`."""
WINDOW = 10.0
"""Seconds."""


@dataclass(slots=True)
class Burst:
    """A function's bucket of starts, which fills evenly."""

    at: float
    """When `left` was counted."""
    left: float = BURST

    def take(self, now: float) -> None:
        """Take a start; raises ThrottledError where the function grew too fast."""
        self._fill(now)
        if self.left < 1:
            raise ThrottledError("Rate Exceeded.", reason="ConcurrentInvocationLimitExceeded")
        self.left -= 1

    def is_full(self, now: float) -> bool:
        """Say whether nothing need be remembered."""
        self._fill(now)
        return self.left >= BURST

    def _fill(self, now: float) -> None:
        self.left = min(BURST, self.left + (now - self.at) * BURST / WINDOW)
        self.at = now
