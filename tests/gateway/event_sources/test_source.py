"""What holds of a mapping that says nothing of its batches: its kind's own."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta
from pilotlight.resources.event_source_kinds import SOURCE_KINDS
from pilotlight_gateway.event_sources.source import PolledMapping


def polled(kind: str, **spec: Any) -> PolledMapping:
    mapping = EventSourceMapping(
        metadata=ObjectMeta(name="m", namespace="default"),
        spec=EventSourceMappingSpec(function="f", **spec),
    )
    nothing = cast("Any", None)
    return PolledMapping(mapping, nothing, nothing, nothing, nothing, SOURCE_KINDS[kind])


@pytest.mark.parametrize(
    ("kind", "size", "window"),
    [("sqs", 10, 0), ("kinesis", 100, 0), ("mq", 100, 0.5), ("kafka", 100, 0.5)],
)
def test_batches_are_as_lambda_has_them_where_nothing_is_said(
    kind: str, size: int, window: float
) -> None:
    """And as the mapping says where it does, a window of nothing too."""
    assert (polled(kind).batch_size, polled(kind).window) == (size, window)
    said = polled(kind, batch_size=7, maximum_batching_window_in_seconds=0)
    assert (said.batch_size, said.window) == (7, 0)
