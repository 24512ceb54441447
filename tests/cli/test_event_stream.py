"""Events of a streamed answer, however its bytes are cut, and what is none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_cli.event_stream import read_events
from pilotlight_cli.failures import Failure
from pilotlight_gateway.event_stream import bytes_frame, event_frame

ANSWER = bytes_frame("PayloadChunk", b"a\x00b") + event_frame("InvokeComplete", {"ErrorCode": "ü"})


@given(st.lists(st.integers(0, len(ANSWER))))
def test_events_come_whole_wherever_they_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(ANSWER)]
    pieces = [ANSWER[start:end] for start, end in pairwise(edges)]
    chunk, complete = read_events(pieces)
    assert (chunk.headers[":event-type"], chunk.payload) == ("PayloadChunk", b"a\x00b")
    assert complete.headers[":content-type"] == "application/json"
    assert complete.payload.decode() == '{"ErrorCode": "ü"}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (ANSWER[:-1], "broke off"),
        (b"<html>not an endpoint of Lambda's</html>", "no stream of events"),
        (ANSWER.replace(b"a\x00b", b"a\x00c"), "damaged"),
    ],
    ids=["cut", "html", "damaged"],
)
def test_what_is_no_stream_of_events_is_said(body: bytes, said: str) -> None:
    with pytest.raises(Failure, match=said):
        list(read_events([body]))
