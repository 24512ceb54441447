"""How many batches of a queue may run at once, as Lambda scales its pollers. Pure.

Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings": it begins with
five, while all run it adds up to 300 a minute, and it backs off from functions that fail or are
throttled. The steps of the way back are not told there; they are ours.
"""

from __future__ import annotations

__all__ = ["MOST", "START", "Concurrency"]

START = 5
MOST = 1_250
GROWTH = 300 / 60
"""Batches a second."""
ERROR_FACTOR, THROTTLE_FACTOR = 0.9, 0.5
_GAP = 5.0
"""Seconds without being told that all are busy, after which growth begins anew."""


class Concurrency:
    """The limit of one mapping; times are seconds on any one clock."""

    def __init__(self, most: int | None = None) -> None:
        """`most` is the mapping's MaximumConcurrency."""
        self._most = most or MOST
        self._limit = float(min(START, self._most))
        self._saturated_at: float | None = None

    @property
    def limit(self) -> int:
        """Batches that may run at once."""
        return max(1, int(self._limit))

    def saturated(self, now: float) -> None:
        """Take note that as many run as may."""
        since = self._saturated_at
        if since is not None and now - since <= _GAP:
            self._limit = min(self._most, self._limit + GROWTH * (now - since))
        self._saturated_at = now

    def succeeded(self) -> None:
        """Take note of a batch that went well: what was taken back returns."""
        if self._limit < START:
            self._limit = min(self._most, START, self._limit + 1)

    def failed(self) -> None:
        """Take note of a batch whose function failed."""
        self._fall(ERROR_FACTOR)

    def throttled(self) -> None:
        """Take note of a batch that could not run."""
        self._fall(THROTTLE_FACTOR)

    def idle(self) -> None:
        """Take note that nothing came: the next backlog begins anew."""
        self._limit = min(self._limit, START)
        self._saturated_at = None

    def _fall(self, factor: float) -> None:
        self._limit = max(1.0, self._limit * factor)
        self._saturated_at = None
