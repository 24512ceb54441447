"""Frames of the managed runtime, from a process that is not to be believed."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight_agent.runtimes.frames import FrameReader
from pilotlight_wire.protocol import RESPONSE_LIMIT


def frame(header: object, body: bytes = b"") -> bytes:
    """Return the bytes of a frame."""
    head = json.dumps(header).encode()
    return struct.pack("!II", len(head), len(body)) + head + body


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 30))
def test_frames_come_out_as_they_went_in(bodies: list[bytes], step: int) -> None:
    """However the bytes are cut."""
    stream = b"".join(frame({"n": n}, body) for n, body in enumerate(bodies))
    reader = FrameReader()
    found = [
        each
        for start in range(0, len(stream), step)
        for each in reader.feed(stream[start : start + step])
    ]
    assert found == [({"n": n}, body) for n, body in enumerate(bodies)]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!II", 65_537, 0),
        struct.pack("!II", 2, RESPONSE_LIMIT + 1),
        frame([]),
        struct.pack("!II", 3, 0) + b"{x}",
        struct.pack("!II", 2, 0) + b"\xff\xfe",
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    """Before a byte of it is kept."""
    with pytest.raises(ValueError, match=r"."):
        FrameReader().feed(data)
