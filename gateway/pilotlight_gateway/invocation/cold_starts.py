"""Where environments came from and what each phase of a cold start took, as metrics.

`dispatcher` tells: a claim that was granted carries its steps (`pilotlight.claims.Start`), the init
phase is in the report of the first invocation (`metrics`). `pilotlight describe` shows the last.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from pilotlight.claims import RevisionKey, Start

__all__ = ["ColdStarts"]

_FUNCTION = ("namespace", "function")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MOST_FUNCTIONS = 10_000


class ColdStarts:
    """Counts and times what had to be claimed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sources = Counter(
            "pilotlight_claims_granted", "Environments claimed, by where they came from.",
            (*_FUNCTION, "source"), registry=registry,
        )  # fmt: skip
        self._phases = Histogram(
            "pilotlight_cold_start_seconds",
            "Phases of cold starts: queue, claim, pod, specialise, fetch, unpack.",
            (*_FUNCTION, "phase"), registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self._last: OrderedDict[tuple[str, str], dict[str, str | float]] = OrderedDict()

    def waited(self, revision: RevisionKey, seconds: float) -> None:
        """Note that an invocation waited for an environment."""
        self._phases.labels(revision.namespace, revision.function, "queue").observe(seconds)

    def granted(self, revision: RevisionKey, start: Start, claim: float) -> None:
        """Note a claim that was granted after `claim` seconds."""
        labels = (revision.namespace, revision.function)
        self._sources.labels(*labels, start.source).inc()
        phases = {"claim": claim} | _steps(start)
        for phase, seconds in phases.items():
            self._phases.labels(*labels, phase).observe(seconds)
        self._last[labels] = {"source": start.source, **phases}
        self._last.move_to_end(labels)
        if len(self._last) > MOST_FUNCTIONS:
            self._last.popitem(last=False)

    def last(self, namespace: str, function: str) -> dict[str, str | float]:
        """Return the last start of a function: its source, and its phases in seconds."""
        return self._last.get((namespace, function), {})


def _steps(start: Start) -> dict[str, float]:
    """Return the steps that were taken: what stood ready took none."""
    steps = {
        "pod": start.pod,
        "specialise": start.specialise,
        "fetch": start.fetch,
        "unpack": start.unpack,
    }
    return {phase: seconds for phase, seconds in steps.items() if seconds}
