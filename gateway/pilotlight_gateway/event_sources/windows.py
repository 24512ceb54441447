"""Tumbling windows: what a function made of a window's earlier batches comes with the next. Pure.

AWS Lambda Developer Guide, "Tumbling windows": a record belongs to the window of its arrival; a
window ends with an invocation that has no records, and begins without a state. It ends early where
its state is too large or its shard is at its end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .responses import MalformedResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .stream import StreamRecord

__all__ = ["LARGEST_STATE", "Window", "split"]

LARGEST_STATE = 1 << 20
"""Bytes of JSON."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that is open."""

    start: float
    """Seconds since the epoch."""
    seconds: float
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """From then on records are of a later window."""
        return self.start + self.seconds

    @property
    def too_large(self) -> bool:
        """Whether its state is larger than may be."""
        return len(json.dumps(self.state).encode()) > LARGEST_STATE

    def members(self, shard: str, arn: str, *, final: bool, early: bool) -> dict[str, Any]:
        """Return what its events have beside records."""
        return {
            "shardId": shard,
            "eventSourceARN": arn,
            "window": {"start": _timestamp(self.start), "end": _timestamp(self.end)},
            "state": self.state,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": early,
        }

    def after(self, payload: bytes) -> Window:
        """Return it with the state of an answer; raises MalformedResponseError."""
        try:
            answer = json.loads(payload)
        except ValueError as error:
            raise MalformedResponseError(f"the answer is no JSON: {error}") from error
        state = answer.get("state") if isinstance(answer, dict) else None
        if not isinstance(state, dict):
            raise MalformedResponseError("a window's answer has an object as its state")
        return Window(self.start, self.seconds, state)


def split(
    records: Sequence[StreamRecord], seconds: float
) -> list[tuple[float, list[StreamRecord]]]:
    """Part records where their window changes; returns each window's start."""
    return [
        (start, list(of_window))
        for start, of_window in groupby(records, lambda one: one.arrived_at // seconds * seconds)
    ]


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
