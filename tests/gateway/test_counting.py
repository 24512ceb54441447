"""What is counted without a lock is exposed as prometheus-client exposes its own."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from pilotlight_gateway.counting import Counts, Distributions

BOUNDS = (0.001, 0.5, 1.0, 60.0)
_seconds = st.lists(st.sampled_from([0.0, 0.001, 0.0011, 0.5, 0.75, 1.0, 59.0, 60.0, 61.0, 1e9]))


def _text(registry: CollectorRegistry) -> str:
    """Return the page without the times at which series were made."""
    lines = generate_latest(registry).decode().splitlines()
    return "\n".join(line for line in lines if not re.search(r"_created\b", line))


@given(_seconds)
def test_a_histogram_is_the_same(values: list[float]) -> None:
    """Values on a bound are below it, and those above all are only in the last bucket."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Distributions("x_seconds", "X.", ("name",), ours, BOUNDS)
    model = Histogram("x_seconds", "X.", ("name",), registry=theirs, buckets=BOUNDS)
    for value in values:
        mine.labels("a").observe(value)
        model.labels("a").observe(value)
    assert _text(ours) == _text(theirs)


@given(st.lists(st.sampled_from("ab")))
def test_a_counter_is_the_same(names: list[str]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Counts("x", "X.", ("name",), ours)
    model = Counter("x", "X.", ("name",), registry=theirs)
    for name in names:
        mine.labels(name).value += 2
        model.labels(name).inc(2)
    assert _text(ours) == _text(theirs)
