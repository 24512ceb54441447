"""Twenty faults one after the other, beside calls and events: `make faults` has two hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storm.faults import FUNCTIONS, Plan, run_faults

if TYPE_CHECKING:
    from tests.support.cluster import Installation


@pytest.mark.timeout(600)
def test_nothing_is_lost_whatever_fails(platform: Installation) -> None:
    """Of every kind but those that take twenty seconds and longer."""
    plan = Plan(
        seed=1, count=20, events=10, retries=0, rest_seconds=(0.5, 1.0), most_seconds=10.0
    )  # fmt: skip
    try:
        assert run_faults(platform, plan).holds
    finally:
        for name in FUNCTIONS:
            platform.delete(name)
