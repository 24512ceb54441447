"""Clients go first: events are held back while requests come and the process is late."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from pilotlight_gateway.events.pace import RESTING_SECONDS, SAMPLE_SECONDS, Pace

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_it_is_busy_only_while_requests_come_and_timers_are_late() -> None:
    pace = Pace(lambda: 0)
    observed = []
    for late, requests in [(0.0, 9), (0.02, 9), (0.02, 9), (0.02, 0), (0.02, 9)]:
        pace.sample(late, requests)
        observed.append(pace.busy)
    assert observed == [False, True, True, False, True]
    for _ in range(12):
        pace.sample(0.0, 9)
    assert not pace.busy


async def test_it_watches_the_loop_that_it_runs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    samples: asyncio.Queue[tuple[float, int]] = asyncio.Queue()
    requests = iter(range(100))
    pace = Pace(lambda: next(requests))
    monkeypatch.setattr(pace, "sample", lambda late, came: samples.put_nowait((late, came)))
    watching = asyncio.create_task(pace.run())
    late, came = await asyncio.wait_for(samples.get(), 10)
    watching.cancel()
    assert came == 1
    assert -SAMPLE_SECONDS < late < 10


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("requests", "period"),
    [(itertools.count(), SAMPLE_SECONDS), (itertools.repeat(7), RESTING_SECONDS)],
    ids=["called", "idle"],
)
async def test_it_rarely_wakes_a_process_that_nobody_calls(
    monkeypatch: pytest.MonkeyPatch, requests: Iterator[int], period: float
) -> None:
    times: list[float] = []
    pace = Pace(lambda: next(requests))
    now = asyncio.get_running_loop().time
    monkeypatch.setattr(pace, "sample", lambda _late, _came: times.append(now()))
    watching = asyncio.create_task(pace.run())
    await asyncio.sleep(10.01)
    watching.cancel()
    assert len(times) == pytest.approx(10 / period, rel=0.1)
