"""Distributions read off published figures: a cumulative distribution known at a few points.

Between two points the logarithm of the value is uniform, since everything here spans decades.
`trace` draws from them, and its test measures the distance back.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

__all__ = ["Cumulative", "distance"]


@dataclass(frozen=True)
class Cumulative:
    """Points (value, share at or below it), both rising; shares end at 1."""

    points: tuple[tuple[float, float], ...]

    def quantile(self, share: float) -> float:
        """Return the value that `share` (0 to 1) of all stay at or below."""
        index = bisect.bisect_left(self.points, share, key=lambda point: point[1])
        if index == 0:
            return self.points[0][0]
        (low, below), (high, above) = self.points[index - 1 : index + 1]
        return low * math.exp(math.log(high / low) * (share - below) / (above - below))

    def share(self, value: float) -> float:
        """Return the share at or below a positive value."""
        index = bisect.bisect_left(self.points, value, key=lambda point: point[0])
        if index in {0, len(self.points)}:
            return self.points[0][1] if index == 0 else 1.0
        (low, below), (high, above) = self.points[index - 1 : index + 1]
        return below + (above - below) * math.log(value / low) / math.log(high / low)


def distance(values: list[float], points: tuple[tuple[float, float], ...]) -> float:
    """Return the Kolmogorov-Smirnov distance of a sample, at the points that are known."""
    ordered = sorted(values)
    return max(
        abs(bisect.bisect_right(ordered, value) / len(ordered) - share) for value, share in points
    )
