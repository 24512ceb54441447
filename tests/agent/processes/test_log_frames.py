"""Framed entries stay whole, and what is printed between them too."""

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pilotlight_agent.processes.log_frames import EntrySplitter


def frame(entry: bytes) -> bytes:
    """Return an entry as Lambda's runtimes write it."""
    return struct.pack("!IIQ", 0xA55A0003, len(entry), 1_700_000_000_000_000) + entry


def split(*pieces: bytes) -> list[str]:
    """Return the lines of output that comes in pieces and ends."""
    splitter = EntrySplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.flush()
    assert not splitter.unfinished
    return lines


def test_an_entry_is_one_line_and_keeps_its_place() -> None:
    """Its own line ends are carriage returns, as in every log of ours."""
    output = b"printed\n" + frame(b"two\nlines\n") + b"after" + frame(b"") + b"\xa5\n"
    assert split(output) == ["printed", "two\rlines", "after", "", "\ufffd"]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20).filter(lambda text: b"\xa5" not in text),
            st.binary(max_size=30).map(frame),
        ),
        max_size=5,
    ),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_pieces_do_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    """However output is cut, even inside a mark, its lines and entries are the same."""
    whole = b"".join(parts)
    at = [0, *sorted(cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(at)]
    assert split(*pieces) == split(whole)


def test_what_will_not_come_is_not_waited_for() -> None:
    """A process that dies inside an entry leaves what it had written."""
    assert split(frame(b"last words")[:-3]) == ["last wo"]
    assert split(frame(b"")[:7]) == [frame(b"")[:7].decode(errors="replace")]


def test_long_entries_are_cut_and_what_follows_is_whole() -> None:
    """A frame may claim any length: no more is kept than will be told."""
    data = frame(b"x" * 3_000_000) + b"next\n"
    pieces = [data[start : start + 65_536] for start in range(0, len(data), 65_536)]
    long, following = split(*pieces)
    assert (len(long.split(" ")[0]), following) == (262_144, "next")
