"""What a simulation counts, and the figures that come of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Outcome", "Tally", "percentile"]


@dataclass(slots=True)
class Tally:
    """A function's calls."""

    calls: int = 0
    cold: int = 0

    @property
    def cold_rate(self) -> float:
        """Share of calls that met no environment."""
        return self.cold / self.calls


@dataclass
class Outcome:
    """What one policy came to; only what happens from `counted_from` on is counted."""

    policy: str
    counted_from: float = 0.0
    tallies: list[Tally] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Seconds from the call to its environment, of the calls that had to wait."""
    starts: Counter[int] = field(default_factory=Counter)
    """Environments started, by second."""
    wasted_megabyte_seconds: float = 0.0

    def tally(self) -> Tally:
        """Give a function a place."""
        self.tallies.append(Tally())
        return self.tallies[-1]

    def warm(self, tally: Tally, called_at: float) -> None:
        """Count a call that met an environment."""
        if called_at >= self.counted_from:
            tally.calls += 1

    def cold(self, tally: Tally, called_at: float, waited: float) -> None:
        """Count a call that waited for one."""
        if called_at >= self.counted_from:
            tally.calls += 1
            tally.cold += 1
            self.waits.append(waited)

    def started(self, now: float) -> None:
        """Count a start."""
        if now >= self.counted_from:
            self.starts[int(now)] += 1

    def wasted(self, megabytes: float, since: float, until: float) -> None:
        """Count memory that ran nothing."""
        since = max(since, self.counted_from)
        self.wasted_megabyte_seconds += megabytes * max(0.0, until - since)

    def cold_rate_at(self, share: float) -> float:
        """Return the cold-start rate that `share` of the called functions stay at or below."""
        return percentile([one.cold_rate for one in self.tallies if one.calls], share)

    @property
    def calls(self) -> int:
        """Calls counted."""
        return sum(one.calls for one in self.tallies)

    @property
    def cold_rate(self) -> float:
        """Share of all calls that were cold."""
        return len(self.waits) / max(1, self.calls)

    @property
    def cold_seconds(self) -> float:
        """Seconds that calls waited for environments, together."""
        return sum(self.waits)

    @property
    def wasted_gigabyte_seconds(self) -> float:
        """Memory that ran nothing, over time."""
        return self.wasted_megabyte_seconds / 1024

    def wait_percentile(self, share: float) -> float:
        """Return the wait (s) that `share` of all calls stay at or below; most do not wait."""
        rank = int((1 - share) * self.calls)
        return sorted(self.waits, reverse=True)[rank] if rank < len(self.waits) else 0.0

    @property
    def most_starts(self) -> int:
        """Environments started within the second that saw most."""
        return max(self.starts.values(), default=0)


def percentile(values: list[float], share: float) -> float:
    """Return the least of the values that `share` of them stay at or below; 0 of none."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, max(0, math.ceil(share * len(values)) - 1))]
