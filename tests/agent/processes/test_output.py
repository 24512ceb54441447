"""Lines out of bytes, whatever a function prints."""

import asyncio
import os

from hypothesis import given
from hypothesis import strategies as st

from pilotlight_agent.processes.output import LineSplitter, Output


def split(*pieces: bytes) -> list[str]:
    """Return the lines of output that comes in pieces and ends."""
    splitter = LineSplitter()
    return [line for piece in pieces for line in splitter.feed(piece)] + splitter.flush()


def test_lines_end_at_line_feeds_only() -> None:
    """Carriage returns stay: an error of several lines is one event."""
    assert split(b"a\nb\rc\n\nd") == ["a", "b\rc", "", "d"]


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    """However output is cut, its lines are the same."""
    whole = b"".join(pieces)
    expected = whole.decode(errors="replace").split("\n")
    assert split(*pieces) == split(whole)
    assert len(split(whole)) == len(expected) - (whole == b"" or whole.endswith(b"\n"))


def test_binary_becomes_text() -> None:
    """What is no UTF-8 is replaced."""
    assert split(b"\xff\x00ok\n") == ["\ufffd\x00ok"]


def test_long_lines_are_cut_once_and_marked() -> None:
    """Of a line over 256 KiB the beginning stays; what follows it is whole again."""
    for size in (262_144, 262_145, 3_000_000):
        data = b"x" * size + b"\nnext\n"
        pieces = [data[start : start + 65_536] for start in range(0, len(data), 65_536)]
        long, following = split(*pieces)
        assert following == "next"
        assert len(long.rstrip("]").split(" ")[0]) == min(size, 262_144)
        assert long.endswith("after 262144 bytes]") == (size > 262_144)


async def test_draining_gives_all_that_was_written() -> None:
    """A full pipe and an unfinished line are there without waiting for the loop."""
    lines: list[str] = []
    output = Output(lines.append)
    os.set_blocking(output.writer, False)
    written = os.write(output.writer, b"x\n" * 40_000)
    output.drain()
    assert len(lines) == written // 2
    os.write(output.writer, b"unfinished")
    output.drain()
    assert lines[-1] == "unfinished"
    output.close_writer()
    output.close()


async def test_lines_come_by_themselves() -> None:
    """Nobody has to ask for a line that a process prints while it runs."""
    told = asyncio.get_running_loop().create_future()
    output = Output(told.set_result)
    os.write(output.writer, b"hello\n")
    assert await told == "hello"
    output.close_writer()
    output.close()
