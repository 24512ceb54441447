"""Twenty faults one after the other, beside calls and events; `make faults` has long ones, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storm.faults import FUNCTIONS, run_faults

if TYPE_CHECKING:
    from tests.support.cluster import Installation


@pytest.mark.timeout(600)
def test_nothing_is_lost_whatever_fails(platform: Installation) -> None:
    try:
        assert run_faults(platform, seed=1, count=20, events=10, brief=True).holds
    finally:
        for name in FUNCTIONS:
            platform.delete(name)
