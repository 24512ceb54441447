"""Metrics of invocations, after AWS Lambda Developer Guide, "Types of metrics".

Functions are created by admins, so namespace and function are bounded; request ids never are.
Series are kept per function: looking a label set up costs more than counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight_gateway.counting import Counted, Counts, Distribution, Distributions

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .invocation import Answer

__all__ = ["FunctionMetrics", "InvocationMetrics"]

_LABELS = ("namespace", "function", "version")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 900)


@dataclass(frozen=True, slots=True)
class FunctionMetrics:
    """The metrics of one version of a function."""

    invocations: Counted
    errors: Counted
    duration: Distribution
    overhead: Distribution
    init: Distribution
    billed_milliseconds: Counted
    billed_gigabyte_seconds: Counted

    def answered(self, answer: Answer, *, elapsed: float) -> None:
        """Count an invocation that was answered after `elapsed` seconds here."""
        self.invocations.value += 1
        if answer.function_error is not None:
            self.errors.value += 1
        report = answer.report
        if report is None:
            return
        seconds = report.duration_ms / 1000
        self.duration.observe(seconds)
        init = (report.init_duration_ms or 0.0) / 1000
        self.overhead.observe(max(0.0, elapsed - seconds - init))
        if report.init_duration_ms is not None:
            self.init.observe(init)
        self.billed_milliseconds.value += report.billed_ms
        gigabytes = report.memory_size_mb / 1024
        self.billed_gigabyte_seconds.value += report.billed_ms / 1000 * gigabytes


class InvocationMetrics:
    """What happened to invocations, by function and version."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, labels: tuple[str, ...] = _LABELS) -> Counts:
            return Counts(f"pilotlight_{name}", text, labels, registry)

        def histogram(name: str, text: str) -> Distributions:
            return Distributions(f"pilotlight_{name}_seconds", text, _LABELS, registry, _SECONDS)

        self._of: dict[tuple[str, ...], FunctionMetrics] = {}

        self._invocations = counter("invocations", "Invocations that were answered.")
        self._errors = counter("errors", "Invocations that ended in a function error.")
        self._billed = counter("billed_milliseconds", "Billed duration.")
        self._billed_gigabyte_seconds = counter(
            "billed_gigabyte_seconds", "Billed duration times memory."
        )
        self._throttles = counter(
            "throttles", "Invocations refused by a limit.", (*_LABELS, "reason")
        )
        self._enqueued = counter(
            "async_events_received", "Events that were accepted.", ("namespace", "function")
        )
        self._duration = histogram("invocation_duration", "Time in the function.")
        self._overhead = histogram("platform_overhead", "Time beside the function.")
        self._init = histogram("init_duration", "Init phases of cold starts.")

    def of(self, *labels: str) -> FunctionMetrics:
        """Return the metrics of a version: of its function's namespace, name and its number."""
        found = self._of.get(labels)
        if found is None:
            found = self._of[labels] = self._new(labels)
        return found

    def _new(self, labels: tuple[str, ...]) -> FunctionMetrics:
        return FunctionMetrics(
            self._invocations.labels(*labels),
            self._errors.labels(*labels),
            self._duration.labels(*labels),
            self._overhead.labels(*labels),
            self._init.labels(*labels),
            self._billed.labels(*labels),
            self._billed_gigabyte_seconds.labels(*labels),
        )

    def throttled(self, namespace: str, function: str, version: str, reason: str) -> None:
        """Count an invocation that a limit refused."""
        self._throttles.labels(namespace, function, version, reason).value += 1

    def enqueued(self, namespace: str, function: str) -> None:
        """Count an event that was accepted."""
        self._enqueued.labels(namespace, function).value += 1
