"""Tumbling windows: whose a record is, and what goes from one invocation to the next."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_gateway.event_sources.responses import MalformedResponseError
from pilotlight_gateway.event_sources.stream import StreamRecord
from pilotlight_gateway.event_sources.windows import LARGEST_STATE, Window, split


@given(arrivals=st.lists(st.floats(0, 1000), max_size=30).map(sorted), seconds=st.integers(1, 900))
def test_every_record_is_of_the_window_of_its_arrival(arrivals: list[float], seconds: int) -> None:
    """Windows follow each other without gap or overlap, and no record is left out."""
    records = [StreamRecord(str(at), "k", one, {}) for at, one in enumerate(arrivals)]
    parts = split(records, seconds)
    assert [one for _, of_window in parts for one in of_window] == records
    starts = [start for start, _ in parts]
    assert starts == sorted(set(starts))
    for start, of_window in parts:
        assert start % seconds == 0
        assert all(start <= one.arrived_at < start + seconds for one in of_window)


def test_the_members_of_an_event_are_lambdas() -> None:
    """As the Developer Guide's example has them."""
    window = Window(1_604_592_000.0, 120.0, {"1": "282"})
    assert window.members("shardId-000000000006", "arn", final=False, early=False) == {
        "window": {"start": "2020-11-05T16:00:00Z", "end": "2020-11-05T16:02:00Z"},
        "state": {"1": "282"},
        "shardId": "shardId-000000000006",
        "eventSourceARN": "arn",
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }


def test_an_answer_without_a_state_is_a_failure() -> None:
    """Whatever else it is."""
    window = Window(0.0, 60.0, {"a": 1})
    assert window.after(b'{"state": {"a": 2}, "batchItemFailures": []}').state == {"a": 2}
    for payload in (b"", b"null", b"{}", b'{"state": 1}', b"[]", b"not json"):
        with pytest.raises(MalformedResponseError):
            window.after(payload)


def test_a_state_may_have_a_megabyte() -> None:
    """Then its window ends early."""
    empty = len(json.dumps({"s": ""}))
    assert not Window(0.0, 1.0, {"s": "x" * (LARGEST_STATE - empty)}).too_large
    assert Window(0.0, 1.0, {"s": "x" * (LARGEST_STATE - empty + 1)}).too_large
