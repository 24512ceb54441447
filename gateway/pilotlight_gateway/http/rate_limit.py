"""A token bucket per site: `decide` is pure, the limiter keeps the buckets.

Each gateway counts for itself, so that no request waits for another gateway's count: with n of
them a route is let through up to n times its rate (docs/http.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilotlight.resources import Rate

__all__ = ["Bucket", "Decision", "RateLimiter", "decide"]

MOST_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens that were left at a moment."""

    tokens: float
    at: float
    """Seconds of a monotonic clock."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request passes, what is left, and in how many whole seconds one would."""

    allowed: bool
    bucket: Bucket
    retry_after: int = 0


def decide(now: float, bucket: Bucket | None, rate: Rate) -> Decision:
    """Take a token if there is one; a bucket that is not there yet is full."""
    per_second, burst = rate.requests_per_second, float(rate.burst)
    if bucket is None:
        bucket = Bucket(burst, now)
    elapsed = max(0.0, now - bucket.at)
    tokens = min(burst, bucket.tokens + elapsed * per_second)
    if tokens >= 1.0:
        return Decision(allowed=True, bucket=Bucket(tokens - 1.0, now))
    seconds = math.ceil((1.0 - tokens) / per_second)
    return Decision(allowed=False, bucket=Bucket(tokens, now), retry_after=seconds)


@dataclass(slots=True)
class RateLimiter:
    """The buckets of this gateway."""

    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def take(self, now: float, site: str, rate: Rate) -> Decision:
        """Decide about one request of a site."""
        decision = decide(now, self._buckets.pop(site, None), rate)
        self._buckets[site] = decision.bucket  # the newest stands last
        if len(self._buckets) > MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        return decision
